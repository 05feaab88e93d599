"""How the processor fares: its temperature, and what the firmware does to it.

From files that Linux keeps, below a root that tests bring; from the Pi's own ``vcgencmd`` where the
kernel lets programs ask the firmware and does not show its word itself.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..records.health import ChipFlag, Throttling

# Bits of the firmware's word: now, and 16 higher since boot.
# Source: Raspberry Pi documentation, `vcgencmd get_throttled`.
FLAGS: tuple[ChipFlag, ...] = (
    "under-voltage",
    "frequency-capped",
    "throttled",
    "soft-temperature-limit",
)
_SINCE_BOOT_SHIFT = 16

_CPU_ZONES = ("cpu-thermal", "cpu_thermal", "soc-thermal", "x86_pkg_temp")
_COMMAND = ("vcgencmd", "get_throttled")
_COMMAND_EVERY_S = 30.0
_COMMAND_TIMEOUT_S = 2.0


def vcgencmd() -> str | None:
    """What the command prints; None where there is none, or where it may not ask the firmware."""
    try:
        done = subprocess.run(
            _COMMAND, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout


class Chip:
    """One thread asks. ``command`` starts a process, so it is asked twice a minute at most, and
    never again once it has failed.
    """

    def __init__(
        self,
        root: Path = Path("/"),
        command: Callable[[], str | None] = vcgencmd,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._command: Callable[[], str | None] | None = command
        self._now_s = now_s
        self._commanded_s: float | None = None
        self._word: int | None = None  # as the command gave it
        self._seen: set[ChipFlag] = set()

    def temperature_c(self) -> float | None:
        """The processor's temperature, or None where the kernel shows none."""
        zones = sorted(self._root.glob("sys/class/thermal/thermal_zone*"))
        kinds = {_text(zone / "type"): zone for zone in reversed(zones)}
        named = (kinds[kind] for kind in _CPU_ZONES if kind in kinds)
        zone = next(named, zones[0] if zones else None)
        try:
            return None if zone is None else int(_text(zone / "temp") or "") / 1000
        except ValueError:
            return None

    def throttling(self) -> Throttling | None:
        """What slows the processor down; None where it can't be known.

        The kernel may clear the firmware's memory, so that what was seen here is remembered too.
        """
        word, low = self._firmware_word(), self._volts_low()
        if word is None and low is None:
            return None
        now = set(_flags(word or 0))
        if low:
            now.add("under-voltage")
        self._seen |= now
        since_boot = self._seen.union(_flags((word or 0) >> _SINCE_BOOT_SHIFT))
        return Throttling(_in_order(now), _in_order(since_boot))

    def _firmware_word(self) -> int | None:
        # soc/soc:firmware, and on a Pi 5 soc@107c000000/soc@107c000000:firmware.
        shown = self._root.glob("sys/devices/platform/soc*/soc*:firmware/get_throttled")
        for path in shown:
            with contextlib.suppress(ValueError):
                return int(_text(path) or "", 16)
        if not (self._root / "dev/vcio").exists():  # through which the command asks
            return None
        now_s = self._now_s()
        due = self._commanded_s is None or now_s - self._commanded_s >= _COMMAND_EVERY_S
        if due and self._command is not None:
            self._commanded_s = now_s
            self._word = None
            with contextlib.suppress(ValueError):
                self._word = int((self._command() or "").strip().removeprefix("throttled="), 16)
            if self._word is None:
                self._command = None
        return self._word

    def _volts_low(self) -> bool | None:
        """The alarm of the kernel's own driver for the supply voltage."""
        for name in self._root.glob("sys/class/hwmon/hwmon*/name"):
            if _text(name) == "rpi_volt":
                return _text(name.with_name("in0_lcrit_alarm")) == "1"
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _flags(bits: int) -> Iterator[ChipFlag]:
    return (flag for place, flag in enumerate(FLAGS) if bits >> place & 1)


def _in_order(flags: set[ChipFlag]) -> tuple[ChipFlag, ...]:
    return tuple(flag for flag in FLAGS if flag in flags)
