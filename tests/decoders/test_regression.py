"""Numbers as they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from edged.decoders.regression import RegressionDecoder
from edged.errors import ModelError


def test_the_numbers_come_in_the_models_order_whatever_the_outputs_shape_and_place() -> None:
    other, output = np.zeros(9, np.float32), np.array([[[21.5], [-3e7]]], np.float32)
    assert RegressionDecoder({1: 2}).decode([other, output]).values.tolist() == [21.5, -3e7]


def test_whole_numbers_will_do() -> None:
    assert RegressionDecoder({0: 1}).decode([np.array(7, np.int64)]).values.tolist() == [7.0]


def test_nothing_is_kept_of_the_outputs() -> None:
    output = np.array([1.0], np.float32)
    values = RegressionDecoder({0: 1}).decode([output]).values
    output[0] = 2
    assert values.tolist() == [1.0]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_not_finite_are_an_error(wrong: float) -> None:
    with pytest.raises(ModelError, match="its numbers are not finite"):
        RegressionDecoder({0: 2}).decode([np.array([1, wrong])])


@pytest.mark.parametrize("outputs", [[], [np.zeros(3, np.float32)], [np.array(["a", "b"])]])
def test_other_outputs_than_those_that_were_checked_are_an_error(outputs: list[object]) -> None:
    with pytest.raises(ModelError):
        RegressionDecoder({0: 2}).decode(outputs)  # type: ignore[arg-type]


def test_the_numbers_of_several_outputs_follow_each_other() -> None:
    outputs = [np.array([[1.0, 2.0]], np.float32), np.array(3, np.int32)]
    assert RegressionDecoder({0: 2, 1: 1}).decode(outputs).values.tolist() == [1, 2, 3]


@given(
    hnp.arrays(
        hnp.floating_dtypes(endianness="=") | hnp.integer_dtypes(endianness="="),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    )
)
@settings(deadline=None)
def test_no_numbers_make_it_raise_or_give_what_is_not_finite(stored: np.ndarray) -> None:
    try:
        found = RegressionDecoder({0: 2}).decode([stored]).values
    except ModelError:
        return
    assert found.shape == (2,)
    assert np.isfinite(found).all()
