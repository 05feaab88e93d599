"""A thread that stands still: where it does is logged, for whoever has to find out why."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable

import msgspec

from .log_fields import Event, about

log = logging.getLogger("edged.standstill")

LONG_S = 120.0


class _Step(msgspec.Struct, frozen=True):
    thread: int
    began_s: float


class Standstill:
    """``begin`` and ``end`` are called by the thread around each of its steps, ``check`` by
    another one, about once a second. A step that takes longer than ``LONG_S`` is logged once, with
    the thread's stack.
    """

    def __init__(self, what: str, event: Event, now_s: Callable[[], float]) -> None:
        """``what``: the thread, in words."""
        self._what = what
        self._event = event
        self._now_s = now_s
        self._step: _Step | None = None
        self._told: _Step | None = None

    def begin(self) -> None:
        self._step = _Step(threading.get_ident(), self._now_s())

    def end(self) -> None:
        self._step = None

    def check(self) -> None:
        step = self._step
        if step is None or step is self._told or self._now_s() - step.began_s < LONG_S:
            return
        frame = sys._current_frames().get(step.thread)
        if frame is None:  # it has died, which is told elsewhere
            return
        self._told = step
        log.warning(
            "%s has been at one step for %g s; this is where it stands:\n%s",
            self._what,
            LONG_S,
            "".join(traceback.format_stack(frame)).rstrip(),
            extra=about(self._event),
        )
