"""Hand-offs between threads: bounded, with a named policy, and counting what they drop.

LatestSlot      one place; a newer item overwrites the waiting one (live sources)
BoundedQueue    many places; when full the oldest item makes room (messages, streams of sound)

Both end with ``close()``: a taker first gets what is still there, then ``Closed``. A wait that
runs out gives ``None``: nothing is there *yet*.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The hand-off is closed: nothing more will ever come, or be taken."""


class BoundedQueue(Generic[T]):
    """At most ``capacity`` items between threads, in their order.

    ``put`` never waits: when it is full the oldest item is dropped. ``put_wait`` waits until there
    is room. ``dropped`` counts items that nobody took, each for as much as ``weigh`` says.
    """

    def __init__(self, capacity: int, weigh: Callable[[T], int] = lambda item: 1) -> None:
        self._lock = threading.Lock()  # guards all below
        self._filled = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._givers = 0  # who wait until there is room
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._weigh = weigh
        self._closed = False
        self._since_ns = 0  # when it was empty last
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item, never waiting. Raises Closed."""
        with self._lock:
            if self._closed:
                raise Closed
            if not self._items:
                self._since_ns = time.monotonic_ns()
            while len(self._items) >= self._capacity:
                self.dropped += self._weigh(self._items.popleft())
            self._items.append(item)
            self._filled.notify_all()

    def put_wait(self, item: T) -> None:
        """Add an item once there is room; drops nothing. Raises Closed."""
        with self._lock:
            self._givers += 1
            while len(self._items) >= self._capacity and not self._closed:
                self._emptied.wait()
            self._givers -= 1
            if self._closed:
                raise Closed
            if not self._items:
                self._since_ns = time.monotonic_ns()
            self._items.append(item)
            self._filled.notify_all()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The oldest item, or None when none came in time. Raises Closed at the end."""
        with self._lock:
            if not self._items and not self._closed:
                self._filled.wait_for(lambda: self._items or self._closed, timeout_s)
            if self._items:
                item = self._items.popleft()
                self._emptied.notify_all()
                return item
            if self._closed:
                raise Closed
            return None

    def close(self) -> None:
        """Refuse new items, and let givers go; what is still there can be taken."""
        with self._lock:
            self._closed = True
            self._filled.notify_all()
            self._emptied.notify_all()


class LatestSlot(BoundedQueue[T]):
    """One place between one giver and one taker: a newer item replaces the one that waits.

    A stream, whose every item counts, may be given more places (``hold``).
    """

    def __init__(self, weigh: Callable[[T], int] = lambda item: 1) -> None:
        super().__init__(capacity=1, weigh=weigh)

    def wait(self) -> int:
        """Until an item is there, which stays there; since when one has been, in ns of the
        monotonic clock, be it this one or one that it has replaced. Raises Closed at the end.
        """
        with self._lock:
            while not self._items:
                if self._closed:
                    raise Closed
                self._filled.wait()
            return self._since_ns

    def grab(self) -> T | None:
        """What is there just now. Who waits to give the next one sleeps until ``let_give``."""
        with self._lock:
            return self._items.popleft() if self._items else None

    def let_give(self) -> None:
        """Wake who waits until there is room."""
        if self._givers:
            with self._lock:
                self._emptied.notify_all()

    def hold(self, capacity: int) -> None:
        """Let so many items wait from the next one on; from any thread."""
        self._capacity = capacity
