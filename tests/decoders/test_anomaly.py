"""An autoencoder's output against its input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.decoders.anomaly import ReconstructionDecoder
from edged.errors import ModelError

SHAPE = (1, 4, 2)


def test_the_error_is_the_mean_squared_difference_over_samples_and_channels() -> None:
    given, made = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    given[0, :, 0] = 2
    assert ReconstructionDecoder(0).decode([made, given]).error == 2.0  # 4 in half of them
    assert ReconstructionDecoder(0).decode([given, given]).error == 0.0


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=8, max_size=8))
def test_an_error_is_finite_and_not_negative_or_none(values: list[float]) -> None:
    made = np.array(values, np.float32).reshape(SHAPE)
    try:
        error = ReconstructionDecoder(0).decode([made, np.ones(SHAPE, np.float32)]).error
    except ModelError:
        assert np.abs(made).max() > 1e18
    else:
        assert 0 <= error < 3.5e38


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_an_error(wrong: float) -> None:
    made = np.full(SHAPE, wrong, np.float32)
    with pytest.raises(ModelError, match="its error is not a finite number"):
        ReconstructionDecoder(0).decode([made, np.zeros(SHAPE, np.float32)])


@pytest.mark.parametrize(
    "outputs",
    [
        [],
        [np.zeros((1, 2, 4), np.float32), np.zeros(SHAPE, np.float32)],
        [np.zeros((1, 0, 2), np.float32), np.zeros((1, 0, 2), np.float32)],
        [np.full(SHAPE, "a"), np.zeros(SHAPE, np.float32)],
    ],
)
def test_other_outputs_than_those_that_were_checked_are_an_error(outputs: list[object]) -> None:
    with pytest.raises(ModelError):
        ReconstructionDecoder(0).decode(outputs)  # type: ignore[arg-type]
