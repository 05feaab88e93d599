"""IIO samples from the kernel's buffer: all channels at the same moment, many scans at a time."""

from __future__ import annotations

import errno
import itertools
import os
import re
import select
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..samples import Samples
from . import NotYet
from .iio_channels import IioChannel
from .iio_device import BLOCK_S, PATIENCE_NS, IioDevice, Settings, Timing
from .iio_rate import set_rate
from .iio_scan import TIMESTAMP, Element, Layout, Scans
from .iio_stamps import Stamps

# What the kernel keeps while edged has no time.
_KEPT_S = 2.0
_LEAST_KEPT = 16


class NotBuffered(Exception):
    """This device's buffer cannot be used as it is set up; the message says why."""


class BufferedReader:
    """Sets the device's buffer up, and reads it until ``close``, which puts all settings back.

    Raises NotBuffered where the driver does not start it, and SourceError.
    """

    def __init__(
        self,
        device: IioDevice,
        channels: Sequence[IioChannel],
        rate_hz: float | None,
        dev: Path,
        timing: Timing,
    ) -> None:
        self._device = device
        self._elements, self._control = _directories(device)
        self.channels = tuple(channel.channel for channel in channels)
        self._timing = timing
        self._settings = Settings()
        self._fd = -1
        self._rest = b""
        self._ready: deque[Samples] = deque()
        self._next = 0
        try:
            self._open(dev / device.id)
            self._layout = self._choose(channels)
            types = [channel.type for channel in channels]
            self.rate_hz = self._set_rate(types, rate_hz)
            self._start()
        except BaseException:
            self.close()
            raise
        self._stamps = Stamps(str(device), self.rate_hz)
        self._patience_ns = max(PATIENCE_NS, round(3e9 / self.rate_hz))
        self._well_ns = timing.now_ns()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def _open(self, path: Path) -> None:
        """The character device, which one program can have at a time."""
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise SourceError(
                f"{self._device} has a buffer, but there is no {path} to read it from."
            ) from error
        except OSError as error:
            raise self._device.failure(error, f"{path} cannot be opened") from error
        enable = f"{self._control}/enable"
        if self._device.read(enable) == "1":
            # Nobody else has it open: a program that was killed has left it on.
            self._device.write(enable, "0")

    def _choose(self, channels: Sequence[IioChannel]) -> Layout:
        """Enable these channels and time stamps, and no others."""
        device, directory = self._device, self._elements
        names = [channel.name for channel in channels]
        stamped = f"in_{TIMESTAMP}_en" in device.names(directory)
        if stamped and device.read("current_timestamp_clock") is not None:
            self._settings.set(device, "current_timestamp_clock", "monotonic")
        wanted = {f"in_{name}_en" for name in [*names, *([TIMESTAMP] if stamped else [])]}
        for attribute in device.names(directory):
            if attribute.startswith("in_") and attribute.endswith("_en"):
                value = "1" if attribute in wanted else "0"
                self._settings.set(device, f"{directory}/{attribute}", value)
        elements = [self._element(name) for name in names]
        return Layout(channels, elements, self._element(TIMESTAMP) if stamped else None)

    def _element(self, name: str) -> Element:
        stem = f"{self._elements}/in_{name}"
        index, type_ = self._device.read(f"{stem}_index"), self._device.read(f"{stem}_type")
        return Element.parse(name, index or "", type_ or "")

    def _set_rate(self, types: Sequence[str], wanted_hz: float | None) -> float:
        rate_hz = set_rate(self._device, types, wanted_hz, self._settings) or wanted_hz
        if rate_hz is None:
            raise SourceError(
                f"{self._device} does not tell how often it samples: say in rate_hz what its "
                "trigger is set to."
            )
        return rate_hz

    def _start(self) -> None:
        device, control = self._device, self._control
        self._length = max(_LEAST_KEPT, round(_KEPT_S * self.rate_hz))
        self._settings.set(device, f"{control}/length", str(self._length))
        if device.read(f"{control}/watermark") is not None:
            watermark = max(1, round(BLOCK_S * self.rate_hz))
            self._settings.set(device, f"{control}/watermark", str(watermark))
        try:
            self._settings.set(device, f"{control}/enable", "1")
        except SourceError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EINVAL:
                raise NotBuffered("its driver does not start the buffer so") from error
            raise

    def read(self) -> Samples:
        """The next block, of about BLOCK_S. Raises NotYet, SourceError."""
        while not self._ready:
            scans = self._scans()
            if len(scans):
                self._well_ns = self._timing.now_ns()
                self._take(scans, self._well_ns)
        return self._ready.popleft()

    def _scans(self) -> Scans:
        """Those that have come, as the kernel gives them."""
        size = self._layout.dtype.itemsize
        self._poll.poll(1000 * self._timing.wait_s)
        try:
            # More than the kernel keeps, so that it is empty afterwards.
            data = os.read(self._fd, 2 * self._length * size)
        except BlockingIOError as error:
            if self._timing.now_ns() - self._well_ns < self._patience_ns:
                raise NotYet from error
            raise SourceError(
                f"{self._device} gave no sample for {self._patience_ns / 1e9:g} s."
            ) from error
        except OSError as error:
            raise self._device.failure(error, "its buffer cannot be read") from error
        if not data:
            raise SourceError(f"{self._device} is gone: its buffer has ended.")
        data = self._rest + data
        whole = len(data) // size * size
        self._rest = data[whole:]
        return np.frombuffer(data[:whole], self._layout.dtype)

    def _take(self, scans: Scans, arrived_ns: int) -> None:
        """Cut them where some are missing, and number them."""
        values = self._layout.values(scans)
        stamps = self._layout.stamps_ns(scans)
        if stamps is None:
            lost = np.zeros(len(scans), np.int64)
        else:
            lost = self._stamps.lost_before(stamps)
        period_ns = self._stamps.period_ns
        begins = [0, *(np.flatnonzero(lost[1:]) + 1).tolist(), len(scans)]
        for begin, end in itertools.pairwise(begins):
            captured_ns = arrived_ns - round((len(scans) - end) * period_ns)
            if stamps is not None and 0 <= arrived_ns - int(stamps[end - 1]) < PATIENCE_NS:
                # Of the monotonic clock, then. Another one gives an impossible age.
                captured_ns = int(stamps[end - 1])
            first = self._next + int(lost[begin])
            self._next = first + end - begin
            self._ready.append(
                Samples(
                    first,
                    values[begin:end],
                    self.rate_hz,
                    self.channels,
                    captured_ns,
                    arrived_ns,
                )
            )
        if stamps is None and len(scans) >= self._length:
            self._next += 1  # it was full: at least one is missing, and nothing tells how many

    def close(self) -> None:
        self._settings.restore()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def buffered_channels(device: IioDevice) -> list[str]:
    """What the driver puts into its buffer. Raises NotBuffered where that cannot be filled."""
    elements, control = _directories(device)
    found = [re.fullmatch(r"in_(.+)_en", name) for name in device.names(elements)]
    names = [match[1] for match in found if match and match[1] != TIMESTAMP]
    if not names:
        raise NotBuffered("it has no buffer")
    by_itself = device.read(f"{control}/hwfifo_watermark") is not None
    if device.read("trigger/current_trigger") == "" and not by_itself:
        raise NotBuffered("its buffer has no trigger")
    return names


def _directories(device: IioDevice) -> tuple[str, str]:
    """Where channels are chosen and where the buffer is set: since Linux 5.13 in one place."""
    if device.read("buffer0/enable") is not None:
        return "buffer0", "buffer0"
    return "scan_elements", "buffer"
