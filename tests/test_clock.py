from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from edged.clock import SystemClock, iso_8601, kernel_clock_error_us, timesyncd_has_synced


def test_a_stamp_of_now_is_the_wall_clock_of_now() -> None:
    clock = SystemClock()

    before = datetime.fromtimestamp(time.time(), UTC)
    at = clock.utc_of(clock.monotonic_ns())
    after = datetime.fromtimestamp(time.time(), UTC)

    assert before - timedelta(milliseconds=1) <= at <= after + timedelta(milliseconds=1)


def test_a_stamp_of_an_hour_ago_is_an_hour_before_now() -> None:
    clock = SystemClock()
    now_ns = clock.monotonic_ns()

    apart = clock.utc_of(now_ns) - clock.utc_of(now_ns - 3_600_000_000_000)

    assert abs(apart - timedelta(hours=1)) < timedelta(milliseconds=50)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 22, 6, 24, 0, 123_999, UTC), "2026-11-22T06:24:00.123Z"),
        (datetime(2026, 11, 22, 6, 24, tzinfo=UTC), "2026-11-22T06:24:00.000Z"),
        (
            datetime(2026, 11, 22, 7, 24, tzinfo=timezone(timedelta(hours=1))),
            "2026-11-22T06:24:00.000Z",
        ),
    ],
)
def test_times_are_written_in_utc_with_milliseconds_and_z(moment: datetime, text: str) -> None:
    assert iso_8601(moment) == text


@pytest.mark.parametrize(
    ("error_us", "synced"),
    [(0, True), (15_999_999, True), (16_000_000, False)],
)
def test_the_clock_is_right_while_its_error_is_below_16_s(error_us: int, synced: bool) -> None:
    assert SystemClock(lambda: error_us, was_set=lambda: not synced).synced() is synced


def test_where_the_kernel_does_not_say_the_mark_of_timesyncd_does(tmp_path: Path) -> None:
    def synced() -> bool:
        return SystemClock(lambda: None, lambda: timesyncd_has_synced(tmp_path)).synced()

    assert not synced()

    (tmp_path / "run/systemd/timesync").mkdir(parents=True)
    (tmp_path / "run/systemd/timesync/synchronized").touch()

    assert synced()


def test_the_kernel_is_not_asked_for_every_result() -> None:
    asked: list[int] = []

    def error_us() -> int:
        asked.append(1)
        return 0

    clock = SystemClock(clock_error_us=error_us)

    assert clock.synced()
    assert clock.synced()
    assert len(asked) == 1


def test_the_kernel_tells_the_error_of_its_clock() -> None:
    error_us = kernel_clock_error_us()

    assert error_us is not None
    assert 0 <= error_us <= 16_000_000
