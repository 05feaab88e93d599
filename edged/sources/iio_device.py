"""A device of Linux industrial I/O (IIO), as sysfs shows it.

Its attributes are small text files; the kernel's ``Documentation/ABI/testing/sysfs-bus-iio`` says
what each stands for. That and a character device are all there is to it, so no library is in
between: libiio (and its Python binding, which is a wrapper around the C library) would be one more
thing to install, copies every channel by itself, and puts nothing back that it has changed.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import SourceError

log = logging.getLogger(__name__)

# What the kernel says where a sensor was unplugged or its driver unloaded.
GONE = frozenset({errno.ENODEV, errno.ENOENT, errno.ENXIO})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
# How much is read at once, and how long a device may give nothing before it has failed.
BLOCK_S = 0.05
PATIENCE_NS = 5_000_000_000


class Timing(msgspec.Struct, frozen=True):
    """The monotonic clock, and how to wait; ``wait_s``: how long one call may at most."""

    now_ns: Callable[[], int] = time.monotonic_ns
    sleep: Callable[[float], None] = time.sleep
    wait_s: float = 1.0


REAL_TIME = Timing()


class IioDevice:
    """One device, or a trigger. ``path`` is its directory; attributes are named relative to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.name = self.read("name") or ""
        self.label = self.read("label") or ""

    def __str__(self) -> str:
        known = ", ".join(
            [*filter(None, [self.name]), *([f"label {self.label}"] if self.label else [])]
        )
        return f"{self.id} ({known})" if known else self.id

    def read(self, attribute: str) -> str | None:
        """What stands there; None where there is no such attribute. Raises SourceError."""
        try:
            return (self.path / attribute).read_text("utf-8", "replace").strip("\0 \n")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self.failure(error, f"{attribute} cannot be read") from error

    def number(self, attribute: str) -> float | None:
        """The first number there; None where there is no such attribute, or no number in it."""
        text = self.read(attribute)
        try:
            return float(text.split()[0]) if text else None
        except ValueError:
            return None

    def names(self, directory: str = ".") -> list[str]:
        """The attributes in the device's directory or one below it; none where that is missing."""
        try:
            return sorted(path.name for path in (self.path / directory).iterdir())
        except OSError:
            return []

    def write(self, attribute: str, value: str) -> None:
        """Set an attribute that must be there. Raises SourceError, with the OSError as cause."""
        try:
            _write(self.path / attribute, value)
        except OSError as error:
            raise self.failure(error, f"{attribute} cannot be set to {value}") from error

    def failure(self, error: OSError, what: str) -> SourceError:
        """``what`` and why, and what to do about it."""
        if error.errno in GONE:
            return SourceError(f"{self} is gone: unplugged, or its driver was unloaded.")
        if error.errno == errno.EBUSY:
            return SourceError(f"{self} is in use by another program.")
        if error.errno in DENIED:
            return SourceError(
                f"{self}: {what}: {_reason(error).lower()}. The user must be in the "
                "group `iio`, and udev must know edged's rule, which gives it the sensors: see "
                "Sensors in the README."
            )
        return SourceError(f"{self}: {what}: {_reason(error)}.")


class Settings:
    """What was changed in sysfs, so that it can be put back."""

    def __init__(self) -> None:
        self._before: dict[Path, str] = {}

    def set(self, device: IioDevice, attribute: str, value: str) -> None:
        """Write what is not there yet. Raises SourceError, with the OSError as cause."""
        before = device.read(attribute)
        if before != value:
            device.write(attribute, value)
            self._before.setdefault(device.path / attribute, before or "")

    def restore(self) -> None:
        """Put it back, the last first. What is gone needs nothing."""
        while self._before:
            path, value = self._before.popitem()
            try:
                _write(path, value)
            except OSError as error:
                log.debug("%s was not put back: %s", path, error)


def _write(path: Path, value: str) -> None:
    # Not created where it is missing, and at once: sysfs takes a value by one write.
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def find_device(sysfs_root: Path, wanted: str) -> IioDevice:
    """The device of that number (``iio:device0``), name or label. Raises SourceError."""
    devices = list(list_devices(sysfs_root))
    found = [device for device in devices if wanted in (device.id, device.name, device.label)]
    if len(found) == 1:
        return found[0]
    told = ", ".join(map(str, found or devices))
    if found:
        raise SourceError(
            f'Several devices are called "{wanted}": {told}. Name the one you mean by its number.'
        )
    if devices:
        raise SourceError(f'There is no IIO device "{wanted}"; there are {told}.')
    raise SourceError(
        f'There is no IIO device "{wanted}", and no other: see whether the sensor\'s driver is '
        "loaded (on a Pi: its dtoverlay in config.txt) and finds it (dmesg)."
    )


def list_devices(sysfs_root: Path) -> Iterator[IioDevice]:
    """All that there are, by their numbers."""
    directory = sysfs_root / "bus/iio/devices"
    numbers = [
        int(found[1])
        for path in directory.glob("iio:device*")
        if (found := re.fullmatch(r"iio:device(\d+)", path.name))
    ]
    for number in sorted(numbers):
        yield IioDevice(directory / f"iio:device{number}")
