from __future__ import annotations

import numpy as np
import pytest

from edged.pace import Pace

MS = 1_000_000


def kept(pace: Pace, times_ms: list[float]) -> list[float]:
    return [t for t in times_ms if pace.due_ns(1_000_000 * MS + round(t * MS)) is not None]


@pytest.mark.parametrize(("camera_hz", "fps"), [(30, 15), (30, 20), (30, 10), (30, 25), (25, 2)])
def test_a_live_source_is_thinned_out_to_the_rate_asked_for(camera_hz: int, fps: int) -> None:
    times_ms = [n * 1000 / camera_hz for n in range(camera_hz * 10)]

    # The last of them may come a quarter of an interval early.
    assert fps * 10 <= len(kept(Pace(fps, live=True), times_ms)) <= fps * 10 + 1


def test_a_camera_at_the_rate_asked_for_loses_no_frame_to_its_jitter() -> None:
    jitter_ms = np.random.default_rng(0).uniform(-5, 5, 300)
    times_ms = [n * 1000 / 15 + float(jitter_ms[n]) for n in range(300)]

    assert kept(Pace(15, live=True), times_ms) == times_ms


def test_a_live_source_that_was_away_does_not_catch_up() -> None:
    times_ms = [*range(0, 1000, 10), *range(60_000, 61_000, 10)]

    assert len(kept(Pace(10, live=True), list(times_ms))) <= 2 * (10 + 1)


def test_a_source_that_waits_loses_nothing_and_keeps_the_rate() -> None:
    pace = Pace(10, live=False)

    assert [pace.due_ns(5 * MS + n) for n in range(3)] == [5 * MS, 105 * MS, 205 * MS]
    assert pace.due_ns(900 * MS) == 900 * MS


@pytest.mark.parametrize("live", [True, False])
def test_without_a_rate_every_frame_is_due_when_it_is_taken(live: bool) -> None:
    pace = Pace(None, live)

    assert [pace.due_ns(n) for n in (5, 6, 7)] == [5, 6, 7]


def test_a_source_that_waits_is_made_to_wait_longer() -> None:
    pace = Pace(fps=None, live=False)
    pace.slow_to(0.5, 20 * MS, given=0, now_ns=0)
    assert [pace.due_ns(0) for _ in range(3)] == [0, 40 * MS, 80 * MS]
    pace.slow_to(1, 20 * MS, given=3, now_ns=100 * MS)
    assert [pace.due_ns(200 * MS) for _ in range(2)] == [200 * MS, 200 * MS]
