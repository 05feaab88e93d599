"""The processor's temperature and throttling, from a tree of files like a Pi's."""

from __future__ import annotations

from pathlib import Path

import pytest

from edged.records.health import Throttling
from edged.service.chip import Chip

FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
FIRMWARE_PI_5 = "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def zone(root: Path, number: int, kind: str, temp: str) -> None:
    put(root, f"sys/class/thermal/thermal_zone{number}/type", f"{kind}\n")
    put(root, f"sys/class/thermal/thermal_zone{number}/temp", temp)


def silent() -> None:
    """A ``vcgencmd`` that is not there."""


@pytest.mark.parametrize(
    ("text", "degrees"), [("48312\n", 48.312), ("-5000\n", -5.0), ("", None), ("hot", None)]
)
def test_the_temperature_is_in_degrees(tmp_path: Path, text: str, degrees: float | None) -> None:
    zone(tmp_path, 0, "cpu-thermal", text)
    assert Chip(tmp_path, silent).temperature_c() == degrees


def test_the_temperature_is_the_processor_s_whichever_zone_that_is(tmp_path: Path) -> None:
    zone(tmp_path, 0, "rp1_adc", "30000")
    zone(tmp_path, 1, "cpu-thermal", "61000")
    zone(tmp_path, 2, "nvme", "40000")
    assert Chip(tmp_path, silent).temperature_c() == 61


def test_where_no_zone_is_known_to_be_the_processor_s_it_is_the_first(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", "41000")
    zone(tmp_path, 1, "wifi", "50000")
    assert Chip(tmp_path, silent).temperature_c() == 41


@pytest.mark.parametrize("path", [FIRMWARE, FIRMWARE_PI_5])
@pytest.mark.parametrize(
    ("word", "now", "since_boot"),
    [
        ("0\n", (), ()),
        ("1\n", ("under-voltage",), ("under-voltage",)),
        ("50000\n", (), ("under-voltage", "throttled")),
        (
            "a000f",
            ("under-voltage", "frequency-capped", "throttled", "soft-temperature-limit"),
            ("under-voltage", "frequency-capped", "throttled", "soft-temperature-limit"),
        ),
        ("0x80008", ("soft-temperature-limit",), ("soft-temperature-limit",)),
    ],
)
def test_the_firmware_s_word_is_told_by_its_flags(
    tmp_path: Path, path: str, word: str, now: tuple[str, ...], since_boot: tuple[str, ...]
) -> None:
    put(tmp_path, path, word)
    throttling = Chip(tmp_path, silent).throttling()
    assert throttling is not None
    assert (throttling.now, throttling.since_boot) == (now, since_boot)


def test_what_was_seen_once_is_remembered_where_the_kernel_clears_it(tmp_path: Path) -> None:
    chip = Chip(tmp_path, silent)
    put(tmp_path, FIRMWARE, "4")
    chip.throttling()
    put(tmp_path, FIRMWARE, "0")
    assert chip.throttling() == Throttling((), ("throttled",))


@pytest.mark.parametrize(("alarm", "now"), [("1\n", ("under-voltage",)), ("0\n", ())])
def test_a_kernel_that_shows_only_the_alarm_of_the_voltage_does_as_well(
    tmp_path: Path, alarm: str, now: tuple[str, ...]
) -> None:
    put(tmp_path, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    put(tmp_path, "sys/class/hwmon/hwmon3/name", "rpi_volt\n")
    put(tmp_path, "sys/class/hwmon/hwmon3/in0_lcrit_alarm", alarm)
    throttling = Chip(tmp_path, silent).throttling()
    assert throttling is not None
    assert throttling.now == now


def test_the_command_is_asked_where_the_kernel_shows_nothing_and_twice_a_minute_at_most(
    tmp_path: Path,
) -> None:
    put(tmp_path, "dev/vcio", "")
    asked_s, now_s = [], 0.0

    def command() -> str:
        asked_s.append(now_s)
        return "throttled=0x50005\n"

    chip = Chip(tmp_path, command, lambda: now_s)
    for _ in range(100):
        assert chip.throttling() == Throttling(
            ("under-voltage", "throttled"), ("under-voltage", "throttled")
        )
        now_s += 1
    assert asked_s == [0, 30, 60, 90]


@pytest.mark.parametrize("said", [None, "", "VCHI initialization failed\n"])
def test_a_command_that_fails_is_not_tried_again(tmp_path: Path, said: str | None) -> None:
    put(tmp_path, "dev/vcio", "")
    asked = []

    def command() -> str | None:
        asked.append(said)
        return said

    now_s = 0.0
    chip = Chip(tmp_path, command, lambda: now_s)
    for _ in range(5):
        assert chip.throttling() is None
        now_s += 100
    assert asked == [said]


def test_a_machine_that_is_no_pi_tells_nothing(tmp_path: Path) -> None:
    chip = Chip(tmp_path, silent)
    assert chip.temperature_c() is None
    assert chip.throttling() is None
