"""The interpreters of one model, which pipelines that serve it share.

An interpreter costs memory (its arena, and its weights as XNNPACK packs them), and none of the
runtimes shares that between interpreters. So one serves as many pipelines as it can: it is lent
for one step at a time. Another is loaded when steps wait for one for half of the time: cameras
whose frames come at the same moment wait for one inference and lose nothing by it, but pipelines
that could keep two cores busy do. As a step that waits has its slot already, there are never more
than steps that run at the same time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..errors import EdgedError
from ..log_fields import Event, about
from .interpreter import Engine

log = logging.getLogger("edged.engine")

# So long may steps wait for an interpreter, in all, within the time after it; then one is added.
MOST_WAITED_S = 1.0
_WITHIN_S = 2.0


class Engines:
    """``borrow`` and ``give_back`` may be called from any thread.

    One that hangs is not given back, and one that failed not lent again where there is another:
    those who wait get a new one.
    """

    def __init__(
        self,
        first: Engine,
        another: Callable[[], Engine] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``another`` loads one more like ``first``; None: there is one, and one thread uses it."""
        self.inputs = first.inputs
        self.outputs = first.shaped_outputs()
        self.shared = another is not None
        self._another = another
        self._now_s = now_s
        self._lock = threading.Lock()  # guards all below
        self._changed = threading.Condition(self._lock)
        self._waiters = 0
        self._free = [first]
        self._count = 1
        self._loading = False
        self._since_s, self._waited_s = 0.0, 0.0

    def borrow(self) -> Engine:
        """One for a step, as soon as one is free."""
        with self._lock:
            if not self._free:
                self._wait()
            return self._free.pop()

    def give_back(self, engine: Engine) -> None:
        with self._lock:
            if engine.failed and self._count > 1:
                self._count -= 1
                return
            self._free.append(engine)
            if self._waiters:
                self._changed.notify()
            if engine.failed:
                self._waited(MOST_WAITED_S)
                self._load_another()

    def _wait(self) -> None:
        began_s = self._now_s()
        left_s = MOST_WAITED_S - self._waited(0.0)
        self._waiters += 1
        while not self._changed.wait_for(lambda: self._free, max(0.0, left_s)):
            self._load_another()
            left_s = _WITHIN_S
        self._waiters -= 1
        self._waited(self._now_s() - began_s)

    def _waited(self, seconds: float) -> float:
        """Count them; how many there were lately."""
        now_s = self._now_s()
        if now_s - self._since_s > _WITHIN_S:
            self._since_s, self._waited_s = now_s, 0.0
        self._waited_s += seconds
        return self._waited_s

    def _load_another(self) -> None:
        """Beside the work: in a thread of its own, for loading takes longer than many steps."""
        if self._another is not None and not self._loading:
            self._loading = True
            threading.Thread(target=self._load, args=[self._another], daemon=True).start()

    def _load(self, another: Callable[[], Engine]) -> None:
        loaded: list[Engine] = []
        try:
            loaded.append(another())
        except EdgedError as error:
            log.warning("no further interpreter: %s", error, extra=about(Event.MODEL))
        with self._lock:
            self._loading, self._waited_s = False, 0.0
            self._count += len(loaded)
            self._free += loaded
            self._changed.notify(len(loaded))
