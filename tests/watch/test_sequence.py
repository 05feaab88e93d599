"""What is missing, what came twice, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.watch.sequence import Hole, Sequences


def taken(numbers: Iterable[int], run: str = "a") -> Sequences:
    sequences = Sequences()
    for number in numbers:
        sequences.take(run, number)
    return sequences


@pytest.mark.parametrize(
    ("numbers", "missing", "twice"),
    [
        ([0, 1, 2, 3], 0, 0),
        ([4711, 4712], 0, 0),  # nobody was listening before
        ([0, 1, 5], 3, 0),
        ([0, 5, 9], 7, 0),
        ([0, 1, 1, 2], 0, 1),
        ([0, 5, 2], 3, 0),  # late is not missing
        ([0, 5, 2, 2], 3, 1),
        ([0, 5, 1, 2, 3, 4, 6], 0, 0),
        ([5, 6, 3], 0, 0),  # from before the first: neither
        ([0, 2, 3, 2, 2], 1, 2),
    ],
)
def test_holes_and_repetitions_are_counted(numbers: list[int], missing: int, twice: int) -> None:
    sequences = taken(numbers)
    assert (sequences.missing, sequences.twice) == (missing, twice)


def test_a_hole_is_told_when_it_opens() -> None:
    sequences = taken([0, 1])
    assert sequences.take("a", 2) is None
    assert sequences.take("a", 6) == Hole(3, 5)
    assert sequences.take("a", 4) is None


def test_each_run_has_its_own_numbers() -> None:
    sequences = taken(range(10))
    for number in range(3):
        assert sequences.take("b", number) is None
    assert sequences.take("a", 10) is None  # the spool of the run before
    assert (sequences.missing, sequences.twice) == (0, 0)


def test_what_went_by_while_the_subscriber_was_cut_off_is_not_missing() -> None:
    sequences = taken([0, 1])
    sequences.interrupt()
    assert sequences.take("a", 9) is None
    sequences.take("a", 5)  # it comes late after all, and that is not twice
    assert (sequences.missing, sequences.twice) == (0, 0)
    assert sequences.take("a", 12) == Hole(10, 11)


@given(st.permutations(range(1, 12)), st.sets(st.integers(1, 11), max_size=5))
def test_in_whatever_order_they_come_just_those_are_missing_that_did_not(
    order: list[int], absent: set[int]
) -> None:
    sequences = taken([0, *(number for number in order if number not in absent), 12])
    assert (sequences.missing, sequences.twice) == (len(absent), 0)


def test_a_stream_full_of_holes_and_runs_without_end_take_bounded_memory() -> None:
    sequences = taken(range(0, 10_000, 2))
    assert sequences.missing == 4999
    for number in range(1000):
        sequences.take(f"run {number}", 0)
    assert len(sequences._runs) <= 8
