from __future__ import annotations

import numpy as np
import pytest

from edged.sources.iio_stamps import Stamps

MS = 1_000_000


def lost(stamps: Stamps, *times_ms: float) -> list[int]:
    return stamps.lost_before(np.array([round(time * MS) for time in times_ms])).tolist()


def test_nothing_is_missing_from_what_comes_on_time() -> None:
    stamps = Stamps("imu", 100)

    assert lost(stamps, 0, 10, 20) == [0, 0, 0]
    assert lost(stamps, 30, 40.5, 49.5) == [0, 0, 0]


def test_missing_samples_are_counted_inside_a_block_and_between_two() -> None:
    stamps = Stamps("imu", 100)

    assert lost(stamps, 0, 10, 20, 50, 60) == [0, 0, 0, 2, 0]
    assert lost(stamps, 170, 180) == [10, 0]


def test_a_sample_that_was_taken_late_is_none_that_is_missing() -> None:
    stamps = Stamps("imu", 100)

    assert lost(stamps, 0, 10, 20, 36, 40, 50) == [0, 0, 0, 0, 0, 0]


def test_a_sensor_whose_clock_is_off_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    stamps = Stamps("iio:device0 (lsm6dsox_accel)", 104)

    for block in range(40):
        assert lost(stamps, *(block * 50 + np.arange(5) * 10.0)) == [0] * 5

    assert caplog.messages == []
    assert stamps.period_ns == 10 * MS


def test_a_rate_far_from_what_is_told_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    stamps = Stamps("iio:device0 (adxl345)", 100)

    for block in range(40):
        lost(stamps, *(block * 100 + np.arange(5) * 20.0))

    assert caplog.messages == [
        "iio:device0 (adxl345) says that it samples at 100 Hz, but its time stamps are those of "
        "50 Hz."
    ]


def test_stamps_that_do_not_go_on_measure_nothing() -> None:
    stamps = Stamps("imu", 100)

    assert lost(stamps, 40, 40, 40, 40) == [0, 0, 0, 0]  # one for all that the driver fetched
    assert lost(stamps, 80, 80, 80, 80) == [0, 0, 0, 0]
    assert lost(stamps, 7, 17) == [0, 0]  # the clock was set back
    assert lost(stamps, 27, 57) == [0, 2]


def test_samples_may_come_one_by_one() -> None:
    stamps = Stamps("imu", 1)

    assert [lost(stamps, 1000.0 * at) for at in (0, 1, 2, 5, 6)] == [[0], [0], [0], [2], [0]]
