"""The state of one pipeline, published and logged when it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .records import Health, HealthState

log = logging.getLogger("edged.health")


class HealthLamp:
    """Any thread may set it; what is the same as before is not told again."""

    def __init__(self, pipeline: str, publish: Callable[[Health], None]) -> None:
        self._pipeline = pipeline
        self._publish = publish
        self._lock = threading.Lock()
        self._shown: tuple[HealthState, str | None] | None = None

    @property
    def state(self) -> HealthState | None:
        """None before anything is known."""
        with self._lock:
            return self._shown[0] if self._shown else None

    def set(self, state: HealthState, reason: str | None = None, *, expected: bool = False) -> None:
        """Show a state. ``expected``: nothing is wrong, although there is a reason to tell."""
        with self._lock:
            if self._shown == (state, reason):
                return
            self._shown = (state, reason)
            # Within the lock, so that two changes are published in their order.
            self._publish(Health(self._pipeline, state, reason, time.monotonic_ns()))
        level = logging.INFO if expected or reason is None else logging.WARNING
        text = f"{state.value}: {reason}" if reason else state.value
        log.log(level, "pipeline %s: %s", self._pipeline, text)
