"""Hand-offs between threads: bounded, with a named policy, and counting what they drop.

LatestSlot      one place; a newer item overwrites the waiting one (live sources)
BoundedQueue    many places; when full the oldest item makes room (messages)

Both end with ``close()``: a taker first gets what is still there, then ``Closed``. A wait that
runs out gives ``None``: nothing is there *yet*.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The hand-off is closed: nothing more will ever come, or be taken."""


class LatestSlot(Generic[T]):
    """One place between one giver and one taker.

    ``put`` never waits and overwrites; ``put_wait`` waits until the place is free. ``dropped``
    counts items that were overwritten before anyone took them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Place the newest item. Raises Closed."""
        with self._changed:
            if self._closed:
                raise Closed
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._changed.notify_all()

    def put_wait(self, item: T) -> None:
        """Place an item once the one before it was taken; drops nothing. Raises Closed."""
        with self._changed:
            while self._item is not None and not self._closed:
                self._changed.wait()
            if self._closed:
                raise Closed
            self._item = item
            self._changed.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The waiting item, or None when none came in time. Raises Closed at the end."""
        with self._changed:
            if self._item is None and not self._closed:
                self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            if item is None and self._closed:
                raise Closed
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let waiting givers and takers go; what is still in the slot can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class BoundedQueue(Generic[T]):
    """A queue of at most ``capacity`` items; when it is full the oldest is dropped and counted."""

    def __init__(self, capacity: int) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item, never waiting. Raises Closed."""
        with self._changed:
            if self._closed:
                raise Closed
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The oldest item, or None when none came in time. Raises Closed at the end."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s)
            if self._items:
                return self._items.popleft()
            if self._closed:
                raise Closed
            return None

    def close(self) -> None:
        """Refuse new items; what is still there can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
