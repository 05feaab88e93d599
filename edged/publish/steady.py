"""State that changes faster than anyone can use it: of one topic so many messages an hour, no more.

A lamp that flickers with every frame, and tells another reason each time, would else be a stream
of text at the camera's rate, and nothing in the configuration would bound it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from ..records.published import Record

BURST = 100
PER_S = 1.0


class _Bucket(msgspec.Struct):
    """What a topic may still send at ``at_s``."""

    tokens: float
    at_s: float


class Steady:
    """Hands records on to ``put`` as they come, while a topic has had fewer than ``BURST`` at once
    and ``PER_S`` a second since. What is too early waits, and of one topic only the newest does.

    Its methods may be called from any thread; ``put`` is called with its lock held, so that an
    older record never comes after a newer one.
    """

    def __init__(
        self, put: Callable[[str, Record], object], now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._put = put
        self._now_s = now_s
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}
        self._waiting: dict[str, Record] = {}
        self._open = False

    def put(self, topic: str, record: Record) -> None:
        """Hand it on, or keep it for ``release``. Raises what ``put`` does."""
        with self._lock:
            if self._open or (topic not in self._waiting and self._may_go(topic)):
                self._put(topic, record)
            else:
                self._waiting[topic] = record

    def release(self) -> None:
        """Hand on what may go by now; to be called now and then."""
        with self._lock:
            for topic in [topic for topic in self._waiting if self._may_go(topic)]:
                self._put(topic, self._waiting.pop(topic))

    def open(self) -> None:
        """Hand everything on from now on: the end is near, and the last state is to be told."""
        with self._lock:
            self._open = True
            for topic, record in self._waiting.items():
                self._put(topic, record)
            self._waiting.clear()

    def _may_go(self, topic: str) -> bool:
        now_s = self._now_s()
        bucket = self._buckets.setdefault(topic, _Bucket(BURST, now_s))
        bucket.tokens = min(BURST, bucket.tokens + (now_s - bucket.at_s) * PER_S)
        bucket.at_s = now_s
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True
