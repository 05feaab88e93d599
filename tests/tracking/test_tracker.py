"""Which detections go on with which track, frame by frame."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.tracking.tracker import MAX_DETECTIONS, MAX_TRACKS, Tracker, TrackSettings

SECOND_NS = 1_000_000_000
STEP_NS = SECOND_NS // 10
LOST_S = 2.0
Found = tuple[float, float, float, float, float, int]  # a box's corners, score, class


@pytest.fixture
def tracker() -> Tracker:
    return a_tracker()


def a_tracker(ids: Iterator[int] | None = None) -> Tracker:
    return Tracker(TrackSettings(low=0.1, lost_s=LOST_S), ids or itertools.count(1))


def at(x: float, y: float, *, score: float = 0.9, of: int = 0, size: float = 0.1) -> Found:
    """An object whose centre is there."""
    half = size / 2
    return (x - half, y - half, x + half, y + half, score, of)


def see(tracker: Tracker, at_ns: int, *found: Found, high: float = 0.5) -> list[int]:
    table = np.array(found, np.float32).reshape(-1, 6)
    boxes, scores, classes = table[:, :4], table[:, 4], table[:, 5].astype(np.int64)
    return tracker.update(boxes, scores, classes, high=high, at_ns=at_ns).tolist()


def test_an_object_has_a_track_when_it_is_seen_again_and_keeps_it(tracker: Tracker) -> None:
    seen = [see(tracker, n * STEP_NS, at(0.2 + n * 0.02, 0.5)) for n in range(10)]
    assert seen == [[0], *[[1]] * 9]
    assert tracker.alive.tolist() == [1]


def test_tracks_are_numbered_from_one_in_the_order_in_which_they_are_sure(tracker: Tracker) -> None:
    see(tracker, 0, at(0.2, 0.2))
    assert see(tracker, STEP_NS, at(0.2, 0.2), at(0.8, 0.8)) == [1, 0]
    assert see(tracker, 2 * STEP_NS, at(0.8, 0.8), at(0.2, 0.2)) == [2, 1]


def test_what_is_seen_once_is_no_object(tracker: Tracker) -> None:
    for n in range(10):
        found = see(tracker, n * STEP_NS, *[at(0.5, 0.5)] * (n % 2))
        assert not any(found)
    assert tracker.alive.tolist() == []


def test_objects_that_cross_keep_their_tracks(tracker: Tracker) -> None:
    for n in range(41):
        x = 0.1 + n * 0.02
        seen = see(tracker, n * STEP_NS, at(x, 0.46), at(1 - x, 0.54))
    assert seen == [1, 2]


def test_an_object_behind_another_is_found_again_where_it_was_going(tracker: Tracker) -> None:
    for n in range(30):
        x = 0.1 + n * 0.02
        hidden = 12 <= n < 20
        seen = see(tracker, n * STEP_NS, *[at(x, 0.5)] * (not hidden))
        if hidden:
            assert tracker.alive.tolist() == [1]
    assert seen == [1]


def test_a_low_score_goes_on_with_a_track_but_begins_none(tracker: Tracker) -> None:
    for n in range(5):
        assert see(tracker, n * STEP_NS, at(0.5, 0.5, score=0.3)) == [0]
    see(tracker, 5 * STEP_NS, at(0.5, 0.5))
    assert see(tracker, 6 * STEP_NS, at(0.5, 0.5)) == [1]
    assert see(tracker, 7 * STEP_NS, at(0.5, 0.5, score=0.3)) == [1]


def test_a_low_score_goes_on_with_a_track_that_was_lost(tracker: Tracker) -> None:
    for n in range(3):
        see(tracker, n * STEP_NS, at(0.5, 0.5))
    for n in range(3, 6):
        see(tracker, n * STEP_NS)
    assert see(tracker, 6 * STEP_NS, at(0.5, 0.5, score=0.3)) == [1]


def test_a_high_score_is_matched_before_a_low_one_that_lies_nearer(tracker: Tracker) -> None:
    for n in range(3):
        see(tracker, n * STEP_NS, at(0.5, 0.5))
    seen = see(tracker, 3 * STEP_NS, at(0.5, 0.5, score=0.3), at(0.52, 0.5))
    assert seen == [0, 1]


def test_only_what_is_of_a_class_goes_with_its_tracks(tracker: Tracker) -> None:
    for n in range(3):
        see(tracker, n * STEP_NS, at(0.5, 0.5, of=1))
    assert see(tracker, 3 * STEP_NS, at(0.5, 0.5, of=2)) == [0]
    assert see(tracker, 4 * STEP_NS, at(0.5, 0.5, of=2)) == [2]


def test_a_track_ends_when_it_was_lost_for_long_enough(tracker: Tracker) -> None:
    for n in range(3):
        see(tracker, n * STEP_NS, at(0.5, 0.5))
    see(tracker, 3 * STEP_NS)
    lost_ns = 3 * STEP_NS + int(LOST_S * SECOND_NS)
    see(tracker, lost_ns)
    assert tracker.alive.tolist() == [1]
    assert tracker.ended.tolist() == []
    see(tracker, lost_ns + STEP_NS)
    assert tracker.ended.tolist() == [1]
    assert tracker.alive.tolist() == []
    see(tracker, lost_ns + 2 * STEP_NS)
    assert tracker.ended.tolist() == []


def test_a_track_ends_where_its_object_has_left_the_frame(tracker: Tracker) -> None:
    for n in range(10):
        see(tracker, n * STEP_NS, at(0.55 + n * 0.05, 0.5))
    see(tracker, 10 * STEP_NS)
    see(tracker, 11 * STEP_NS)
    assert tracker.ended.tolist() == [1]


def test_nothing_goes_on_over_a_long_gap_or_where_time_goes_back(tracker: Tracker) -> None:
    for n in range(3):
        see(tracker, n * STEP_NS, at(0.5, 0.5))
    assert see(tracker, 60 * SECOND_NS, at(0.5, 0.5)) == [0]
    assert tracker.ended.tolist() == [1]
    assert see(tracker, 61 * SECOND_NS, at(0.5, 0.5)) == [2]
    assert see(tracker, 55 * SECOND_NS, at(0.5, 0.5)) == [0]
    assert tracker.ended.tolist() == [2]


def test_what_stands_still_while_a_gate_lets_few_frames_pass_keeps_its_track(
    tracker: Tracker,
) -> None:
    for n in range(20):
        tremble = 0.003 * (-1) ** n
        see(tracker, n * STEP_NS, at(0.5 + tremble, 0.5))
    for heartbeat in range(1, 4):
        assert see(tracker, heartbeat * 10 * SECOND_NS, at(0.5, 0.5)) == [1]


def test_a_reset_ends_all_tracks_and_no_number_is_used_again() -> None:
    ids = itertools.count(1)
    tracker = a_tracker(ids)
    for n in range(2):
        see(tracker, n, at(0.2, 0.2), at(0.8, 0.8))
    tracker.reset()
    assert tracker.ended.tolist() == [1, 2]
    assert tracker.alive.tolist() == []
    for n in range(2, 4):
        seen = see(tracker, n, at(0.2, 0.2))
    assert seen == [3]
    another = a_tracker(ids)
    for n in range(2):
        seen = see(another, n, at(0.2, 0.2))
    assert seen == [4]


def test_speed_is_of_time_and_not_of_frames(tracker: Tracker) -> None:
    """Dropped frames: an object that moves evenly is found where it is by then."""
    for tick in (0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 20):
        seen = see(tracker, tick * STEP_NS, at(0.1 + tick * 0.04, 0.5))
    assert seen == [1]


def test_two_frames_of_one_time_do_no_harm(tracker: Tracker) -> None:
    assert [see(tracker, 7, at(0.5, 0.5)) for _ in range(3)] == [[0], [1], [1]]


def test_the_threshold_holds_from_the_next_frame_on(tracker: Tracker) -> None:
    see(tracker, 0, at(0.5, 0.5, score=0.4))
    seen = [see(tracker, n, at(0.5, 0.5, score=0.4), high=0.3) for n in range(1, 3)]
    assert seen == [[0], [1]]


def test_there_are_never_more_tracks_than_a_bound() -> None:
    tracker = a_tracker()
    places = np.linspace(0.05, 0.95, 10)
    grid = [at(x, y, size=0.05) for x, y in itertools.product(places, places)]
    for n in range(8):  # another hundred every other time, of a class of its own
        of = n // 2
        seen = see(tracker, n * STEP_NS, *[(*found[:5], of) for found in grid])
        assert len(tracker.alive) <= MAX_TRACKS
        assert sum(map(bool, seen)) in (0, 100)
    assert len(tracker.alive) == MAX_TRACKS
    assert seen == [0] * 100  # no room, until others end


def test_of_too_many_detections_those_that_score_best_are_tracked(tracker: Tracker) -> None:
    count = MAX_DETECTIONS + 20
    crowd = [at(0.5, n / count, size=0.001, score=0.6 + n / 1000) for n in range(count)]
    for n in range(2):
        seen = see(tracker, n, *crowd)
    assert [bool(track) for track in seen] == [False] * 20 + [True] * MAX_DETECTIONS


NUMBERS = st.floats(width=32) | st.floats(-0.5, 1.5, width=32)


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(*[NUMBERS] * 5, st.integers(0, 2)), max_size=6),
            st.integers(-STEP_NS, 20 * STEP_NS),
        ),
        max_size=12,
    )
)
@settings(deadline=None, max_examples=200)
@pytest.mark.filterwarnings("error")
def test_no_input_makes_it_fail_or_give_a_number_twice(
    frames: list[tuple[list[Found], int]],
) -> None:
    tracker, at_ns, over = a_tracker(), 0, set[int]()
    for found, step_ns in frames:
        at_ns += step_ns
        seen = see(tracker, at_ns, *found)
        tracks = [track for track in seen if track]
        over |= set(tracker.ended.tolist())
        assert len(seen) == len(found)
        assert len(tracks) == len(set(tracks))
        assert set(tracks) <= set(tracker.alive.tolist())
        assert not over & set(tracker.alive.tolist())
        after = see(tracker, at_ns, at(0.5, 0.5))
        over |= set(tracker.ended.tolist())
        assert after in ([0], *[[track] for track in tracker.alive.tolist()])
