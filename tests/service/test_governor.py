"""When pipelines go slower, and when faster again: figures in, shares out."""

from __future__ import annotations

import pytest

from edged.service.governor import FULL, SHARES, UP_HOLD_S, Governor


class Chip:
    """A governor, and a clock that goes on 5 s a look."""

    def __init__(self) -> None:
        self.governor = Governor(hot_c=80)
        self.now_s = 0.0

    def at(self, temperature_c: float | None, *flags: str, looks: int = 1) -> float:
        """The share after so many looks."""
        for _ in range(looks):
            self.governor.look(temperature_c, flags, self.now_s)
            self.now_s += 5
        return self.governor.slowing.share


def test_a_cool_chip_is_left_alone() -> None:
    chip = Chip()
    assert chip.at(79.9, looks=1000) == 1
    assert chip.governor.slowing == FULL


def test_a_chip_that_tells_nothing_is_left_alone() -> None:
    assert Chip().at(None, looks=1000) == 1


def test_a_hot_chip_goes_down_step_by_step_with_time_between() -> None:
    chip = Chip()
    assert [chip.at(82) for _ in range(14)] == [0.75] * 4 + [0.5] * 4 + [0.25] * 6
    assert chip.governor.slowing.reason == "slowed to 1/4: the chip is at 82 °C"


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("under-voltage", "slowed to 3/4: the power supply gives too little voltage"),
        ("throttled", "slowed to 3/4: the firmware throttles the processor"),
    ],
)
def test_the_firmware_s_flags_slow_down_too(flag: str, said: str) -> None:
    chip = Chip()
    assert chip.at(50, flag) == 0.75
    assert chip.governor.slowing.reason == said


@pytest.mark.parametrize("flag", ["soft-temperature-limit", "frequency-capped"])
def test_the_soft_limit_that_some_pis_live_at_does_not(flag: str) -> None:
    assert Chip().at(61, flag, looks=100) == 1


def test_it_recovers_step_by_step_when_it_has_been_cool_for_long_enough() -> None:
    chip = Chip()
    chip.at(82, looks=14)
    per_step = round(UP_HOLD_S / 5)
    shares = [chip.at(74) for _ in range(4 * per_step)]
    assert shares == [0.25] * per_step + [0.5] * per_step + [0.75] * per_step + [1.0] * per_step
    assert chip.governor.slowing.reason is None


def test_between_hot_and_cool_nothing_changes() -> None:
    chip = Chip()
    chip.at(80)
    assert chip.at(76, looks=1000) == 0.75


def test_a_short_cool_moment_is_not_enough() -> None:
    chip = Chip()
    chip.at(82, looks=14)
    for _ in range(20):
        chip.at(70, looks=10)
        assert chip.at(78) == 0.25


def test_a_flicker_between_hot_and_cool_only_slows_down() -> None:
    chip = Chip()
    shares = [chip.at(85 if number % 2 else 60) for number in range(200)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == SHARES[-1]
