"""What the outbox knows of the rows in the spool, and when it is their turn.

Pure bookkeeping, without a lock: the outbox holds its own around every call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from . import Stored
from .waiting import Waiting

ROWS_PER_S = 200.0  # rows sent in a second, at most
PATIENCE_S = 5.0  # how long new results wait for the rows before them
MOST_DONE = 5_000  # rows delivered and not yet deleted: a disk that takes no writes ends delivery
_BURST = 10.0  # rows sent at once after a pause
_LOW = 50  # fewer rows than this in memory: time to read on
_LONGEST_LOOK_S = 1.0


class Turns:
    """Who is next: the spool's rows, at a bounded rate, or what waits in memory.

    While rows wait they go first. Where they have not all gone ``PATIENCE_S`` after they could
    have begun to, they and the new results take turns. Time in which nothing could be sent at all
    does not count: ``next`` is only asked while the broker takes messages.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new connection stands, or the old one broke: the rows come first again."""
        self._asked_s: float | None = None
        self._held_back_s = 0.0
        self._credit = _BURST
        self._row_before = False

    def row_is_next(self, now_s: float, row_ready: bool, new_ready: bool) -> bool | None:
        """True: a row; False: a new result; None: nothing yet. Asked while there are rows."""
        since_s = 0.0 if self._asked_s is None else now_s - self._asked_s
        self._asked_s = now_s
        self._held_back_s += min(since_s, _LONGEST_LOOK_S)
        self._credit = min(_BURST, self._credit + since_s * ROWS_PER_S)
        row = row_ready and self._credit >= 1
        new = new_ready and self._held_back_s > PATIENCE_S
        if row and not (new and self._row_before):
            self._credit -= 1
            self._row_before = True
            return True
        self._row_before = False
        return False if new else None

    def no_rows(self, now_s: float) -> None:
        """There are no rows: the next ones have all their patience before them."""
        self._asked_s = now_s
        self._held_back_s = 0.0

    def pause_s(self) -> float:
        """Until the next row may go."""
        return max(0.0, 1 - self._credit) / ROWS_PER_S


class Backlog:
    """The rows: how many there are, the few that are in memory, and those to be deleted."""

    def __init__(self) -> None:
        self.opening = False
        self.available = False  # whether rows can be read
        self.count = 0  # in the spool and not settled, those under way included
        self.under_way = 0
        self.loaded: deque[Waiting] = deque()
        self.done: set[int] = set()  # settled and still in the spool
        self.cursor = 0  # rows up to here were loaded
        self.generation = 0  # what was read for an older one comes too late

    @property
    def left(self) -> bool:
        """Whether there are rows to be sent, or may be: nobody knows while the file is opened."""
        if self.available:
            return self.count > self.under_way
        return self.opening or bool(self.loaded)

    @property
    def runs_low(self) -> bool:
        """Whether more rows should be read."""
        on_disk_only = self.count - self.under_way - len(self.loaded)
        few = len(self.loaded) < _LOW and len(self.done) < MOST_DONE
        return self.available and few and on_disk_only > 0

    def start_over(self) -> None:
        """The connection broke: rows are read again from the oldest on."""
        self.loaded.clear()
        self.under_way = 0
        self.cursor = 0
        self.generation += 1

    def load(self, rows: Iterable[tuple[int, Stored]], under_way: set[int], now_s: float) -> None:
        """Rows in their order; those that are under way or settled already are left out."""
        last = self.cursor
        for last, stored in rows:
            if last not in self.done and last not in under_way:
                self.loaded.append(Waiting(stored.pipeline, stored, now_s, row=last))
        if last == self.cursor:  # the file holds fewer than were counted
            self.count = self.under_way + len(self.loaded)
        self.cursor = last

    def settle(self, row: int) -> None:
        """A row that was under way needs no delivery any more."""
        self.count -= 1
        self.under_way -= 1
        self.done.add(row)
