"""Proving that nothing was lost: the numbers of one pipeline's results, by run."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

_MOST_RUNS = 8  # a run that ended may still have results in the spool
_MOST_HOLES = 1000


class Hole(msgspec.Struct, frozen=True):
    """Numbers that did not come, the first and the last. ``unheard``: they went by while the
    subscriber had no connection, and are not counted as missing.
    """

    first: int
    last: int
    unheard: bool = False

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class _Run(msgspec.Struct):
    """``first`` is the first number that came, ``expected`` the one after the highest."""

    first: int
    expected: int
    holes: list[Hole] = msgspec.field(default_factory=list)
    interrupted: bool = False


class Sequences:
    """Counts what is missing and what came twice.

    What came before the first number that was seen is not missing: nobody was listening. Nor is
    what went by while the subscriber itself had no connection (``interrupt``).
    """

    def __init__(self) -> None:
        self.missing = 0
        self.twice = 0
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def interrupt(self) -> None:
        """The subscriber was cut off: the next number of each run may be any."""
        for run in self._runs.values():
            run.interrupted = True

    def take(self, name: str, number: int) -> Hole | None:
        """A result of a run came. Gives what it shows to be missing, if it does."""
        run = self._runs.get(name)
        if run is None:
            self._runs[name] = _Run(first=number, expected=number + 1)
            if len(self._runs) > _MOST_RUNS:
                self._runs.popitem(last=False)
            return None
        unheard, run.interrupted = run.interrupted, False
        if number < run.expected:
            self._take_late(run, number)
            return None
        hole = Hole(run.expected, number - 1, unheard)
        run.expected = number + 1
        if not hole.size:
            return None
        run.holes.append(hole)
        if len(run.holes) > _MOST_HOLES:
            del run.holes[0]  # it stays counted, and is not looked for any more
        if unheard:
            return None
        self.missing += hole.size
        return hole

    def _take_late(self, run: _Run, number: int) -> None:
        for at, hole in enumerate(run.holes):
            if hole.first <= number <= hole.last:
                rest = (
                    Hole(hole.first, number - 1, hole.unheard),
                    Hole(number + 1, hole.last, hole.unheard),
                )
                run.holes[at : at + 1] = [part for part in rest if part.size]
                self.missing -= not hole.unheard
                return
        if number >= run.first:
            self.twice += 1
