"""What the time stamps of samples tell: when they were taken, and how many are missing."""

from __future__ import annotations

import logging
import statistics
from collections import deque

import numpy as np
import numpy.typing as npt

from ..log_fields import Event, about

log = logging.getLogger(__name__)

Int64Array = npt.NDArray[np.int64]

# A stamp that comes this much later than due, in periods, has samples missing before it. Between
# one (all there, taken late) and two (one is missing).
_LATE = 1.75
_REMEMBERED = 64
_TRUSTED = 8  # as many stamps outweigh what the device says


class Stamps:
    """Follows the stamps of one opening of a device that says it samples at ``rate_hz``.

    A sensor's own clock may be some per cent off, so ``period_ns`` is the median of the last ones,
    and a rate that is far from what the device says is told once.
    """

    def __init__(self, device: str, rate_hz: float) -> None:
        self._device = device
        self._told_ns = told_ns = 1e9 / rate_hz
        self._last: int | None = None
        self._periods: deque[float] = deque([told_ns] * _TRUSTED, maxlen=_REMEMBERED)
        self._warned = False
        self.period_ns = told_ns

    def lost_before(self, stamps_ns: Int64Array) -> Int64Array:
        """How many samples are missing before each of these; they come after the ones before."""
        last = stamps_ns[0] if self._last is None else self._last
        first_ever, self._last = self._last is None, int(stamps_ns[-1])
        periods = np.diff(stamps_ns, prepend=last)
        steps = periods[1:] if first_ever else periods
        none = np.zeros(len(stamps_ns), np.int64)
        if len(steps) == 0 or steps.min() <= 0:
            return none  # one stamp for several samples, or a clock that was set: no measure
        self._periods.extend(steps[-_REMEMBERED:].tolist())
        self.period_ns = statistics.median(self._periods)
        self._compare()
        late = periods > _LATE * self.period_ns
        if not late.any():
            return none
        return np.where(late, np.rint(periods / self.period_ns).astype(np.int64) - 1, none)

    def _compare(self) -> None:
        if self._warned or len(self._periods) < _REMEMBERED:
            return
        if not 0.9 < self.period_ns / self._told_ns < 1.1:
            self._warned = True
            log.warning(
                "%s says that it samples at %g Hz, but its time stamps are those of %.4g Hz.",
                self._device,
                1e9 / self._told_ns,
                1e9 / self.period_ns,
                extra=about(Event.SOURCE),
            )
