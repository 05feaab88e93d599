"""Who may use the cores: one pool of slots, as many as there are cores, for all pipelines.

A step of a pipeline (preprocess, invoke, decode, publish) takes a slot for each thread of its
interpreter, so that there are never more threads at work than cores. Who waits is served in the
order of who has had a frame for the longest time, counted from the end of its own step before: a
fast source, whose frame is always there, comes no sooner and no later than a slow one. Nobody is
overtaken, also one that needs several slots. But:

- What is brief and seldom (a wake word's model takes 0.1 ms of 30) would wait a hundred times as
  long as it works. One such step at a time goes without a slot, for a tenth of the time at most.
- A step that hangs, or takes far longer than it used to, keeps its slot only for so long; then the
  slot is lent to others until the step ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LEND_AFTER_NS = 1_000_000_000
"""At least; or ten times what the pipeline's steps usually take."""
_USUAL_TIMES = 10
_LOOK_S = 0.25  # how often those who wait look for what can be lent
_SMOOTHED_OVER = 8
_BRIEF_NS = 5_000_000
_SELDOM = 10
_MOST_SAVED_NS = 100_000_000


class Slots:
    """``count`` slots. Each pipeline has a ``turn`` of its own."""

    def __init__(self, count: int, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.count = count
        self.lock = threading.Lock()
        self.now_ns = now_ns
        # All below with the lock held.
        self._free = count
        self._held: dict[Turn, int] = {}  # how many; 0: it goes without one
        self._waiting: list[Turn] = []
        self._without = _Allowance()

    def turn(self, threads: int) -> Turn:
        """For a pipeline whose interpreter has so many threads."""
        return Turn(self, min(threads, self.count))

    def give(self, turn: Turn) -> bool:
        """Let it begin at once, where nobody waits and its slots are free; whether it may."""
        if self._waiting or turn.slots > self._free:
            return False
        self._begin(turn, turn.slots)
        return True

    def ask(self, turn: Turn) -> None:
        """Let it begin when its time has come, perhaps at once."""
        self._waiting.append(turn)
        self._serve()

    def lend(self) -> None:
        """Take back the slots of steps that have held them for far too long."""
        now_ns = self.now_ns()
        for turn in [each for each in self._held if each.is_overdue(now_ns)]:
            self._free += self._held.pop(turn)
        self._serve()

    def take_back(self, turn: Turn, took_ns: int) -> None:
        """From a step that has ended; nothing where its slots were lent out."""
        slots = self._held.pop(turn, 0)
        self._free += slots
        if not slots:
            self._without.spend(took_ns, self.now_ns())
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        while self._waiting:
            turn = min(self._waiting, key=lambda each: each.since_ns)
            if turn.slots <= self._free:
                self._call(turn, turn.slots)
                continue
            turn = max(self._waiting, key=lambda each: each.brief_ns and each.spare_ns)
            if not turn.brief_ns or 0 in self._held.values():
                return
            if self._without.left(self.now_ns()) < turn.brief_ns:
                return
            self._call(turn, 0)

    def _call(self, turn: Turn, slots: int) -> None:
        self._waiting.remove(turn)
        self._begin(turn, slots)
        turn.go.release()

    def _begin(self, turn: Turn, slots: int) -> None:
        self._free -= slots
        self._held[turn] = slots
        turn.began_ns = self.now_ns()


class Turn:
    """One pipeline's use of the slots, step after step. One thread uses ``begin`` and ``end``; all
    else is for ``Slots``, with its lock held.
    """

    def __init__(self, pool: Slots, slots: int) -> None:
        self.slots = slots
        self.since_ns = 0
        """Since when it has had a frame and nothing else to do."""
        self.brief_ns = 0
        """What its step takes where that is brief and seldom, else 0."""
        self.spare_ns = 0
        """For how long it could work and yet be one that works seldom."""
        self.began_ns = 0
        self.go = threading.Lock()
        """Is released when it may begin, where it had to wait."""
        self.go.acquire()
        self._pool = pool
        self._ended_ns = 0
        self._usual_ns = 0  # what a step takes, smoothed
        self._seldom = _Allowance()

    def begin(self, since_ns: int, before_waiting: Callable[[], None] = lambda: None) -> None:
        """Wait for the slots of one step. ``since_ns``: since when there has been a frame."""
        pool = self._pool
        with pool.lock:
            if pool.give(self):
                return
            self.since_ns = max(since_ns, self._ended_ns)
            usual_ns, self.spare_ns = self._usual_ns, self._seldom.left(pool.now_ns())
            brief = self.slots == 1 and usual_ns <= min(_BRIEF_NS, self.spare_ns)
            self.brief_ns = usual_ns if brief else 0
            pool.ask(self)
        if self.go.acquire(blocking=False):
            return
        before_waiting()
        while not self.go.acquire(timeout=_LOOK_S):
            with pool.lock:
                pool.lend()

    def end(self) -> None:
        """The step is over."""
        pool = self._pool
        with pool.lock:
            self._ended_ns = pool.now_ns()
            # What took far too long does not become usual at once.
            took_ns = min(self._ended_ns - self.began_ns, self._limit_ns)
            self._seldom.spend(took_ns, self._ended_ns)
            share = _SMOOTHED_OVER if self._usual_ns else 1
            self._usual_ns += (took_ns - self._usual_ns) // share
            pool.take_back(self, took_ns)

    @property
    def _limit_ns(self) -> int:
        return max(LEND_AFTER_NS, _USUAL_TIMES * self._usual_ns)

    def is_overdue(self, now_ns: int) -> bool:
        return now_ns - self.began_ns > self._limit_ns


class _Allowance:
    """A tenth of the time. What is not spent is saved, up to a bound."""

    def __init__(self) -> None:
        self._saved_ns = self._at_ns = 0

    def left(self, now_ns: int) -> int:
        self._saved_ns += (now_ns - self._at_ns) // _SELDOM
        self._saved_ns = min(self._saved_ns, _MOST_SAVED_NS)
        self._at_ns = now_ns
        return self._saved_ns

    def spend(self, ns: int, now_ns: int) -> None:
        self._saved_ns = max(0, self.left(now_ns) - ns)
