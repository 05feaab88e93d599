"""Sensors of Linux industrial I/O (IIO): accelerometers, gyroscopes, pressure, light, ADCs ..."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from ..log_fields import Event, about
from ..samples import Samples
from .iio_buffered import BufferedReader, NotBuffered, buffered_channels
from .iio_channels import IioChannel, find_channels
from .iio_device import REAL_TIME, IioDevice, Timing, find_device
from .iio_polled import PolledReader

log = logging.getLogger(__name__)


class IioSource:
    """``device`` is a number (``iio:device0``), a name or a label; ``channels`` None: all it has.

    ``rate_hz``: what to set it to, as near as it goes; None: as it is. Samples come from the
    kernel's buffer where the driver has one, else from sysfs, one by one. ``dev`` holds the
    character devices.
    """

    live = True

    def __init__(
        self,
        device: str,
        *,
        channels: Sequence[str] | None = None,
        rate_hz: float | None = None,
        sysfs_root: Path = Path("/sys"),
        dev: Path = Path("/dev"),
        timing: Timing = REAL_TIME,
    ) -> None:
        self._device = device
        self._channels = channels
        self._rate_hz = rate_hz
        self._sysfs_root = sysfs_root
        self._dev = dev
        self._timing = timing
        self._reader: BufferedReader | PolledReader | None = None

    def open(self) -> None:
        self.close()
        device = find_device(self._sysfs_root, self._device)
        channels = find_channels(device, self._channels)
        try:
            self._reader, how = self._buffered(device, channels), "from its buffer"
        except NotBuffered as why:
            how = f"one by one ({why})"
            self._reader = PolledReader(device, channels, self._rate_hz, self._timing)
        told = ", ".join(map(str, self._reader.channels))
        log.info(
            "%s: %s, %g times a second, %s",
            device,
            told,
            self._reader.rate_hz,
            how,
            extra=about(Event.SOURCE),
        )

    def _buffered(self, device: IioDevice, channels: Sequence[IioChannel]) -> BufferedReader:
        """With all channels that are named, or those that the buffer has. Raises NotBuffered."""
        inside = buffered_channels(device)
        kept = [channel for channel in channels if channel.name in inside]
        if self._channels is not None and len(kept) < len(channels):
            raise NotBuffered(f"its buffer holds only {', '.join(inside)}")
        return BufferedReader(device, kept, self._rate_hz, self._dev, self._timing)

    def read(self) -> Samples:
        assert self._reader is not None
        return self._reader.read()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
