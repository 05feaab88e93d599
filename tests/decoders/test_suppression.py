"""Of boxes that lie over each other the best stays, as with OpenCV's own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.decoders.suppression import Suppression

SCORES = st.sampled_from([0.1, 0.25, 0.5, 0.5, 0.9, 1.0]) | st.floats(0.0009765625, 1, width=32)
EDGES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1, width=32)
SIZES = st.sampled_from([0.0, 0.0, 0.25, 0.5]) | st.floats(0, 1, width=32)


@st.composite
def candidates(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores and classes: many ties, boxes twice, boxes without an area."""
    box = st.tuples(EDGES, EDGES, SIZES, SIZES)
    some = draw(st.lists(box, max_size=20))
    again = draw(st.lists(st.sampled_from(some), max_size=10)) if some else []
    boxes = np.array([*some, *again], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    count = len(boxes)
    scores = draw(st.lists(SCORES, min_size=count, max_size=count))
    classes = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    return boxes, np.array(scores, np.float32), np.array(classes, np.int64)


def by_opencv(boxes: np.ndarray, scores: np.ndarray, iou: float) -> list[int]:
    rects = boxes.astype(np.float64)
    rects[:, 2:] -= rects[:, :2]
    return [int(place) for place in cv2.dnn.NMSBoxes(rects, scores, 0.0, iou)]


def by_hand(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou: float) -> list[int]:
    """The plainest form of it, in double precision."""
    kept: list[int] = []
    for place in sorted(range(len(boxes)), key=lambda place: -scores[place]):
        if not any(
            classes[place] == classes[better] and overlap(boxes[place], boxes[better]) > iou
            for better in kept
        ):
            kept.append(place)
    return kept


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one.astype(np.float64), other.astype(np.float64)
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    both = area(one) + area(other)
    return 1.0 if both <= np.finfo(np.float64).eps else common / (both - common)


def area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


@settings(deadline=None, max_examples=300)
@given(candidates(), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_over_all_classes_it_keeps_what_opencv_keeps(
    found: tuple[np.ndarray, np.ndarray, np.ndarray], iou: float
) -> None:
    boxes, scores, classes = found
    kept = Suppression(iou, agnostic=True).kept(boxes, scores, classes)
    assert kept.tolist() == by_opencv(boxes, scores, iou)


@settings(deadline=None, max_examples=300)
@given(candidates(), st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_by_class_it_keeps_what_opencv_keeps_of_each_class(
    found: tuple[np.ndarray, np.ndarray, np.ndarray], iou: float
) -> None:
    boxes, scores, classes = found
    kept = Suppression(iou).kept(boxes, scores, classes)
    expected = []
    for number in range(4):
        (places,) = (classes == number).nonzero()
        expected += [int(places[i]) for i in by_opencv(boxes[places], scores[places], iou)]
    assert sorted(kept.tolist()) == sorted(expected)
    assert (np.diff(scores[kept]) <= 0).all()


@settings(deadline=None, max_examples=300)
@given(candidates(), st.sampled_from([0.3, 0.45, 0.61]))
def test_it_keeps_what_the_definition_says(
    found: tuple[np.ndarray, np.ndarray, np.ndarray], iou: float
) -> None:
    boxes, scores, classes = found
    kept = Suppression(iou).kept(boxes, scores, classes)
    assert kept.tolist() == by_hand(boxes, scores, classes, iou)


def test_of_equal_scores_the_first_stays() -> None:
    boxes = np.array([[0, 0, 0.5, 0.5]] * 3, np.float32)
    kept = Suppression().kept(boxes, np.full(3, 0.7, np.float32), np.zeros(3, np.int64))
    assert kept.tolist() == [0]


@pytest.mark.parametrize("agnostic", [True, False])
def test_numbers_that_are_not_finite_do_not_raise(agnostic: bool) -> None:
    boxes = np.array([[0, 0, 1, 1], [np.nan] * 4, [0, 0, np.inf, 1]], np.float32)
    scores = np.array([0.5, np.nan, 0.7], np.float32)
    Suppression(0.5, agnostic).kept(boxes, scores, np.zeros(3, np.int64))
