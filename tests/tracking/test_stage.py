"""What is published of a frame in which objects are tracked."""

from __future__ import annotations

import itertools

import numpy as np

from edged.engine.geometry import Fit, Placement
from edged.filter import Filter
from edged.records.decoded import ScoredBoxes
from edged.records.frames import Size
from edged.records.results import ClassScore, Detection, Findings
from edged.tracking.stage import Tracking
from edged.tracking.tracker import Tracker, TrackSettings

WHOLE = Placement.of(Size(100, 100), Size(100, 100), Fit.STRETCH)
LEFT, RIGHT = (0.1, 0.4, 0.3, 0.6), (0.7, 0.4, 0.9, 0.6)


def tracking(max_results: int = 25) -> Tracking:
    return Tracking(Tracker(TrackSettings(low=0.1, lost_s=2), itertools.count(1)), max_results)


def seen(stage: Tracking, at_s: float, *found: Detection, over: float = 0.5) -> Findings:
    return stage.apply(found, over, round(at_s * 1e9))


def test_detections_get_the_number_of_their_track_once_they_have_one() -> None:
    stage = tracking()
    cat, dog = Detection("cat", 0.9, LEFT), Detection("dog", 0.8, RIGHT)
    assert seen(stage, 0.0, cat) == (cat,)
    assert seen(stage, 0.1, cat, dog) == (Detection("cat", 0.9, LEFT, 1), dog)
    assert seen(stage, 0.2, cat, dog) == (
        Detection("cat", 0.9, LEFT, 1),
        Detection("dog", 0.8, RIGHT, 2),
    )


def test_what_scores_low_holds_a_track_and_is_not_published() -> None:
    stage = tracking()
    for n in range(2):
        seen(stage, n * 0.1, Detection("cat", 0.9, LEFT))
    for n in range(2, 60):
        assert seen(stage, n * 0.1, Detection("cat", 0.2, LEFT)) == ()
    assert seen(stage, 6.0, Detection("cat", 0.9, LEFT)) == (Detection("cat", 0.9, LEFT, 1),)


def test_a_label_keeps_its_tracks_and_no_other_takes_them() -> None:
    stage = tracking()
    for n in range(3):
        seen(stage, n * 0.1, Detection("cat", 0.9, LEFT))
    assert seen(stage, 0.3, Detection("dog", 0.9, LEFT)) == (Detection("dog", 0.9, LEFT),)


def test_no_more_are_published_than_asked_for_but_all_are_tracked() -> None:
    stage = tracking(max_results=1)
    both = Detection("cat", 0.9, LEFT), Detection("cat", 0.8, RIGHT)
    for n in range(2):
        found = seen(stage, n * 0.1, *both)
    assert found == (Detection("cat", 0.9, LEFT, 1),)
    assert stage.tracker.alive.tolist() == [1, 2]


def test_what_is_no_detection_is_not_tracked() -> None:
    assert seen(tracking(), 0.0) == ()
    assert seen(tracking(), 0.0, ClassScore("cat", 0.9)) == ()  # type: ignore[arg-type]


def test_the_filter_before_a_tracker_lets_low_scores_pass_and_no_other_label() -> None:
    filter_ = Filter(
        ("cat", "dog").__getitem__, threshold=0.5, allowed=("cat",), max_results=100, low=0.1
    )
    decoded = ScoredBoxes(
        boxes=np.array([LEFT, RIGHT, RIGHT, LEFT]).tolist(),
        scores=[0.9, 0.2, 0.05, 0.8],
        classes=[0, 0, 0, 1],
    )
    found = filter_.apply(decoded, WHOLE)
    assert [(each.label, round(each.score, 2)) for each in found] == [("cat", 0.9), ("cat", 0.2)]  # type: ignore[union-attr]
    filter_.threshold = 0.0
    assert len(filter_.apply(decoded, WHOLE)) == 3
