"""What is there: it has come when it was seen for some frames, and has gone after some without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from ..records.frames import Box


class Who(msgspec.Struct, frozen=True):
    """A track, or where there is none all of a label together; ``zone`` None: in the frame."""

    label: str
    track: int | None
    zone: str | None


class Seen(msgspec.Struct, frozen=True):
    """In one frame. ``score`` and ``box`` are None of what has none."""

    score: float | None
    box: Box | None


class Stay(msgspec.Struct):
    """From ``started_ns`` on, when it was first seen, to ``seen_ns``, when it was last.

    ``score`` is the best so far, ``box`` the last. ``here``: it was seen often enough to count.
    ``id`` names its event, None: nobody was told of it; ``told_ns``: until when.
    """

    who: Who
    score: float | None
    box: Box | None
    started_ns: int
    seen_ns: int
    frames: int = 1
    missed: int = 0
    here: bool = False
    id: str | None = None
    told_ns: int = 0


class Changes(msgspec.Struct, frozen=True):
    """What one frame came to."""

    began: tuple[Stay, ...]
    goes_on: tuple[Stay, ...]
    ended: tuple[Stay, ...]


class Stays:
    """``appear``: seen in so many frames one after the other it is there; ``gone``: missed in so
    many it is not.
    """

    def __init__(self, appear: int, gone: int) -> None:
        self._appear = appear
        self._gone = gone
        self._stays: dict[Who, Stay] = {}

    @property
    def here(self) -> Iterator[Stay]:
        return (stay for stay in self._stays.values() if stay.here)

    def take(self, seen: Mapping[Who, Seen], at_ns: int) -> Changes:
        """One frame, of that time."""
        ended = [stay for who, stay in self._stays.items() if who not in seen and self._miss(stay)]
        for stay in ended:
            del self._stays[stay.who]
        began, goes_on = [], []
        for who, what in seen.items():
            stay = self._see(who, what, at_ns)
            if stay.here:
                goes_on.append(stay)
            elif stay.frames >= self._appear:
                stay.here = True
                began.append(stay)
        return Changes(tuple(began), tuple(goes_on), tuple(stay for stay in ended if stay.here))

    def end(self) -> Changes:
        """Nobody looks any more: all that is there has gone when it was last seen."""
        ended = tuple(self.here)
        self._stays.clear()
        return Changes((), (), ended)

    def _miss(self, stay: Stay) -> bool:
        """Whether it has gone."""
        stay.missed += 1
        return not stay.here or stay.missed >= self._gone

    def _see(self, who: Who, what: Seen, at_ns: int) -> Stay:
        stay = self._stays.get(who)
        if stay is None:
            stay = self._stays[who] = Stay(who, what.score, what.box, at_ns, at_ns)
            return stay
        stay.frames += 1
        stay.missed = 0
        stay.seen_ns = at_ns
        stay.box = what.box
        if what.score is not None:
            stay.score = max(what.score, stay.score or 0.0)
        return stay
