"""Numbers a class become scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.decoders.classification import ClassificationDecoder
from edged.decoders.task import Activation
from edged.errors import ModelError


def test_probabilities_stay_as_they_are() -> None:
    output = np.array([[0.1, 0.7, 0.2]], np.float32)
    scores = ClassificationDecoder(0, Activation.NONE).decode([output]).scores
    np.testing.assert_allclose(scores, [0.1, 0.7, 0.2], atol=1e-7)


def test_logits_become_probabilities() -> None:
    output = np.array([[1000.0, 1000.0, -1000.0]], np.float32)
    scores = ClassificationDecoder(0, Activation.SOFTMAX).decode([output]).scores
    np.testing.assert_allclose(scores, [0.5, 0.5, 0.0])


def test_independent_classes_become_scores() -> None:
    output = np.array([[0.0, 1000.0, -1000.0]], np.float32)
    scores = ClassificationDecoder(0, Activation.SIGMOID).decode([output]).scores
    np.testing.assert_allclose(scores, [0.5, 1.0, 0.0])


def test_the_output_may_have_more_dimensions_and_another_place() -> None:
    other, output = np.zeros((1, 9)), np.full((1, 1, 1, 4), 0.25, np.float32)
    assert ClassificationDecoder(1, Activation.NONE).decode([other, output]).scores.shape == (4,)


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_an_error(activation: Activation, wrong: float) -> None:
    output = np.array([[0.1, wrong]], np.float32)
    with pytest.raises(ModelError, match="scores are not finite"):
        ClassificationDecoder(0, activation).decode([output])


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=50),
    st.sampled_from(Activation),
)
def test_every_score_lies_between_0_and_1(values: list[float], activation: Activation) -> None:
    with np.errstate(over="ignore"):
        scores = (
            ClassificationDecoder(0, activation).decode([np.array([values], np.float32)]).scores
        )
    assert np.all((scores >= 0) & (scores <= 1))


@pytest.mark.parametrize("activation", Activation)
@pytest.mark.parametrize(
    ("outputs", "what"),
    [
        ([], "not what they were"),
        ([np.array([b"cat"])], r"output 0 holds \|S3, not numbers"),
        ([np.full(3, 1e300)], "its scores are not finite"),
    ],
)
def test_outputs_that_are_no_numbers_are_an_error(
    outputs: list[np.ndarray], what: str, activation: Activation
) -> None:
    with pytest.raises(ModelError, match=what):
        ClassificationDecoder(0, activation).decode(outputs)
