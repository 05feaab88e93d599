"""What waits for the broker, and what the broker has not acknowledged yet.

Results are a queue: sent in order, let go when they are acknowledged, the oldest dropped and
counted when too many wait. All other records are state: of one topic only the newest counts.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from ..handoff import BoundedQueue, Closed
from ..records import Record, Result, SpoolMetrics
from .messages import is_retained


@dataclass(frozen=True, slots=True)
class Parcel:
    """A record under way. ``number`` names it until it is settled; sent again it has another."""

    number: int
    topic: str
    record: Record


class Outbox:
    """Any thread may put and wait; only the sending thread takes, settles and rewinds."""

    def __init__(self, capacity: int) -> None:
        self._changed = threading.Condition()
        self._results: BoundedQueue[tuple[str, Result]] = BoundedQueue(capacity)
        self._again: deque[tuple[str, Result]] = deque()  # older than all of _results
        self._state: dict[str, Record] = {}  # by topic: still to be sent
        self._retained: dict[str, Record] = {}  # by topic: what the broker ought to hold
        self._sent: dict[int, Parcel] = {}  # in the order of sending
        self._taken = 0
        self._handed = 0
        self._refused = 0
        self._closed = False

    def put(self, topic: str, record: Record) -> None:
        """Take a record in, never waiting. Raises Closed."""
        with self._changed:
            if self._closed:
                raise Closed
            if isinstance(record, Result):
                self._results.put((topic, record))
                self._handed += 1
                return
            self._state[topic] = record
            if is_retained(record):
                self._retained[topic] = record

    def close(self) -> None:
        """Refuse new records; what is still there can be taken."""
        with self._changed:
            self._closed = True

    def take(self) -> Parcel | None:
        """What is to be sent next, state before results, or None when nothing waits."""
        with self._changed:
            if self._state:
                topic = next(iter(self._state))
                record = self._state.pop(topic)
            elif self._again:
                topic, record = self._again.popleft()
            elif waiting := self._results.take(timeout_s=0):
                topic, record = waiting
            else:
                return None
            self._taken += 1
            parcel = self._sent[self._taken] = Parcel(self._taken, topic, record)
            return parcel

    def settle(self, number: int, *, refused: bool) -> Parcel | None:
        """The parcel is acknowledged, or refused for good; None: there is none of that number."""
        with self._changed:
            parcel = self._sent.pop(number, None)
            if parcel is not None:
                self._refused += refused
                self._changed.notify_all()
            return parcel

    def rewind(self) -> None:
        """The connection broke: what was not acknowledged, and all retained state, waits again."""
        with self._changed:
            sent = self._sent.values()
            self._again.extendleft(
                (parcel.topic, parcel.record)
                for parcel in reversed(sent)
                if isinstance(parcel.record, Result)
            )
            state = {
                parcel.topic: parcel.record
                for parcel in sent
                if not isinstance(parcel.record, Result)
            }
            self._state = state | self._retained | self._state
            self._sent.clear()

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until all that was put in so far is acknowledged, or was dropped and counted."""
        with self._changed:
            target = self._handed
            return self._changed.wait_for(
                lambda: self._handed - self._depth() >= target and not self._state_left(),
                timeout_s,
            )

    def empty(self) -> bool:
        """Whether nothing waits and nothing is unacknowledged."""
        with self._changed:
            return self._depth() == 0 and not self._state_left()

    def metrics(self) -> SpoolMetrics:
        """``dropped``: by the queue's bound, and by the broker or the limits of a message."""
        with self._changed:
            return SpoolMetrics(self._depth(), self._results.dropped + self._refused)

    def _depth(self) -> int:
        sent = sum(isinstance(parcel.record, Result) for parcel in self._sent.values())
        return len(self._results) + len(self._again) + sent

    def _state_left(self) -> bool:
        return bool(self._state) or any(
            not isinstance(parcel.record, Result) for parcel in self._sent.values()
        )
