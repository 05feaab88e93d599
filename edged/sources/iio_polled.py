"""IIO samples read one by one from sysfs, for sensors whose driver has no buffer.

The channels of a sample are read one after the other, so they are in step only as far as that takes
(on I2C some 0.3 to 1 ms a channel, more where the sensor first has to measure).
"""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Sequence

import numpy as np

from ..errors import SourceError
from ..log_fields import Event, Lasting, about
from ..samples import Samples
from . import NotYet
from .iio_channels import IioChannel
from .iio_device import BLOCK_S, GONE, PATIENCE_NS, IioDevice, Settings, Timing
from .iio_rate import own_rate_hz, raise_rate

log = logging.getLogger(__name__)

# Of sensors that tell no rate, which are those of the weather.
DEFAULT_RATE_HZ = 1.0


class PolledReader:
    """Reads ``channels`` at every whole period since it was made.

    A reading that fails, or for which it is too late, leaves a gap; it is told when that begins,
    and at the end how often it came. Raises SourceError.
    """

    def __init__(
        self,
        device: IioDevice,
        channels: Sequence[IioChannel],
        rate_hz: float | None,
        timing: Timing,
    ) -> None:
        self._device = device
        self._channels = tuple(channels)
        self.channels = tuple(channel.channel for channel in channels)
        self._timing = timing
        self._settings = Settings()
        self._missed = Lasting()
        self.rate_hz = self._choose_rate(rate_hz)
        self._period_ns = 1e9 / self.rate_hz
        self._began_ns = self._well_ns = self._timing.now_ns()
        self._next = 0

    def _choose_rate(self, wanted_hz: float | None) -> float:
        types = [channel.type for channel in self._channels]
        if wanted_hz is None:
            return own_rate_hz(self._device, types) or DEFAULT_RATE_HZ
        # Faster than it measures, the same value would be read again and again.
        raise_rate(self._device, types, wanted_hz, self._settings)
        return wanted_hz

    def read(self) -> Samples:
        """The next block, of about BLOCK_S or one sample. Raises NotYet, SourceError."""
        wanted = max(1, round(BLOCK_S * self.rate_hz))
        first, captured_ns = self._next, 0
        rows: list[list[float]] = []
        while len(rows) < wanted:
            if self._wait() and rows:
                break  # what comes now is not the next one
            number, began_ns = self._next, self._timing.now_ns()
            row = self._reading()
            self._next += 1
            if row is not None:
                first = first if rows else number
                rows.append(row)
                captured_ns = began_ns
            elif rows:
                break
        values = np.array(rows, np.float64).astype(np.float32)
        return Samples(
            first, values, self.rate_hz, self.channels, captured_ns, self._timing.now_ns()
        )

    def _wait(self) -> bool:
        """Until the next one is due; whether it was too late for it, and a later one is next."""
        now_ns = self._timing.now_ns()
        early_ns = self._began_ns + self._next * self._period_ns - now_ns
        if early_ns > self._timing.wait_s * 1e9:
            # Here no block is begun: that takes rates at which a block is one sample.
            self._timing.sleep(self._timing.wait_s)
            raise NotYet
        if early_ns > 0:
            self._timing.sleep(early_ns / 1e9)
        elif -early_ns > self._period_ns:
            self._next = math.floor((now_ns - self._began_ns) / self._period_ns)
            self._miss(
                f"{self._device} cannot be read {self.rate_hz:g} times a second: samples are "
                "missing. Ask for less in rate_hz, or for fewer channels."
            )
            return True
        return False

    def _reading(self) -> list[float] | None:
        """One value a channel; None where the sensor did not answer."""
        row = []
        for channel in self._channels:
            try:
                text = (self._device.path / channel.attribute).read_bytes()
            except OSError as error:
                self._failed(error, channel)
                return None
            try:
                row.append(channel.value(float(text)))
            except ValueError as error:
                told = text.decode("ascii", "replace").strip()
                raise SourceError(
                    f'{self._device}: the channel {channel.name} gives "{told}", which is not one '
                    "number: name the channels you want in `channels`."
                ) from error
        self._well_ns = self._timing.now_ns()
        return row

    def _failed(self, error: OSError, channel: IioChannel) -> None:
        """A gap, as long as it does not last. Raises SourceError."""
        failure = self._device.failure(error, f"the channel {channel.name} cannot be read")
        silent_ns = self._timing.now_ns() - self._well_ns
        if error.errno in {*GONE, errno.EBUSY} or silent_ns > max(PATIENCE_NS, 3 * self._period_ns):
            raise failure from error
        self._miss(f"{failure} Samples are missing.")

    def _miss(self, reason: str) -> None:
        if self._missed.happened(reason):
            log.warning("%s", reason, extra=about(Event.SOURCE))

    def close(self) -> None:
        if untold := self._missed.untold:
            told = f"{self._device}: samples were missing {untold} more times"
            log.warning("%s", told, extra=about(Event.SOURCE))
        self._missed.over()
        self._settings.restore()
