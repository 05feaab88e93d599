"""Four outputs become boxes."""

from __future__ import annotations

import numpy as np
import pytest

from edged.decoders.detection import DetectionDecoder, DetectionRoles
from edged.errors import ModelError

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
