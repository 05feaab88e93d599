"""Anchors and the differences from them become boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edged.decoders.anchors import (
    AnchoredDecoder,
    BoxCoder,
    Coded,
    Rows,
    ScoreRule,
    grid_anchors,
)
from edged.decoders.suppression import Suppression
from edged.decoders.task import Activation
from edged.errors import ModelError
from edged.records.models import Quantization

PLAIN = ScoreRule(Activation.NONE)
LOGITS = ScoreRule(Activation.SIGMOID)
FOUR, TWO = Rows(0, 4), Rows(1, 2)
SSD = BoxCoder((10, 10, 5, 5))
FACES = BoxCoder((128, 128, 128, 128), y_first=False, exponential=False)
ANCHORS = np.array([[0.25, 0.5, 0.2, 0.4], [0.75, 0.5, 0.2, 0.4]])
UNMOVED = np.zeros((1, 2, 4), np.float32)
SCORES = np.array([[[0.1, 0.9], [0.6, 0.2]]], np.float32)


def decoder(
    coder: BoxCoder = SSD,
    rule: ScoreRule = PLAIN,
    *,
    boxes: Rows = FOUR,
    scores: Rows = TWO,
) -> AnchoredDecoder:
    return AnchoredDecoder(Coded(boxes, ANCHORS, coder), scores, rule, Suppression())


def test_no_difference_is_the_anchor_itself() -> None:
    found = decoder().decode([UNMOVED, SCORES])
    np.testing.assert_allclose(found.boxes, [[0.15, 0.3, 0.35, 0.7], [0.65, 0.3, 0.85, 0.7]])
    assert list(found.classes) == [1, 0]


def test_a_difference_moves_and_sizes_the_anchor() -> None:
    coded = UNMOVED.copy()
    coded[0, 0] = [1.0, -2.0, 5 * math.log(0.5), 5 * math.log(2)]  # y, x, height, width
    found = decoder().decode([coded, SCORES])
    centre_x, centre_y = 0.25 - 0.2 * 0.2, 0.5 + 0.1 * 0.4
    expected = [centre_x - 0.2, centre_y - 0.1, centre_x + 0.2, centre_y + 0.1]
    np.testing.assert_allclose(found.boxes[0], expected, atol=1e-6)


def test_scores_go_through_a_sigmoid_where_they_are_logits() -> None:
    found = decoder(rule=LOGITS).decode([UNMOVED, np.array([[[0, -9.0], [2.0, -9.0]]])])
    np.testing.assert_allclose(found.scores, [1 / (1 + math.exp(-2)), 0.5], atol=1e-6)


def test_a_column_for_the_background_is_never_found() -> None:
    scores = np.array([[[0.9, 0.05, 0.2], [0.2, 0.7, 0.1]]], np.float32)
    rule = ScoreRule(Activation.NONE, background=True)
    found = decoder(rule=rule, scores=Rows(1, 3)).decode([UNMOVED, scores])
    np.testing.assert_allclose(found.scores, [0.7, 0.2])
    assert list(found.classes) == [1, 2]


def test_a_softmax_takes_the_background_in() -> None:
    logits = np.log(np.array([[[0.25, 0.7, 0.05], [0.9, 0.04, 0.06]]], np.float32))
    rule = ScoreRule(Activation.SOFTMAX, background=True)
    found = decoder(rule=rule, scores=Rows(1, 3)).decode([UNMOVED, logits])
    np.testing.assert_allclose(found.scores, [0.7, 0.06], rtol=1e-5)
    assert list(found.classes) == [1, 2]


def test_stored_integers_come_to_the_same() -> None:
    steps = Quantization(0.05, 128)
    coded = np.full((1, 2, 4), 128, np.uint8)
    coded[0, 0, 0] += 20
    logits = np.array([[[128, 168], [0, 0]]], np.uint8)
    found = decoder(rule=LOGITS, boxes=Rows(0, 4, steps), scores=Rows(1, 2, steps)).decode(
        [coded, logits]
    )
    np.testing.assert_allclose(found.boxes, [[0.15, 0.34, 0.35, 0.74]], atol=1e-6)
    np.testing.assert_allclose(found.scores, [1 / (1 + math.exp(-2))], atol=1e-6)


def test_the_anchors_of_faces_are_those_of_mediapipe() -> None:
    short = grid_anchors(128, (8, 16, 16, 16), 2)
    assert short.shape == (896, 4)
    np.testing.assert_allclose(short[[0, 1]], [[0.03125, 0.03125, 1, 1]] * 2)
    np.testing.assert_allclose(short[2], [0.09375, 0.03125, 1, 1])
    np.testing.assert_allclose(short[512:518], [[0.0625, 0.0625, 1, 1]] * 6)
    np.testing.assert_allclose(short[-1], [0.9375, 0.9375, 1, 1])
    full = grid_anchors(192, (4,), 1)
    assert full.shape == (2304, 4)
    np.testing.assert_allclose(full[49], [1.5 / 48, 1.5 / 48, 1, 1])


def test_faces_are_told_in_pixels_from_the_middle_of_a_place() -> None:
    coded = np.zeros((1, 2, 16), np.float32)
    coded[0, 0, :4] = [12.8, -6.4, 32, 64]
    anchors = np.array([[0.5, 0.5, 1, 1]] * 2)
    faces = AnchoredDecoder(
        Coded(Rows(0, 16), anchors, FACES), Rows(1, 1), LOGITS, Suppression(0.3)
    )
    found = faces.decode([coded, np.array([[[3.0], [-200.0]]], np.float32)])
    np.testing.assert_allclose(found.boxes, [[0.475, 0.2, 0.725, 0.7]], atol=1e-6)
    assert list(found.classes) == [0]


@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        ([UNMOVED, SCORES[:, :1]], "not what they were"),
        ([UNMOVED[..., :3], SCORES], "not what they were"),
        ([UNMOVED], "not what they were"),
        ([UNMOVED, np.full((1, 2, 2), np.nan, np.float32)], "not finite"),
        ([np.full((1, 2, 4), np.nan, np.float32), SCORES], "not finite"),
        ([UNMOVED, SCORES.astype("S3")], "not numbers"),
    ],
)
def test_outputs_that_cannot_be_used_are_an_error(outputs: list[np.ndarray], what: str) -> None:
    with pytest.raises(ModelError, match=what):
        decoder().decode(outputs)


@settings(deadline=None, max_examples=300)
@given(
    arrays.arrays(st.sampled_from([np.float32, np.float64, np.int8]), (1, 2, 5)),
    arrays.arrays(st.sampled_from([np.float32, np.uint8, np.int64]), (1, 2, 3)),
    st.sampled_from([SSD, FACES, BoxCoder((1, 1, 1, 1))]),
    st.sampled_from([LOGITS, PLAIN, ScoreRule(Activation.SOFTMAX, background=True)]),
)
def test_no_numbers_make_it_raise_or_give_a_box_outside_of_the_input(
    coded: np.ndarray, scores: np.ndarray, coder: BoxCoder, rule: ScoreRule
) -> None:
    try:
        found = decoder(coder, rule, boxes=Rows(0, 5), scores=Rows(1, 3)).decode([coded, scores])
    except ModelError:
        return
    for x_min, y_min, x_max, y_max in found.boxes:
        assert 0 <= x_min < x_max <= 1
        assert 0 <= y_min < y_max <= 1
    assert all(0 <= score <= 1 for score in found.scores)
