"""How hot and how well fed the chip is, told in the metrics, and what the pipelines make of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from .log_fields import Event, about
from .records.health import Throttling
from .runner import Runner
from .service.chip import Chip
from .service.governor import FULL, Governor, Slowing

log = logging.getLogger("edged.climate")

LOOK_EVERY_S = 5.0


class Climate:
    """``look`` from the main loop, as often as it likes. ``hot_c`` None: nothing is slowed down."""

    def __init__(
        self,
        hot_c: float | None,
        chip: Chip | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chip = chip or Chip()
        self._governor = Governor(hot_c) if hot_c is not None else None
        self._now_s = now_s
        self._looked_s: float | None = None
        self.temperature_c: float | None = None
        self.throttling: Throttling | None = None

    @property
    def slowing(self) -> Slowing:
        return self._governor.slowing if self._governor else FULL

    def look(self, runners: Iterable[Runner]) -> None:
        """Read the chip's facts, every few seconds, and let the pipelines go slower or faster."""
        now_s = self._now_s()
        if self._looked_s is not None and now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        self.temperature_c = self._chip.temperature_c()
        self.throttling = self._chip.throttling()
        flags = self.throttling.now if self.throttling else ()
        if self._governor and self._governor.look(self.temperature_c, flags, now_s):
            reason = self.slowing.reason
            log.log(
                logging.WARNING if reason else logging.INFO,
                "pipelines %s",
                reason or "take all frames again",
                extra=about(Event.GOVERNOR),
            )
            for runner in runners:
                runner.slow(self.slowing)
