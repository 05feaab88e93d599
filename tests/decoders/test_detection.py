"""Four outputs become boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edged.decoders.detection import DetectionDecoder, DetectionRoles
from edged.engine.geometry import Fit, Placement
from edged.errors import ModelError
from edged.filter import Filter
from edged.records.frames import Size
from edged.records.results import Detection

BOXES = np.array([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [np.nan] * 4]], np.float32)
CLASSES = np.array([[2.0, 0.0, -7e8]], np.float32)
SCORES = np.array([[0.9, 0.6, np.inf]], np.float32)
TF1 = DetectionRoles(boxes=0, classes=1, scores=2, count=3)


def count(number: float) -> np.ndarray:
    return np.array([number], np.float32)


def test_boxes_come_as_x_then_y_and_only_up_to_the_count() -> None:
    found = DetectionDecoder(TF1).decode([BOXES, CLASSES, SCORES, count(2)])
    np.testing.assert_allclose(found.boxes, [[0.2, 0.1, 0.4, 0.3], [0.6, 0.5, 0.8, 0.7]], 1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.6], 1e-6)
    assert found.classes == [2, 0]


def test_the_outputs_may_come_in_another_order() -> None:
    tf2 = DetectionRoles(boxes=1, classes=3, scores=0, count=2)
    found = DetectionDecoder(tf2).decode([SCORES, BOXES, count(1), CLASSES])
    assert found.classes == [2]


@pytest.mark.parametrize("number", [0.0, -4.0])
def test_nothing_found_is_no_box(number: float) -> None:
    assert len(DetectionDecoder(TF1).decode([BOXES, CLASSES, SCORES, count(number)]).scores) == 0


def test_a_count_beyond_the_boxes_is_cut() -> None:
    outputs = [BOXES[:, :2], CLASSES[:, :2], SCORES[:, :2], count(1e9)]
    assert len(DetectionDecoder(TF1).decode(outputs).scores) == 2


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        ([BOXES, CLASSES, SCORES[:, [0, 1, 0]], count(3)], "boxes"),
        ([BOXES[:, [0, 0, 0]], CLASSES, SCORES, count(3)], "scores"),
        ([BOXES[:, [0, 0, 0]], np.full((1, 3), np.inf), SCORES[:, [0, 1, 0]], count(3)], "classes"),
    ],
)
def test_numbers_that_are_not_finite_are_an_error(outputs: list[np.ndarray], what: str) -> None:
    with pytest.raises(ModelError, match=f"its {what} are not finite"):
        DetectionDecoder(TF1).decode(outputs)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_count_that_is_not_finite_is_an_error(number: float) -> None:
    with pytest.raises(ModelError, match="its count is not a finite"):
        DetectionDecoder(TF1).decode([BOXES, CLASSES, SCORES, count(number)])


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        ([BOXES, CLASSES, SCORES[:, :1], count(2)], "not as many scores"),
        ([BOXES[0, :, :3], CLASSES, SCORES, count(2)], "cannot reshape"),
        ([BOXES, CLASSES, SCORES, np.zeros(0, np.float32)], "not what they were"),
        ([BOXES, CLASSES, SCORES], "not what they were"),
        ([BOXES, np.array([[b"cat", b"dog", b"pig"]]), SCORES, count(2)], r"output 1 holds \|S3"),
        ([BOXES, np.full((1, 3), 1e30, np.float32), SCORES, count(2)], "not numbers of classes"),
    ],
)
def test_outputs_that_are_not_what_was_checked_are_an_error(
    outputs: list[np.ndarray], what: str
) -> None:
    with pytest.raises(ModelError, match=what):
        DetectionDecoder(TF1).decode(outputs)


NUMBERS = st.sampled_from([np.float32, np.float64, np.int64, np.uint8])


@given(
    hnp.arrays(NUMBERS, st.sampled_from([(1, 3, 4), (3, 4), (1, 0, 4), (1, 3, 3)])),
    hnp.arrays(NUMBERS, st.sampled_from([(1, 3), (3,), (1, 0), (1, 2)])),
    hnp.arrays(NUMBERS, st.sampled_from([(1, 3), (3,), (1, 0)])),
    hnp.arrays(NUMBERS, st.sampled_from([(1,), (), (1, 1), (0,)])),
    st.sampled_from(list(Fit)),
)
@settings(deadline=None)
def test_no_numbers_make_it_raise_or_give_a_box_outside_of_the_frame(
    boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray, number: np.ndarray, fit: Fit
) -> None:
    try:
        decoded = DetectionDecoder(TF1).decode([boxes, classes, scores, number])
    except ModelError:
        return
    keep = Filter(str, threshold=0.0, allowed=None, max_results=25)
    for found in keep.apply(decoded, Placement.of(Size(64, 36), Size(8, 8), fit)):
        assert isinstance(found, Detection)
        x_min, y_min, x_max, y_max = found.box
        assert 0 <= x_min < x_max <= 1
        assert 0 <= y_min < y_max <= 1
        assert 0 < found.score <= 1


@given(hnp.arrays(np.float32, (1, 3, 4)), st.integers(0, 3), st.sampled_from(list(Fit)))
@settings(deadline=None)
def test_boxes_of_any_numbers_lie_in_the_frame(boxes: np.ndarray, number: int, fit: Fit) -> None:
    """Where all but the boxes is as it should be, so that many get through."""
    outputs = [boxes, np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32), count(number)]
    try:
        decoded = DetectionDecoder(TF1).decode(outputs)
    except ModelError:
        assert not np.isfinite(boxes[0, :number]).all()
        return
    keep = Filter(str, threshold=0.0, allowed=None, max_results=25)
    for found in keep.apply(decoded, Placement.of(Size(64, 36), Size(8, 8), fit)):
        assert isinstance(found, Detection)
        assert 0 <= found.box[0] < found.box[2] <= 1
        assert 0 <= found.box[1] < found.box[3] <= 1
