"""The state of one pipeline, published and logged when it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .records import Health, HealthState

log = logging.getLogger("edged.health")


class HealthLamp:
    """Any thread may report; what it comes to is told when it is another than before.

    A lost source and a failing inference are kept apart: one that mends must not hide the other.
    """

    def __init__(self, pipeline: str, publish: Callable[[Health], None]) -> None:
        self._pipeline = pipeline
        self._publish = publish
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._fault: str | None = None
        self._shown: tuple[HealthState, str | None] | None = None

    def source(self, lost: str | None) -> None:
        """Why the source gives no frames; None: it does."""
        with self._lock:
            self._lost = lost
            self._show_running()

    def inference(self, fault: str | None) -> None:
        """Why the model cannot run on the frames; None: it can."""
        with self._lock:
            self._fault = fault
            self._show_running()

    def stopped(self, reason: str, *, expected: bool) -> None:
        """Nothing runs. ``expected``: nothing is wrong, although there is a reason to tell."""
        with self._lock:
            self._show(HealthState.STOPPED, reason, logging.INFO if expected else logging.WARNING)

    def _show_running(self) -> None:
        if self._lost is not None:
            self._show(HealthState.SOURCE_LOST, self._lost, logging.WARNING)
        elif self._fault is not None:
            reason = f"inference fails: {self._fault}"
            self._show(HealthState.DEGRADED, reason, logging.WARNING)
        else:
            self._show(HealthState.RUNNING, None, logging.INFO)

    def _show(self, state: HealthState, reason: str | None, level: int) -> None:
        """With the lock held, so that two changes are published in their order."""
        if self._shown == (state, reason):
            return
        self._shown = (state, reason)
        self._publish(Health(self._pipeline, state, reason, time.monotonic_ns()))
        text = f"{state.value}: {reason}" if reason else state.value
        log.log(level, "pipeline %s: %s", self._pipeline, text)
