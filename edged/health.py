"""The state of one pipeline, published and logged when it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from .log_fields import Event, about
from .records.health import Health, HealthState

log = logging.getLogger("edged.health")

Shown = tuple[HealthState, str | None]


class HealthLamp:
    """Any thread may report; what it comes to is told when it is another than before.

    The causes are kept apart: one that mends must not hide another. A lost source goes before
    what is wrong with the inference, of which all is told. A pipeline that sleeps is well: it is
    told as running, with what it waits for as the reason.
    """

    def __init__(self, pipeline: str, publish: Callable[[Health], None]) -> None:
        self._pipeline = pipeline
        self._publish = publish
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._fault: str | None = None
        self._hung: str | None = None
        self._slowed: str | None = None
        self._asleep: str | None = None
        self.shown: Shown | None = None
        """What was told last; None: nothing yet."""

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

    def hung(self, reason: str | None) -> None:
        """That an inference does not come back; None: it did."""
        with self._lock:
            if reason != self._hung:
                self._hung = reason
                self._show_if_running()

    def slowed(self, reason: str | None) -> None:
        """Why fewer frames are taken than there could be; None: all are."""
        with self._lock:
            if reason != self._slowed:
                self._slowed = reason
                self._show_if_running()

    def asleep(self, reason: str | None) -> None:
        """That the source is closed, as it should be, and until when; None: it is wanted."""
        with self._lock:
            self._asleep = reason
            self._show_running()

    def stopped(self, reason: str, *, expected: bool) -> None:
        """Nothing runs. ``expected``: nothing is wrong, although there is a reason to tell."""
        with self._lock:
            self._show(HealthState.STOPPED, reason, logging.INFO if expected else logging.WARNING)

    def _show_if_running(self) -> None:
        """Not for a pipeline that has not begun, or has stopped."""
        if self.shown is not None and self.shown[0] is not HealthState.STOPPED:
            self._show_running()

    def _show_running(self) -> None:
        fault = f"inference fails: {self._fault}" if self._fault is not None else None
        wrong = [reason for reason in (self._hung, fault, self._slowed) if reason is not None]
        if self._lost is not None:
            self._show(HealthState.SOURCE_LOST, self._lost, logging.WARNING)
        elif wrong:
            self._show(HealthState.DEGRADED, "; ".join(wrong), logging.WARNING)
        else:
            self._show(HealthState.RUNNING, self._asleep, logging.INFO)

    def _show(self, state: HealthState, reason: str | None, level: int) -> None:
        """With the lock held, so that two changes are published in their order."""
        if self.shown == (state, reason):
            return
        self.shown = (state, reason)
        self._publish(Health(self._pipeline, state, reason, time.monotonic_ns()))
        text = f"{state.value}: {reason}" if reason else state.value
        fields = about(Event.HEALTH, self._pipeline)
        log.log(level, "pipeline %s: %s", self._pipeline, text, extra=fields)
