from __future__ import annotations

import pytest

from edged.groundtruth import Counts, average_precision, match, mean_average_precision, overlap
from edged.records.results import Detection
from edged.sources.scene import Truth

LEFT = (0.0, 0.0, 0.4, 0.4)
RIGHT = (0.5, 0.5, 0.9, 0.9)
HALF_OF_LEFT = (0.0, 0.0, 0.4, 0.2)
LESS_THAN_HALF_OF_LEFT = (0.0, 0.0, 0.4, 0.19)


def circle(box: tuple[float, float, float, float], visible: float = 1.0) -> Truth:
    return Truth("circle", box, visible)


def found(
    box: tuple[float, float, float, float], score: float = 0.9, label: str = "circle"
) -> Detection:
    return Detection(label, score, box)


def test_overlap_is_the_intersection_over_the_union() -> None:
    assert overlap(LEFT, LEFT) == pytest.approx(1.0)
    assert overlap(LEFT, RIGHT) == 0.0
    # Two squares of 0.4 that share a quarter: 0.04 / (0.16 + 0.16 - 0.04).
    assert overlap(LEFT, (0.2, 0.2, 0.6, 0.6)) == pytest.approx(1 / 7)


def test_boxes_that_only_touch_do_not_overlap() -> None:
    assert overlap(LEFT, (0.4, 0.0, 0.8, 0.4)) == 0.0


def test_a_box_without_area_overlaps_nothing() -> None:
    assert overlap((0.1, 0.1, 0.1, 0.1), (0.1, 0.1, 0.1, 0.1)) == 0.0


def test_a_shape_that_is_found_is_a_true_positive() -> None:
    assert match([circle(LEFT)], [found(LEFT)]) == Counts(1, 0, 0)


def test_half_an_overlap_is_enough_and_less_is_not() -> None:
    assert match([circle(LEFT)], [found(HALF_OF_LEFT)]) == Counts(1, 0, 0)
    assert match([circle(LEFT)], [found(LESS_THAN_HALF_OF_LEFT)]) == Counts(0, 1, 1)


def test_the_right_place_with_the_wrong_label_is_wrong_and_leaves_the_shape_unfound() -> None:
    assert match([circle(LEFT)], [found(LEFT, label="star")]) == Counts(0, 1, 1)


def test_a_shape_is_found_once_and_a_second_detection_of_it_is_wrong() -> None:
    assert match([circle(LEFT)], [found(LEFT), found(LEFT, 0.8)]) == Counts(1, 1, 0)


def test_two_alike_shapes_are_found_by_two_detections() -> None:
    assert match([circle(LEFT), circle(RIGHT)], [found(RIGHT), found(LEFT)]) == Counts(2, 0, 0)


def test_nothing_there_and_nothing_found_counts_nothing() -> None:
    assert match([], []) == Counts(0, 0, 0)


def test_a_mostly_hidden_shape_is_neither_missed_nor_wrongly_found() -> None:
    hidden = circle(LEFT, visible=0.49)
    assert match([hidden], []) == Counts(0, 0, 0)
    assert match([hidden], [found(LEFT)]) == Counts(0, 0, 0)
    assert match([hidden], [found(RIGHT)]) == Counts(0, 1, 0)


def test_a_half_visible_shape_is_asked_for() -> None:
    assert match([circle(LEFT, visible=0.5)], []) == Counts(0, 0, 1)


def test_a_detection_goes_to_the_shape_in_view_before_a_hidden_one_in_the_same_place() -> None:
    assert match([circle(LEFT, visible=0.1), circle(LEFT)], [found(LEFT)]) == Counts(1, 0, 0)


def test_counts_add_up_to_precision_and_recall() -> None:
    total = Counts(3, 1, 0) + Counts(3, 1, 6)
    assert total == Counts(6, 2, 6)
    assert total.precision == 0.75
    assert total.recall == 0.5


def test_precision_and_recall_are_whole_where_there_is_nothing_to_get_wrong() -> None:
    assert (Counts().precision, Counts().recall) == (1.0, 1.0)
    assert (Counts(0, 2, 3).precision, Counts(0, 2, 3).recall) == (0.0, 0.0)


def test_average_precision_is_the_area_under_the_falling_curve() -> None:
    # Of three circles two are found, in this order over both frames: right, wrong, right.
    # Precision at recall 1/3 is 1, at 2/3 is 2/3, and recall 1 is never reached.
    truths = [[circle(LEFT), circle(RIGHT)], [circle(LEFT)]]
    detections = [[found(LEFT, 0.9)], [found(RIGHT, 0.8), found(LEFT, 0.7)]]
    assert average_precision(truths, detections, "circle") == pytest.approx(1 / 3 + 2 / 9)


def test_average_precision_takes_the_best_precision_at_no_less_recall() -> None:
    # Wrong, right, right: precision 0, 1/2, 2/3, which falling gives 2/3 for both circles.
    truths = [[circle(LEFT), circle(RIGHT)]]
    detections = [[found((0.6, 0.0, 0.7, 0.1), 0.9), found(LEFT, 0.8), found(RIGHT, 0.7)]]
    assert average_precision(truths, detections, "circle") == pytest.approx(2 / 3)


def test_average_precision_of_a_label_that_is_never_shown_is_none() -> None:
    assert average_precision([[circle(LEFT, visible=0.2)]], [[found(LEFT)]], "circle") is None


def test_average_precision_is_nought_where_nothing_is_found() -> None:
    assert average_precision([[circle(LEFT)]], [[]], "circle") == 0.0


def test_the_mean_is_over_the_labels_that_are_shown() -> None:
    truths = [[circle(LEFT), Truth("star", RIGHT, 1.0), Truth("square", LEFT, 0.1)]]
    assert mean_average_precision(truths, [[found(LEFT)]]) == pytest.approx(0.5)


def test_the_mean_over_frames_that_show_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to measure"):
        mean_average_precision([[]], [[]])
