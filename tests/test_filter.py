"""Labels, threshold and number of results, applied before anything can leave."""

from __future__ import annotations

import numpy as np

from edged.baseline import Baseline
from edged.engine.geometry import Fit, Placement
from edged.filter import Filter
from edged.records.decoded import Numbers, Reconstruction, ScoredBoxes, ScoredClasses
from edged.records.frames import Box, Size
from edged.records.info import AnomalyInfo
from edged.records.results import Anomaly, ClassScore, Detection, Value

WHOLE = Placement.of(Size(100, 100), Size(10, 10), Fit.STRETCH)
NAMES = {0: "cat", 1: "dog", 2: "owl"}


def keeping(
    threshold: float | None = 0.0,
    allowed: tuple[str, ...] | None = None,
    max_results: int = 25,
    baseline: Baseline | None = None,
) -> Filter:
    return Filter(
        lambda number: NAMES.get(number, str(number)),
        threshold=threshold,
        allowed=allowed,
        max_results=max_results,
        baseline=baseline,
    )


def classes(*scores: float) -> ScoredClasses:
    return ScoredClasses(np.array(scores, np.float32))


def boxes(*found: tuple[int, float], box: Box = (0, 0, 1, 1)) -> ScoredBoxes:
    return ScoredBoxes(
        [box] * len(found), [score for _, score in found], [number for number, _ in found]
    )


def test_classes_come_best_first() -> None:
    found = keeping().apply(classes(0.25, 0.5, 0.125), WHOLE)
    assert found == (ClassScore("dog", 0.5), ClassScore("cat", 0.25), ClassScore("owl", 0.125))


def test_only_what_scores_over_the_threshold_is_kept() -> None:
    found = keeping(threshold=0.5).apply(classes(0.25, 0.625, 0.5), WHOLE)
    assert found == (ClassScore("dog", 0.625),)
    assert keeping(threshold=0.75).apply(boxes((0, 0.5), (1, 0.25)), WHOLE) == ()


def test_only_allowed_labels_are_kept_and_count_towards_the_number() -> None:
    only_cat = keeping(allowed=("cat",), max_results=1)
    assert only_cat.apply(classes(0.25, 0.5), WHOLE) == (ClassScore("cat", 0.25),)
    found = only_cat.apply(boxes((1, 0.75), (0, 0.5), (0, 0.25)), WHOLE)
    assert [(one.label, one.score) for one in found] == [("cat", 0.5)]


def test_no_more_than_max_results_are_kept() -> None:
    found = keeping(max_results=2).apply(boxes((0, 0.25), (1, 0.75), (2, 0.5)), WHOLE)
    assert [one.label for one in found] == ["dog", "owl"]


def test_a_class_without_a_label_is_its_number() -> None:
    found = keeping().apply(boxes((77, 0.5)), WHOLE)
    assert [one.label for one in found] == ["77"]


def test_boxes_are_shares_of_the_frame() -> None:
    wide = Placement.of(Size(200, 100), Size(100, 100), Fit.LETTERBOX)
    found = keeping().apply(boxes((0, 0.5), box=(0.5, 0.5, 1, 0.75)), wide)
    assert found == (Detection("cat", 0.5, (0.5, 0.5, 1.0, 1.0)),)


def test_a_box_outside_of_the_frame_is_none() -> None:
    wide = Placement.of(Size(200, 100), Size(100, 100), Fit.LETTERBOX)
    assert keeping().apply(boxes((0, 0.5), box=(0.0, 0.0, 1, 0.2)), wide) == ()


# ---- numbers -------------------------------------------------------------------------------------

THREE = Numbers(np.array([0.25, -40, 1e6], np.float32))


def test_the_numbers_of_a_regression_are_kept_in_order_whatever_the_threshold() -> None:
    for threshold in (None, 0.5):
        found = keeping(threshold).apply(THREE, WHOLE)
        assert found == (Value("cat", 0.25), Value("dog", -40.0), Value("owl", 1e6))


def test_labels_and_max_results_hold_for_the_names_of_numbers() -> None:
    assert keeping(allowed=("owl", "dog"), max_results=1).apply(THREE, WHOLE) == (
        Value("dog", -40.0),
    )
    assert keeping(allowed=("mouse",)).apply(THREE, WHOLE) == ()


LEARNT = Baseline(600, lambda *_: None, known=0.5)


def test_an_anomaly_is_an_error_over_what_was_learnt() -> None:
    keep = keeping(None, baseline=LEARNT)
    assert keep.apply(Reconstruction(0.25), WHOLE) == (Anomaly(0.25, 0.5, unusual=False),)
    assert keep.apply(Reconstruction(0.5), WHOLE) == (Anomaly(0.5, 1.0, unusual=False),)
    assert keep.apply(Reconstruction(1.5), WHOLE) == (Anomaly(1.5, 3.0, unusual=True),)
    assert keep.anomaly_info() == AnomalyInfo(0.5)


def test_a_threshold_that_is_given_goes_before_what_was_learnt() -> None:
    keep = keeping(2.0, baseline=LEARNT)
    assert keep.apply(Reconstruction(1.0), WHOLE) == (Anomaly(1.0, 0.5, unusual=False),)
    assert keep.anomaly_info() == AnomalyInfo(2.0)
    keep.threshold = 0.0
    (found,) = keep.apply(Reconstruction(1.0), WHOLE)
    assert isinstance(found, Anomaly)
    assert found.unusual


def test_no_error_and_no_threshold_make_a_score_that_cannot_be_published() -> None:
    (found,) = keeping(0.0).apply(Reconstruction(3e38), WHOLE)
    assert found == Anomaly(3e38, 1e38, unusual=True)


def test_while_it_learns_there_is_an_error_and_no_score() -> None:
    keep = keeping(None, baseline=Baseline(600, lambda *_: None))
    assert keep.apply(Reconstruction(9.0), WHOLE) == (Anomaly(9.0, None, unusual=False),)


def test_labels_hold_for_an_anomaly_too_and_hide_nothing_from_the_rest() -> None:
    score = keeping(None, allowed=("score",), baseline=LEARNT)
    assert score.apply(Reconstruction(1.0), WHOLE) == (Anomaly(None, 2.0, unusual=True),)
    nothing = keeping(None, allowed=("cat",), baseline=LEARNT)
    assert nothing.apply(Reconstruction(1.0), WHOLE) == (Anomaly(None, None, unusual=True),)
    assert keeping().anomaly_info() is None
