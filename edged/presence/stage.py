"""A pipeline's stage that makes events and counts of what is found in its frames."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from ..minimise import Minimiser
from ..records.happenings import Counts, EventType, Happening, LineCounts, ZoneCounts
from ..records.published import Record
from ..records.results import Detection, Finding, Findings, Value, labels_of, score_of
from .areas import Crossings, Line, Zone, Zones
from .stays import Changes, Seen, Stay, Stays, Who

LOST_AFTER_S = 30.0
NS_PER_S = 1e9


class Rules(msgspec.Struct, frozen=True):
    """``appear`` and ``gone`` as of ``Stays``. An event is told again every ``update_s`` while it
    lasts. ``per_minute``: so many may begin or be told again. ``tells_events`` False: counts alone.
    ``by_track``: each object by itself, with its number; else all of a label together.
    """

    zones: tuple[Zone, ...]
    lines: tuple[Line, ...]
    appear: int
    gone: int
    update_s: float
    per_minute: int
    by_track: bool
    tells_events: bool
    minimiser: Minimiser


class Presence:
    """``take`` is called from the pipeline's thread, the rest from any; ``publish`` is called with
    a lock held, and must only hand on.
    """

    def __init__(
        self,
        pipeline: str,
        rules: Rules,
        publish: Callable[[Record], None],
    ) -> None:
        self._pipeline = pipeline
        self._rules = rules
        self._publish = publish
        self._lock = threading.Lock()
        self._stays = Stays(rules.appear, rules.gone)
        self._groups = Stays(1, 1)  # of what there is enough of to be told
        self._zones = Zones(rules.zones)
        self._crossings = [Crossings(line) for line in rules.lines]
        self._entered: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._found: Counter[str] = Counter()  # in the frame, where nothing has a track
        self._same = 0  # for so many frames before
        self._counts: Counts | None = None
        self._credit, self._credit_ns = float(rules.per_minute), 0
        self._well_ns: int | None = None

    def take(self, findings: Findings, at_ns: int) -> None:
        """What the filter left of a frame's findings, ``at_ns``: its capture."""
        found = [each for each in findings if isinstance(each, Detection)]
        with self._lock:
            crossed = [each for each in self._crossings if each.take(found)]
            changes = self._stays.take(self._seen(findings, found), at_ns)
            self._note(changes, at_ns)
            if not self._rules.by_track:
                self._count(findings)
            elif self._counts and not (crossed or changes.began or changes.ended):
                return  # the counts are what they were
            self._tell_counts(at_ns)

    def check(self, looks: bool, now_ns: int) -> None:
        """``looks``: frames come, or would. Where they do not for long all has gone."""
        with self._lock:
            if looks or self._well_ns is None:
                self._well_ns = now_ns
            lost = now_ns - self._well_ns > LOST_AFTER_S * NS_PER_S
        if lost:
            self.end(now_ns)

    def end(self, at_ns: int) -> None:
        """Nobody looks any more. May be called again, and frames may come after it."""
        with self._lock:
            self._note(self._stays.end(), at_ns)
            self._found.clear()
            for crossings in self._crossings:
                crossings.forget()
            if self._counts is not None:
                self._tell_counts(at_ns)

    # ---- who is where ----------------------------------------------------------------------------

    def _seen(self, findings: Findings, found: Sequence[Detection]) -> dict[Who, Seen]:
        if not self._rules.by_track:
            there = [each for each in findings if not isinstance(each, Value)]
            return {Who(label, None, None): _best(there, label) for label in labels_of(there)}
        tracked = [each for each in found if each.track is not None]
        if not self._rules.zones:
            return {Who(e.label, e.track, None): Seen(e.score, e.box) for e in tracked}
        return {
            Who(each.label, each.track, zone.name): Seen(each.score, each.box)
            for zone, each in self._zones.holding(tracked)
        }

    def _note(self, changes: Changes, at_ns: int) -> None:
        self._entered.update(stay.who.zone for stay in changes.began if stay.who.zone)
        self._left.update(stay.who.zone for stay in changes.ended if stay.who.zone)
        least = self._rules.minimiser.min_count
        if least > 1 and self._rules.by_track:
            here = Counter((stay.who.label, stay.who.zone) for stay in self._stays.here)
            enough = [
                Who(label, None, zone) for (label, zone), count in here.items() if count >= least
            ]
            changes = self._groups.take({who: Seen(None, None) for who in enough}, at_ns)
        if self._rules.tells_events:
            self._tell(changes, at_ns)

    # ---- what is told ----------------------------------------------------------------------------

    def _tell(self, changes: Changes, at_ns: int) -> None:
        for stay in changes.ended:
            if stay.id is not None:
                self._event(stay, EventType.ENDED)
        for stay in changes.began:
            if self._may_tell(at_ns):
                stay.id = secrets.token_hex(8)
                stay.told_ns = at_ns
                self._event(stay, EventType.STARTED)
        for stay in changes.goes_on:
            due = stay.id is not None and at_ns - stay.told_ns >= self._rules.update_s * NS_PER_S
            if due and self._may_tell(at_ns):
                stay.told_ns = at_ns
                self._event(stay, EventType.UPDATED)

    def _may_tell(self, at_ns: int) -> bool:
        most = self._rules.per_minute
        passed_s = max(0, at_ns - self._credit_ns) / NS_PER_S
        self._credit = min(most, self._credit + passed_s * most / 60)
        self._credit_ns = at_ns
        if self._credit < 1:
            return False
        self._credit -= 1
        return True

    def _event(self, stay: Stay, kind: EventType) -> None:
        assert stay.id is not None
        who, box = stay.who, stay.box
        self._publish(
            Happening(
                pipeline=self._pipeline,
                sequence=0,
                id=stay.id,
                type=kind,
                label=who.label,
                score=stay.score,
                track=who.track,
                zone=who.zone,
                box=None if box is None else self._rules.minimiser.box(box),
                started_ns=stay.started_ns,
                seen_ns=stay.seen_ns,
            )
        )

    def _count(self, findings: Findings) -> None:
        """Those of one frame count when the frames after it have as many."""
        there = (labels_of((each,)) for each in findings if not isinstance(each, Value))
        found = Counter(label for labels in there for label in labels)
        self._same = self._same + 1 if found == self._found else 1
        self._found = found

    def _tell_counts(self, at_ns: int) -> None:
        here = list(self._stays.here)
        if self._rules.by_track:
            objects = Counter(stay.who.label for stay in {s.who.track: s for s in here}.values())
        elif self._same >= self._rules.appear or not self._found:
            objects = self._found
        else:
            return
        least = self._rules.minimiser.min_count
        zones = {
            zone.name: ZoneCounts(
                _enough(Counter(s.who.label for s in here if s.who.zone == zone.name), least),
                _steps(self._entered[zone.name], least),
                _steps(self._left[zone.name], least),
            )
            for zone in self._rules.zones
        }
        lines = {
            each.line.name: LineCounts(_steps(each.to_left, least), _steps(each.to_right, least))
            for each in self._crossings
        }
        told = Counts(self._pipeline, at_ns, least, _enough(objects, least), zones, lines)
        if self._counts is None or told.said != self._counts.said:
            self._counts = told
            self._publish(told)


def _best(findings: Sequence[Finding], label: str) -> Seen:
    """The best of a label; together they have no box."""
    scores = [score_of(each) for each in findings if label in labels_of((each,))]
    known = [score for score in scores if score is not None]
    return Seen(max(known, default=None), None)


def _enough(found: Counter[str], least: int) -> dict[str, int]:
    return {label: count for label, count in sorted(found.items()) if count >= least}


def _steps(count: int, least: int) -> int:
    """Down to a multiple: one more or less is not told where ``least`` is more than that."""
    return count - count % least
