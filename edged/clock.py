"""Time: the monotonic clock that stamps, and the wall clock that subscribers read.

A Pi has no clock battery, so the wall clock may be wrong until the network has set it. Everything
is therefore stamped with the monotonic clock, and converted when it is sent.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

_SYNCED_CACHE_NS = 5_000_000_000
_NTP_PHASE_LIMIT_US = 16_000_000  # linux/timex.h: where the error of a clock that nobody sets stays


class Clock(Protocol):
    """What edged needs to know of time; an argument wherever it is needed."""

    def monotonic_ns(self) -> int:
        """Nanoseconds of a clock that never jumps (``time.monotonic_ns``)."""

    def utc_of(self, monotonic_ns: int) -> datetime:
        """When a monotonic stamp was, by what the wall clock says now; aware, in UTC."""

    def synced(self) -> bool:
        """Whether the wall clock is known to be right. Never raises."""


def iso_8601(moment: datetime) -> str:
    """An aware time as it is published: UTC, milliseconds, ``2026-11-22T06:24:00.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex`` (adjtimex(2)), and room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


def kernel_clock_error_us() -> int | None:
    """How far off the kernel thinks the wall clock may be (adjtimex(2)).

    None where it does not say: a libc without the call, or a service with ``ProtectClock=``.
    """
    state = _Timex()  # modes 0: reads, sets nothing
    try:
        if ctypes.CDLL(None).adjtimex(ctypes.byref(state)) < 0:
            return None
    except (OSError, AttributeError):  # a libc without it
        return None
    return int(state.maxerror)


def timesyncd_has_synced(root: Path = Path("/")) -> bool:
    """Whether systemd-timesyncd has set the clock since the machine started (its own mark)."""
    try:
        return (root / "run/systemd/timesync/synchronized").exists()
    except OSError:
        return False


class SystemClock:
    """The machine's own clocks. Callable from any thread."""

    def __init__(
        self,
        clock_error_us: Callable[[], int | None] = kernel_clock_error_us,
        was_set: Callable[[], bool] = timesyncd_has_synced,
    ) -> None:
        """``was_set`` is asked where the kernel does not say how far off the clock may be."""
        self._clock_error_us = clock_error_us
        self._was_set = was_set
        self._synced = False
        self._asked_ns: int | None = None

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def utc_of(self, monotonic_ns: int) -> datetime:
        age_ns = time.monotonic_ns() - monotonic_ns
        return datetime.fromtimestamp((time.time_ns() - age_ns) / 1e9, UTC)

    def synced(self) -> bool:
        """Asks the kernel, at most every 5 s; where it does not say, timesyncd.

        By systemd's rule (``ntp_synced``): the clock is right while the kernel puts its maximum
        error below 16 s. The flag STA_UNSYNC is no guide: a time daemon may leave it set only to
        keep the kernel's hands off the hardware clock.
        """
        now_ns = time.monotonic_ns()
        if self._asked_ns is None or now_ns - self._asked_ns >= _SYNCED_CACHE_NS:
            self._asked_ns = now_ns
            error_us = self._clock_error_us()
            self._synced = self._was_set() if error_us is None else error_us < _NTP_PHASE_LIMIT_US
        return self._synced
