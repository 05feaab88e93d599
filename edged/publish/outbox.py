"""What waits for the broker, and what the broker has not acknowledged yet.

Results are a queue: sent in order, let go when they are acknowledged. Those that wait for long are
written to the spool, and come back from there; where there is none they wait in memory, and the
oldest are dropped and counted when too many do. All other records are state: of one topic only the
newest counts, and it is never spooled.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, islice

from ..handoff import Closed
from ..records.health import SpoolMetrics
from ..records.published import Queued, Record
from . import Stored
from .backlog import Backlog, Turns
from .waiting import Parcel, Place, State, Waiting, Wanted


class Outbox:
    """Any thread may put and wait; only the sending thread takes, settles and rewinds; only the
    spooling thread calls what stands under its name. ``rows_wanted`` is set for it.
    """

    def __init__(self, capacity: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self.rows_wanted = threading.Event()
        self._lock = threading.Lock()  # guards all below
        self._changed = threading.Condition(self._lock)
        self._now_s = now_s
        self._capacity = capacity
        self._results: deque[Waiting] = deque()  # in memory, in the order of handing over
        self._backlog = Backlog()
        self._turns = Turns()
        self._state = State()
        self._sent: dict[int, Parcel] = {}  # in the order of sending
        self._taken = 0
        self._handed = 0
        self._dropped = 0
        self._refused = 0
        self._overflowed = False
        self._rows_asked = False
        self._closed = False

    def put(self, topic: str, record: Record) -> bool:
        """Take a record in, never waiting. Raises Closed.

        True: the memory has just run full, and the oldest results make room from now on.
        """
        with self._lock:
            if self._closed:
                raise Closed
            if not isinstance(record, Queued):
                self._state.put(topic, record)
                return False
            return self._queue(topic, record)

    def put_stored(self, stored: Stored) -> None:
        """Take in what a run before has kept, as ``put``. Raises Closed."""
        with self._lock:
            if self._closed:
                raise Closed
            self._queue(stored.pipeline, stored)

    def _queue(self, topic: str, content: Queued | Stored) -> bool:
        self._handed += 1
        self._results.append(Waiting(topic, content, self._now_s()))
        if len(self._results) <= self._capacity:
            self._overflowed = self._overflowed and len(self._results) > self._capacity // 2
            return False
        self._results.popleft().place = Place.GONE
        self._dropped += 1
        before, self._overflowed = self._overflowed, True
        return not before

    def close(self) -> None:
        """Refuse new records; what is still there can be taken."""
        with self._lock:
            self._closed = True

    # ---- the sending thread ----------------------------------------------------------------------

    def take(self) -> Parcel | None:
        """What is to be sent next, state before results, or None when nothing may be sent yet."""
        with self._lock:
            if self._state.waiting:
                return self._parcel(*self._state.waiting.popitem(last=False), None)
            waiting = self._next_result()
            if waiting is None:
                return None
            waiting.place = Place.UNDER_WAY
            return self._parcel(waiting.name, waiting.content, waiting)

    def _parcel(self, name: str, content: Record | Stored, waiting: Waiting | None) -> Parcel:
        self._taken += 1
        parcel = self._sent[self._taken] = Parcel(self._taken, name, content, waiting)
        return parcel

    def _next_result(self) -> Waiting | None:
        backlog, results, now_s = self._backlog, self._results, self._now_s()
        if not backlog.left:
            self._turns.no_rows(now_s)
            return results.popleft() if results else None
        row_is_next = self._turns.row_is_next(now_s, bool(backlog.loaded), bool(results))
        if row_is_next is None:
            found = None
        elif row_is_next:
            found = backlog.loaded.popleft()
            backlog.under_way += 1
        else:
            found = results.popleft()
        if backlog.runs_low:
            self._rows_asked = True
            self.rows_wanted.set()
        return found

    def pause_s(self, longest_s: float) -> float:
        """How long there will be nothing to take, if nothing comes."""
        with self._lock:
            return min(longest_s, self._turns.pause_s()) if self._backlog.loaded else longest_s

    def settle(self, number: int, *, refused: bool = False, expired: bool = False) -> Parcel | None:
        """The parcel is acknowledged, or refused for good, or too old; None: there is none of that
        number.
        """
        with self._lock:
            parcel = self._sent.pop(number, None)
            if parcel is not None:
                self._refused += refused
                self._dropped += expired
                if parcel.waiting is not None:
                    parcel.waiting.place = Place.GONE
                    if parcel.waiting.row is not None:
                        self._backlog.settle(parcel.waiting.row)
                self._changed.notify_all()
            return parcel

    def rewind(self) -> None:
        """The connection broke: what was not acknowledged, and all retained state, waits again."""
        with self._lock:
            back: list[Waiting] = []
            state: dict[str, Record] = {}
            for parcel in self._sent.values():
                if parcel.waiting is not None:
                    parcel.waiting.place = Place.WAITING
                    if parcel.waiting.row is None:
                        back.append(parcel.waiting)
                elif not isinstance(parcel.content, Stored):
                    state[parcel.name] = parcel.content
            self._results.extendleft(reversed(back))
            self._state.start_over(state)
            self._sent.clear()
            self._backlog.start_over()
            self._turns.restart()

    # ---- the spooling thread ---------------------------------------------------------------------

    def spool_opening(self) -> None:
        """The spool is about to be opened, at once: what is in it goes first."""
        with self._lock:
            self._backlog.opening = True
            self.rows_wanted.set()

    def spool_opened(self, rows: int) -> None:
        """There are so many rows in it, those that only have to be deleted included."""
        with self._lock:
            backlog = self._backlog
            count = rows - len(backlog.done)
            self._handed += count - backlog.count
            under_way = backlog.under_way
            backlog.start_over()
            backlog.count, backlog.under_way = count, under_way
            backlog.opening, backlog.available = False, True

    def spool_away(self) -> None:
        """The rows cannot be read for now."""
        with self._lock:
            self._backlog.opening = self._backlog.available = False
            self._changed.notify_all()

    def spool_lost(self) -> int:
        """The rows are lost, but for those in memory, which go on there; how many."""
        with self._lock:
            backlog = self._backlog
            lost = max(0, backlog.count - backlog.under_way - len(backlog.loaded))
            self._dropped += lost
            for waiting in chain(self._under_way(), backlog.loaded):
                waiting.row = None
            self._results.extendleft(reversed(backlog.loaded))
            self._backlog = Backlog()
            self._backlog.generation = backlog.generation + 1
            self._changed.notify_all()
            return lost

    def wanted(self) -> Wanted | None:
        """Which rows are to be read now; none while there is nobody to send them to."""
        with self._lock:
            self.rows_wanted.clear()
            asked, self._rows_asked = self._rows_asked, False
            if not asked or not self._backlog.runs_low:
                return None
            return Wanted(self._backlog.generation, self._backlog.cursor)

    def load(self, wanted: Wanted, rows: Sequence[tuple[int, Stored]]) -> None:
        """The rows that were wanted, in order; too late if the connection broke meanwhile."""
        with self._lock:
            if wanted.generation == self._backlog.generation:
                under_way = {each.row for each in self._under_way() if each.row is not None}
                self._backlog.load(rows, under_way, self._now_s())
                self._changed.notify_all()

    def due(self, after_s: float, most: int) -> list[Waiting]:
        """All results that are nowhere but in memory, the oldest first, as soon as one of them has
        waited for ``after_s``.
        """
        with self._lock:
            only_here = (each for each in self._under_way() if each.row is None)
            found = list(islice(chain(only_here, self._results), most))
            if found and self._now_s() - found[0].since_s >= after_s:
                return found
            return []

    def done(self) -> frozenset[int]:
        """The rows that are to be deleted."""
        with self._lock:
            return frozenset(self._backlog.done)

    def cursor(self) -> int:
        """Rows up to here are in memory, or were."""
        with self._lock:
            return self._backlog.cursor

    def written(
        self, rows: Sequence[tuple[Waiting, int]], deleted: frozenset[int], dropped: int
    ) -> None:
        """These results were written as these rows; others deleted, or dropped for the bounds."""
        with self._lock:
            backlog = self._backlog
            backlog.done -= deleted
            backlog.count -= dropped
            self._dropped += dropped
            for waiting, row in rows:
                if waiting.place is Place.GONE:
                    backlog.done.add(row)
                    continue
                waiting.row = row
                backlog.count += 1
                backlog.under_way += waiting.place is Place.UNDER_WAY
            # What was written was the oldest.
            while self._results and self._results[0].row is not None:
                self._results.popleft()
            self._changed.notify_all()

    def give_up(self, waiting: Waiting, *, expired: bool) -> None:
        """A result that must not leave, or is too old: it need not wait."""
        with self._lock:
            if waiting.place is Place.WAITING:
                self._results.remove(waiting)
                waiting.place = Place.GONE
                self._refused += not expired
                self._dropped += expired
                self._changed.notify_all()

    # ---- from any thread -------------------------------------------------------------------------

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until as many as were put in so far are acknowledged, or dropped and counted."""
        with self._lock:
            target = self._handed
            return self._changed.wait_for(
                lambda: self._handed - self._depth() >= target and not self._state_left(),
                timeout_s,
            )

    def kept_before_s(self) -> float:
        """All that was handed over before this time of the clock outlasts a kill, or need not."""
        with self._lock:
            only_here = (each for each in self._under_way() if each.row is None)
            oldest = next(chain(only_here, self._results), None)
            return self._now_s() if oldest is None else oldest.since_s

    def empty(self) -> bool:
        """Whether nothing waits and nothing is unacknowledged."""
        with self._lock:
            return self._depth() == 0 and not self._state_left()

    def metrics(self) -> SpoolMetrics:
        """What only the outbox knows of it."""
        with self._lock:
            depth = self._depth()
            in_memory = depth - self._backlog.count
            return SpoolMetrics(depth, self._dropped, self._refused, in_memory)

    def _under_way(self) -> list[Waiting]:
        return [each.waiting for each in self._sent.values() if each.waiting is not None]

    def _depth(self) -> int:
        only_here = sum(waiting.row is None for waiting in self._under_way())
        return len(self._results) + self._backlog.count + only_here

    def _state_left(self) -> bool:
        return bool(self._state.waiting) or any(
            parcel.waiting is None for parcel in self._sent.values()
        )
