"""Slowing down before the chip does: a share of the frames, by heat and the firmware's flags.

Pure logic. The firmware's own throttling comes late and takes the clock away from everything; to
take fewer frames costs results, evenly, and says so.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

SHARES = (1.0, 0.75, 0.5, 0.25)
_WORDS = ("1", "3/4", "1/2", "1/4")

# How much cooler it must be before it goes faster again.
HYSTERESIS_C = 5.0
# The chip answers slowly: a step shows what it does before the next one is taken.
DOWN_HOLD_S = 20.0
UP_HOLD_S = 60.0

# Not the soft limit of temperature, nor the cap on the clock that comes with it: a Pi 3B+ is at
# its soft limit from 60 °C on, in everyday use.
_SAID = {
    "under-voltage": "the power supply gives too little voltage",
    "throttled": "the firmware throttles the processor",
}


class Slowing(msgspec.Struct, frozen=True):
    """The share of the frames that may be taken, and why; None while it is all of them."""

    share: float
    reason: str | None


FULL = Slowing(1.0, None)


class Governor:
    """``look`` every few seconds, with a clock that never goes back (seconds)."""

    def __init__(self, hot_c: float) -> None:
        self._hot_c = hot_c
        self._step = 0
        self._changed_s: float | None = None
        self._calm_since_s: float | None = None
        self.slowing = FULL

    def look(self, temperature_c: float | None, flags: Collection[str], now_s: float) -> bool:
        """Go by what the chip says now; whether that changed ``slowing``."""
        reason = self._pressure(temperature_c, flags)
        if reason is not None:
            self._calm_since_s = None
            if self._step < len(SHARES) - 1 and self._held(DOWN_HOLD_S, now_s):
                return self._take(self._step + 1, reason, now_s)
            return False
        if temperature_c is not None and temperature_c > self._hot_c - HYSTERESIS_C:
            self._calm_since_s = None
            return False
        if self._calm_since_s is None:
            self._calm_since_s = now_s
        calm = now_s - self._calm_since_s >= UP_HOLD_S
        if self._step and calm and self._held(UP_HOLD_S, now_s):
            return self._take(self._step - 1, "it recovers step by step", now_s)
        return False

    def _pressure(self, temperature_c: float | None, flags: Collection[str]) -> str | None:
        if temperature_c is not None and temperature_c >= self._hot_c:
            return f"the chip is at {temperature_c:.0f} °C"
        return next((said for flag, said in _SAID.items() if flag in flags), None)

    def _held(self, hold_s: float, now_s: float) -> bool:
        return self._changed_s is None or now_s - self._changed_s >= hold_s

    def _take(self, step: int, reason: str, now_s: float) -> bool:
        self._step, self._changed_s = step, now_s
        told = f"slowed to {_WORDS[step]}: {reason}" if step else None
        self.slowing = Slowing(SHARES[step], told)
        return True
