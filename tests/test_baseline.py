"""What is usual: learnt once, from errors that are mostly quiet."""

from __future__ import annotations

import numpy as np
import pytest

from edged.baseline import FEWEST_ERRORS, LEAST_THRESHOLD, MOST_ERRORS, Baseline, threshold_of
from edged.records.info import AnomalyInfo

S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> int:
        return round(self.s * S)


def chi_square(degrees: int, count: int = 600, seed: int = 0) -> list[float]:
    """Errors of ``degrees`` squares of a normal distribution, with a mean of 1."""
    errors: list[float] = np.random.default_rng(seed).chisquare(degrees, count) / degrees
    return list(errors)


# ---- the rule ------------------------------------------------------------------------------------


def test_the_rule_worked_out_by_hand() -> None:
    # Roots 1, 2, 3, 4, 5: median 3, deviations from it 2, 1, 0, 1, 2, of which 1 is the median.
    assert threshold_of([1, 8, 27, 64, 125]) == pytest.approx((3 + 5 * 1.4826) ** 3)


@pytest.mark.parametrize("degrees", [2, 12, 60, 600])
def test_what_is_quiet_stays_under_it_and_what_is_far_off_does_not(degrees: int) -> None:
    threshold = threshold_of(chi_square(degrees))
    assert max(chi_square(degrees, count=100_000, seed=1)) < threshold * 1.2
    # Twice the usual error of a model of many numbers, tenfold that of one of twelve.
    assert threshold < {2: 40, 12: 10, 60: 4, 600: 2}[degrees]


def test_a_tenth_of_noise_in_the_quiet_period_hardly_moves_it() -> None:
    quiet = chi_square(60)
    noisy = quiet[:540] + [100.0] * 60
    assert threshold_of(noisy) == pytest.approx(threshold_of(quiet), rel=0.25)


def test_errors_that_are_all_but_equal_leave_some_room() -> None:
    assert threshold_of([2.0] * 50) == pytest.approx(2.0 * 1.1**3)


def test_no_threshold_is_too_large_to_be_told() -> None:
    assert threshold_of([1e37, 3e38, 1e38]) == 1e38


def test_no_threshold_is_0() -> None:
    assert threshold_of([0.0] * 50) == LEAST_THRESHOLD


# ---- learning ------------------------------------------------------------------------------------


def test_it_learns_for_its_time_and_says_so_once() -> None:
    clock, said = Clock(), []
    baseline = Baseline(600, lambda *learnt: said.append(learnt), now_ns=clock)
    errors = chi_square(60)
    for error in errors:
        assert baseline.take(error) is None
        assert baseline.info() == AnomalyInfo(None, learning_until_ns=600 * S)
        clock.s += 1
    assert baseline.take(1.0) is None  # the last one to learn from
    threshold = threshold_of([*errors, 1.0])
    assert said == [(threshold, 601)]
    assert baseline.take(100.0) == threshold
    assert baseline.info() == AnomalyInfo(threshold)
    clock.s += 10_000
    baseline.take(100.0)
    assert len(said) == 1


def test_it_waits_for_enough_to_learn_from() -> None:
    clock, said = Clock(), []
    baseline = Baseline(600, lambda *learnt: said.append(learnt), now_ns=clock)
    for _ in range(FEWEST_ERRORS - 1):
        baseline.take(1.0)
        clock.s += 3600
    assert said == []
    baseline.take(1.0)
    assert len(said) == 1


def test_what_is_known_is_not_learnt_again() -> None:
    baseline = Baseline(600, lambda *_: pytest.fail("it learnt"), known=0.5, now_ns=Clock())
    assert [baseline.take(error) for error in [1.0] * 100] == [0.5] * 100
    assert baseline.info() == AnomalyInfo(0.5)


def test_until_the_first_result_it_tells_when_it_would_end() -> None:
    clock = Clock()
    baseline = Baseline(600, lambda *_: None, now_ns=clock)
    clock.s = 30
    assert baseline.info() == AnomalyInfo(None, learning_until_ns=630 * S)


def test_however_long_it_learns_it_keeps_a_bounded_number_of_errors_from_all_of_the_time() -> None:
    clock, said = Clock(), []
    baseline = Baseline(1, lambda *learnt: said.append(learnt), now_ns=clock)
    for number in range(3 * MOST_ERRORS):
        baseline.take(float(number))
        assert len(baseline._errors) < MOST_ERRORS
    clock.s = 1
    baseline.take(0.0)
    [(threshold, errors)] = said
    assert errors == 3 * MOST_ERRORS + 1
    assert threshold == pytest.approx(threshold_of([float(n) for n in range(errors)]), rel=0.01)
