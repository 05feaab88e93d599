"""Facts about the machine, from a tree of files like Linux's."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from edged.service import machine


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_resident_memory_is_read_in_bytes(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/status", "Name:\tedged\nVmPeak:\t  9000 kB\nVmRSS:\t   1234 kB\n")
    assert machine.memory_bytes(tmp_path) == 1234 * 1024


def test_this_process_has_some_memory() -> None:
    assert 1 << 20 < machine.memory_bytes() < 1 << 36


@pytest.mark.parametrize(
    ("text", "degrees"), [("48312\n", 48.312), ("-5000\n", -5.0), ("", None), ("hot", None)]
)
def test_the_temperature_is_in_degrees(tmp_path: Path, text: str, degrees: float | None) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", text)
    assert machine.cpu_temperature_c(tmp_path) == degrees


@pytest.mark.parametrize(
    ("word", "now"),
    [
        ("0\n", False),
        ("1\n", True),  # under-voltage
        ("4\n", True),  # throttled
        ("8\n", True),  # the soft limit of temperature
        ("50000\n", False),  # under-voltage and throttling, but in the past
        ("50005\n", True),
        ("0x50005", True),
        ("?", None),
    ],
)
def test_throttling_is_what_happens_now(tmp_path: Path, word: str, now: bool | None) -> None:
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", word)
    assert machine.throttled(tmp_path) is now


@pytest.mark.parametrize(
    "line",
    [
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
        "PRETTY_NAME='Debian GNU/Linux 12 (bookworm)'",
    ],
)
def test_the_system_has_its_own_name(tmp_path: Path, line: str) -> None:
    put(tmp_path, "etc/os-release", f"ID=debian\n{line}\nNAME=x\n")
    assert machine.os_name(tmp_path) == "Debian GNU/Linux 12 (bookworm)"


def test_a_system_that_tells_nothing_is_told_as_such(tmp_path: Path) -> None:
    assert machine.cpu_temperature_c(tmp_path) is None
    assert machine.throttled(tmp_path) is None
    assert machine.os_name(tmp_path) == f"{platform.system()} {platform.release()}"
    put(tmp_path, "etc/os-release", "ID=debian\n")
    assert machine.os_name(tmp_path) == f"{platform.system()} {platform.release()}"
