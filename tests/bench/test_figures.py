"""From what frames took to figures."""

from __future__ import annotations

import pytest

from edged.bench.figures import Spread, Turn, median_rate_hz, pooled, rate_ratio, spreads


def bare(*ended: float) -> Turn:
    return Turn.of({"inference": [8.0] * len(ended), "ended": list(ended)})


def test_a_spread_is_the_median_and_the_99th_percentile() -> None:
    assert Spread.of(list(range(101))) == Spread(median=50, p99=99)


def test_the_rate_is_that_of_the_frames_after_the_first() -> None:
    assert bare(100, 110, 120).rate_hz == pytest.approx(100)


def test_what_goes_by_between_two_frames_is_their_distance_without_the_inference() -> None:
    assert bare(100, 110, 121).stages["besides"] == pytest.approx([2, 3])


def test_overhead_and_rest_come_from_the_stages_of_a_frame() -> None:
    turn = Turn.of(
        {
            "wait": [5.0, 7.0],
            "preprocess": [0.5, 0.5],
            "inference": [8.0, 8.0],
            "decode": [0.25, 0.5],
            "total": [13.75, 16.0],
            "hand-over": [0.25, 0.5],
            "ended": [100.0, 110.0],
        }
    )
    assert turn.stages["overhead"] == pytest.approx([0.75, 1.0])
    # Of the 10 ms the second frame itself took 16 - 7, and its hand-over 0.5.
    assert turn.stages["rest"] == pytest.approx([0.5])
    assert turn.stages["besides"] == pytest.approx([2.0])


def test_a_rate_is_compared_within_its_own_round() -> None:
    """A machine that is twice as slow for a while slows both."""
    ours = [bare(0, 11), bare(0, 22), bare(0, 11)]
    reference = [bare(0, 10), bare(0, 20), bare(0, 10)]
    assert rate_ratio(ours, reference) == pytest.approx(10 / 11)
    assert median_rate_hz(reference) == pytest.approx(100)


def test_spreads_are_over_the_frames_of_all_turns() -> None:
    turns = [
        Turn.of({"inference": [1.0, 2.0], "ended": [1.0, 3.0]}),
        Turn.of({"inference": [3.0, 4.0], "ended": [1.0, 5.0]}),
    ]
    assert pooled(turns)["inference"] == [1, 2, 3, 4]
    assert spreads(turns)["inference"].median == 2.5
