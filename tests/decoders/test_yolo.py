"""The heads of YOLO become boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edged.decoders import Decoder
from edged.decoders.suppression import Suppression
from edged.decoders.yolo import Head, V5Decoder, V8Decoder, V10Decoder
from edged.engine.geometry import Fit, Placement
from edged.errors import ModelError
from edged.filter import Filter
from edged.records.frames import Size
from edged.records.models import Quantization

SHARES = (1.0, 1.0)
BY_CLASS = Suppression()
CLASSES = 3
# x centre, y centre, width, height of a cat, the same a little worse, a dog over both, and nothing
BOXES = [[0.3, 0.4, 0.2, 0.4], [0.31, 0.4, 0.2, 0.4], [0.3, 0.4, 0.2, 0.4], [0.5, 0.5, 0.1, 0.1]]
SCORES = [[0.9, 0, 0], [0.8, 0.05, 0], [0, 0.7, 0], [0, 0, 0.005]]


def v8(boxes: Sequence = BOXES, scores: Sequence = SCORES) -> np.ndarray:
    return np.hstack([boxes, scores]).T[None].astype(np.float32)


def v5(sure: float = 1.0) -> np.ndarray:
    rows = [[*box, sure, *scores] for box, scores in zip(BOXES, SCORES, strict=True)]
    return np.array([rows], np.float32)


def v8_decoder(
    quantization: Quantization | None = None,
    unit: tuple[float, float] = SHARES,
    *,
    rows: int = 4 + CLASSES,
    candidates: int = 4,
    suppression: Suppression = BY_CLASS,
) -> V8Decoder:
    return V8Decoder(Head(0, rows, candidates, quantization, unit), suppression)


def v5_decoder(suppression: Suppression = BY_CLASS) -> V5Decoder:
    return V5Decoder(Head(0, 4, 5 + CLASSES, None, SHARES), suppression)


def test_the_best_box_of_each_class_stays() -> None:
    found = v8_decoder().decode([v8()])
    np.testing.assert_allclose(found.boxes, [[0.2, 0.2, 0.4, 0.6]] * 2, atol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    assert list(found.classes) == [0, 1]


def test_the_best_of_all_classes_stays_where_that_is_told() -> None:
    found = v8_decoder(suppression=Suppression(agnostic=True)).decode([v8()])
    assert list(found.classes) == [0]


def test_boxes_in_pixels_become_shares() -> None:
    pixels = np.array(BOXES) * [640, 320, 640, 320]
    found = v8_decoder(unit=(640, 320)).decode([v8(pixels)])
    np.testing.assert_allclose(found.boxes[0], [0.2, 0.2, 0.4, 0.6], atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "zero_point"), [(np.uint8, 0), (np.int8, -128), (np.int8, -3), (np.int16, 0)]
)
def test_stored_integers_come_to_the_same(dtype: type, zero_point: int) -> None:
    quantization = Quantization(1 / 120, zero_point)
    limits = np.iinfo(dtype)
    steps = np.rint(v8() * 120) + zero_point
    output = steps.clip(limits.min, limits.max).astype(dtype)
    found = v8_decoder(quantization).decode([output])
    np.testing.assert_allclose(found.boxes, [[0.2, 0.2, 0.4, 0.6]] * 2, atol=0.01)
    np.testing.assert_allclose(found.scores, [0.9, 0.7], atol=0.005)


def test_v5_scores_are_how_sure_it_is_times_each_class() -> None:
    found = v5_decoder().decode([v5(0.5)])
    np.testing.assert_allclose(found.scores, [0.45, 0.35])
    np.testing.assert_allclose(found.boxes, [[0.2, 0.2, 0.4, 0.6]] * 2, atol=1e-6)
    assert list(found.classes) == [0, 1]


def test_v5_finds_nothing_where_it_is_not_sure() -> None:
    assert len(v5_decoder().decode([v5(0.002)]).scores) == 0


def test_v10_boxes_come_as_they_are() -> None:
    rows = [[64, 32, 128, 64, 0.9, 2], [0, 0, 640, 320, 0.4, 0], [0, 0, 0, 0, 0, 0]]
    found = V10Decoder(Head(0, 3, 6, None, (640, 320))).decode([np.array([rows], np.float32)])
    np.testing.assert_allclose(found.boxes, [[0.1, 0.1, 0.2, 0.2], [0, 0, 1, 1]], atol=1e-6)
    np.testing.assert_allclose(found.scores, [0.9, 0.4])
    assert list(found.classes) == [2, 0]


def test_an_empty_head_holds_no_boxes() -> None:
    assert len(v8_decoder().decode([np.zeros((1, 7, 4), np.float32)]).scores) == 0
    assert len(v8_decoder(candidates=0).decode([np.zeros((1, 7, 0), np.float32)]).scores) == 0


def test_of_too_many_candidates_the_best_are_looked_at() -> None:
    count = 3000
    rng = np.random.default_rng(1)
    head = np.zeros((1, 5, count), np.float32)
    head[0, 0] = np.linspace(0.05, 0.95, count)
    head[0, 1:4] = np.array([[0.5], [0.0001], [0.1]])
    head[0, 4] = rng.permutation(np.linspace(0.1, 0.9, count))
    found = v8_decoder(rows=5, candidates=count).decode([head])
    assert len(found.scores) == 1000
    np.testing.assert_allclose(np.sort(found.scores), np.sort(head[0, 4])[-1000:])


def test_what_lies_outside_of_the_input_is_cut_off() -> None:
    boxes = [[0, 0, 0.4, 0.4], [1e30, 0, 1, 1], [0.5, 0.5, 3e38, 3e38], [0.5, 0.5, -1, 1]]
    found = v8_decoder().decode([v8(boxes, [[0.9, 0, 0], [0.9, 0, 0], [0, 0.9, 0], [0, 0, 0.9]])])
    np.testing.assert_allclose(found.boxes, [[0, 0, 0.2, 0.2], [0, 0, 1, 1]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("row", [0, 3, 4])
def test_numbers_that_are_not_finite_are_an_error(bad: float, row: int) -> None:
    output = v8()
    output[0, row, 0] = bad
    with pytest.raises(ModelError, match="not finite"):
        v8_decoder().decode([output])
    rows = v5()
    rows[0, 0, row] = bad
    with pytest.raises(ModelError, match="not finite"):
        v5_decoder().decode([rows])


@pytest.mark.parametrize("outputs", [[], [v8()[:, :6]], [v8().astype("S3")]])
def test_outputs_that_are_not_what_was_checked_are_an_error(outputs: list[np.ndarray]) -> None:
    for decoder in (v8_decoder(), v5_decoder(), V10Decoder(Head(0, 3, 6, None, SHARES))):
        with pytest.raises(ModelError):
            decoder.decode(outputs)


def test_classes_that_no_model_has_are_an_error() -> None:
    rows = np.array([[[0, 0, 1, 1, 0.9, 1e30]]], np.float32)
    with pytest.raises(ModelError, match="not numbers of classes"):
        V10Decoder(Head(0, 1, 6, None, SHARES)).decode([rows])


NUMBERS = arrays.arrays(
    st.sampled_from([np.float32, np.float64, np.float16, np.int8, np.uint8, np.int64, np.bool_]),
    (1, 7, 6),
)


@settings(deadline=None, max_examples=300)
@given(NUMBERS, st.sampled_from(list(Fit)), st.none() | st.just(Quantization(0.5, -3)))
def test_no_numbers_make_it_raise_or_give_a_box_outside_of_the_frame(
    output: np.ndarray, fit: Fit, quantization: Quantization | None
) -> None:
    if output.dtype.kind == "f":
        quantization = None
    decoders: list[Decoder] = [
        V8Decoder(Head(0, 7, 6, quantization, SHARES), Suppression()),
        V5Decoder(Head(0, 6, 7, quantization, (640, 640)), Suppression()),
        V10Decoder(Head(0, 7, 6, quantization, SHARES)),
    ]
    keep = Filter(str, threshold=0.0, allowed=None, max_results=100)
    placement = Placement.of(Size(640, 360), Size(320, 320), fit)
    for decoder in decoders:
        try:
            found = decoder.decode([output])
        except ModelError:
            continue
        assert all(0 <= score <= 1 for score in found.scores)
        for detection in keep.apply(found, placement):
            x_min, y_min, x_max, y_max = detection.box
            assert 0 <= x_min < x_max <= 1
            assert 0 <= y_min < y_max <= 1
