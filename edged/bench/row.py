"""``edged bench --row``: one line for the README's table of machines."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from ..service.chip import Chip
from .answers import INFERENCE
from .figures import OVERHEAD, rate_ratio, spreads
from .run import Measured
from .settings import described


def as_row(measured: Measured, machine: Mapping[str, str], chip: Chip) -> str:
    """The first case, frames of a camera's size, as a row of Markdown. ``chip`` is asked now, when
    it is as hot as the bench has made it.
    """
    outcome = next(iter(measured.cases.values()))
    overhead, bare_ms = spreads(outcome.turns)[OVERHEAD], spreads(measured.bare.turns)[INFERENCE]
    starts = [outcome.first_s, statistics.median(outcome.later_s) if outcome.later_s else None]
    cells = [
        machine["cpu"],
        f"{machine['os']}, Python {machine['python']}",
        machine["runtime"],
        f"{measured.model}, {described(measured.options)}",
        f"{bare_ms.median:.2f}",
        f"{overhead.median:.2f} ({overhead.p99:.2f})",
        f"{rate_ratio(outcome.turns, measured.bare.turns):.1%}",
        f"{outcome.memory.resident_mb:.0f}",
        " / ".join("?" if each is None else f"{each:.2f}" for each in starts),
        _chip(chip),
    ]
    return f"| {' | '.join(cells)} |"


def _chip(chip: Chip) -> str:
    degrees, throttling = chip.temperature_c(), chip.throttling()
    told = [] if degrees is None else [f"{degrees:.0f} °C"]
    if throttling is not None:
        told.append(", ".join(throttling.since_boot) or "never throttled")
    return "; ".join(told) or "unknown"
