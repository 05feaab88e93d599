"""The assignment of detections to tracks, held against trying every one."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.tracking.assignment import assign

# Few values, so that many are equal, and such as add up without an error.
GAINS = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: st.lists(
        st.integers(-8, 8).map(lambda eighths: eighths / 8),
        min_size=shape[0] * shape[1],
        max_size=shape[0] * shape[1],
    ).map(lambda values: np.array(values, np.float64).reshape(shape))
)


def best_sum(gain: npt.NDArray[np.float64]) -> float:
    """The most that any assignment comes to."""
    gain = np.maximum(gain if gain.shape[0] <= gain.shape[1] else gain.T, 0.0)
    rows = range(len(gain))
    return max(
        sum(gain[row, column] for row, column in zip(rows, columns, strict=True))
        for columns in itertools.permutations(range(gain.shape[1]), len(gain))
    )


@given(GAINS)
@settings(deadline=None, max_examples=400)
def test_no_assignment_comes_to_more_and_nothing_is_matched_twice(
    gain: npt.NDArray[np.float64],
) -> None:
    pairs = assign(gain)
    assert len(np.unique(pairs.rows)) == len(pairs.rows)
    assert len(np.unique(pairs.columns)) == len(pairs.columns)
    got = gain[pairs.rows, pairs.columns]
    assert (got > 0).all()
    assert got.sum() == best_sum(gain)


def test_the_second_best_is_taken_where_it_does_better_on_the_whole() -> None:
    pairs = assign(np.array([[0.9, 0.8], [0.85, 0.0]]))
    assert pairs.columns[pairs.rows.argsort()].tolist() == [1, 0]


def test_one_stays_alone_where_another_gains_more() -> None:
    pairs = assign(np.array([[0.5, 0.0], [0.75, -1.0], [0.25, 0.0]]))
    assert (pairs.rows.tolist(), pairs.columns.tolist()) == ([1], [0])


def test_of_nothing_nothing_is_matched() -> None:
    assert len(assign(np.empty((0, 3))).rows) == 0
    assert len(assign(np.empty((3, 0))).columns) == 0
