"""What a log record is about, as fields beside its text: `EVENT=`, `PIPELINE=` and `MODEL=` in the
journal, where one can ask for them.

    log.warning("pipeline %s: …", name, extra=about(Event.MODEL, name, model))
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable


class Event(enum.StrEnum):
    """Few words, which users may rely on; the README has what each stands for."""

    START = "start"
    STOP = "stop"
    RELOAD = "reload"
    HEALTH = "health"
    MODEL = "model"
    SOURCE = "source"
    INFERENCE = "inference"
    BROKER = "broker"
    REFUSED = "refused"
    SPOOL = "spool"
    COMMAND = "command"
    HOME_ASSISTANT = "home-assistant"
    STORE = "store"
    WATCHDOG = "watchdog"
    GOVERNOR = "governor"


def about(event: Event, pipeline: str | None = None, model: str | None = None) -> dict[str, str]:
    """The ``extra`` of a call of the log."""
    fields = {"event": event.value, "pipeline": pipeline, "model": model}
    return {name: value for name, value in fields.items() if value is not None}


class Lasting:
    """A fault that comes again and again: to be told at its beginning and counted from then on.

    Where its reason changes it may be told again, but not more often than every ``again_s``. One
    thread uses it.
    """

    def __init__(self, again_s: float = 60.0, now_s: Callable[[], float] = time.monotonic) -> None:
        self._again_s = again_s
        self._now_s = now_s
        self._told: str | None = None
        self._told_s = 0.0
        self.times = 0
        self.untold = 0
        """How many of these have come since it was last told."""

    def happened(self, reason: str) -> bool:
        """Count it; whether it is to be told."""
        self.times += 1
        now_s = self._now_s()
        if self._told is None or (reason != self._told and now_s - self._told_s >= self._again_s):
            self._told, self._told_s, self.untold = reason, now_s, 0
            return True
        self.untold += 1
        return False

    def over(self) -> int:
        """How often it came in all; it begins anew."""
        times, self.times, self.untold, self._told = self.times, 0, 0, None
        return times
