"""Numbers, times and findings as a person reads them. What came from outside is made printable
here: no control character and no terminal's escape gets any further.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from ..toml_text import printable
from .payloads import Candidate, Counts, Finding, Happening, Health, Metrics, Model, Result, time_of

MAX_LABEL_CHARS = 40
LATE_S = 5.0
THROTTLED = "THROTTLED"
_MAX_REASON = 1000
_KEPT_NAMES = 200
_MOST_TRACKS = 5  # of one label


def safe(text: str, limit: int = _KEPT_NAMES) -> str:
    """Text that cannot do anything to a terminal, on one line."""
    return printable(text, limit)


def reason(text: str) -> str:
    """A reason that was published, which may be longer than a name."""
    return safe(text, _MAX_REASON)


def number(count: int, what: str) -> str:
    """So many of something."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def clock_time(moment: datetime, now: datetime) -> str:
    """A local time of day, with the date where that is not today's."""
    local, today = moment.astimezone(now.tzinfo), now
    if local.date() == today.date():
        return local.strftime("%H:%M:%S")
    return local.strftime("%Y-%m-%d %H:%M:%S")


def rate(hz: float | None) -> str:
    """How often, a second or a minute."""
    if hz is None or not math.isfinite(hz):
        return "-"
    return f"{hz:.1f}/s" if hz >= 1 or hz == 0 else f"{hz * 60:.1f}/min"


def milliseconds(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """In its two largest units."""
    if not math.isfinite(seconds) or seconds < 0:
        return "-"
    whole = int(seconds)
    for unit_s, unit, next_s, next_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= unit_s:
            return f"{whole // unit_s} {unit} {whole % unit_s // next_s} {next_unit}"
    return f"{whole} s"


def findings(result: Result, most: int | None = None) -> str:
    """What a result says, the best first and the same labels together; ``most``: so many labels
    and how many more there are.
    """
    if result.values:
        parts = [f"{_label(name)} {value:.4g}" for name, value in result.values.items()]
    else:
        found = (*result.classes, *result.detections, *result.regions, *result.people)
        parts = list(_grouped(sorted(found, key=_weight, reverse=True)))
    if not parts:
        return "nothing"
    if most is not None and len(parts) > most:
        return ", ".join([*parts[:most], f"… {len(parts) - most} more"])
    return ", ".join(parts)


def _weight(finding: Finding) -> float:
    weight = finding.fraction if finding.score is None else finding.score
    return weight if weight is not None and math.isfinite(weight) else 0.0


def _grouped(found: Iterable[Finding]) -> Iterable[str]:
    groups: dict[str, list[Finding]] = {}
    for one in found:
        groups.setdefault(one.label, []).append(one)
    for label, alike in groups.items():
        times = f" x{len(alike)}" if len(alike) > 1 else ""
        best = alike[0]
        share = f"{best.fraction:.1%}" if best.fraction is not None else f"{_weight(best):.2f}"
        tracks = " ".join(f"#{one.track}" for one in alike[:_MOST_TRACKS] if one.track is not None)
        yield f"{_label(label)} {share}{times}{tracks and f' ({tracks})'}"


def _label(label: str) -> str:
    return safe(label, MAX_LABEL_CHARS)


def candidate(tried: Candidate) -> str:
    """What became of a candidate."""
    verdict = {"trial": "on trial"}.get(tried.verdict, safe(tried.verdict, 40))
    why = f": {reason(tried.reason)}" if tried.reason else ""
    return f"candidate {safe(str(tried))} {verdict}{why}"


def model(told: Model) -> str:
    """What serves, and what became of the last candidate."""
    serves = f"{safe(str(told.active))} serves" if told.active else "no model serves"
    return serves if told.candidate is None else f"{serves}; {candidate(told.candidate)}"


def serving(told: Model, before: Model) -> str:
    """A swap."""
    instead = f" instead of {safe(before.active.version or '')}" if before.active else ""
    return f"{safe(str(told.active))} serves{instead}" if told.active else "no model serves"


def happening(told: Happening) -> str:
    """An event in a line."""
    track = "" if told.track is None else f" {told.track}"
    zone = "" if told.zone is None else f" in {safe(told.zone)}"
    lasted = "" if told.type == "started" else f" after {duration(told.duration_s)}"
    return f"{_label(told.label)}{track}{zone} {safe(told.type, 40)}{lasted}"


def counts(told: Counts) -> str:
    """How many of what."""
    parts = [f"{_label(label)} x{count}" for label, count in told.counts.items()]
    return f"there now: {', '.join(parts) or 'nothing'}"


def health(told: Health, now: datetime) -> str:
    """A pipeline's state, why, and since when."""
    since = time_of(told.since)
    text = safe(told.state, 40) + (f" since {clock_time(since, now)}" if since else "")
    return f"{text}: {reason(told.reason)}" if told.reason else text


def result(told: Result, now: datetime) -> str:
    """A result in a line, with all that was found."""
    took = milliseconds(told.latency_ms.get("total"))
    text = f"#{told.sequence} {took} ms  {findings(told)}{crop(told)}"
    late = captured_late(told, now)
    return f"{text}  (captured {late})" if late else text


def crop(told: Result) -> str:
    """What was looked at, where that is not a whole frame."""
    if told.crop is None:
        return ""
    track = "" if told.crop.track is None else f" #{told.crop.track}"
    return f"  in {_label(told.crop.label)}{track} of {safe(told.crop.pipeline)}"


def captured_late(told: Result, now: datetime) -> str | None:
    """When a result was captured, where that is long before ``now``, when it came."""
    captured = time_of(told.captured_at)
    if captured is None or abs((now - captured).total_seconds()) <= LATE_S:
        return None
    return clock_time(captured, now)


def figures(metrics: Metrics) -> list[str]:
    """The device in figures, the most interesting first."""
    spool = metrics.spool
    parts = [f"spool {spool.depth:,}", f"dropped {spool.dropped:,}"]
    if spool.storage != "disk":
        parts[0] += f" in {safe(spool.storage, 20)}"
    if spool.refused:
        parts.append(f"refused {spool.refused:,}")
    if metrics.throttled:
        parts.insert(0, THROTTLED)
    if metrics.cpu_temperature_c is not None:
        parts.append(f"{metrics.cpu_temperature_c:.0f} °C")
    if metrics.memory_bytes is not None:
        parts.append(f"{metrics.memory_bytes / 1e6:.0f} MB")
    if metrics.uptime_s is not None:
        parts.append(f"up {duration(metrics.uptime_s)}")
    return parts
