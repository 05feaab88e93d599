from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.minimise import Minimiser
from edged.records.frames import Box
from edged.records.results import Anomaly, ClassScore, Detection, Keypoint, Person

SHARES = st.floats(0, 1, width=32)


def found(label: str, box: Box = (0.1, 0.1, 0.4, 0.5)) -> Detection:
    return Detection(label, 0.9, box)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = (sorted(draw(st.tuples(SHARES, SHARES))) for _ in range(2))
    return x[0], y[0], x[1], y[1]


def test_boxes_are_widened_to_the_cells_that_they_reach_into() -> None:
    (told,) = Minimiser(0.25, 1).apply((found("cat", (0.3, 0.24, 0.4, 0.51)),))
    assert told == found("cat", (0.25, 0.0, 0.5, 0.75))


def test_the_last_cell_ends_with_the_frame() -> None:
    assert Minimiser(0.3, 1).box((0.95, 0.5, 1.0, 0.7)) == pytest.approx((0.9, 0.3, 1.0, 0.9))


@given(boxes(), st.floats(0.01, 1))
def test_a_coarse_box_holds_the_true_one_and_says_no_more_than_its_cells(
    box: Box, side: float
) -> None:
    told = Minimiser(side, 1).box(box)
    slack = side / 999
    assert all(0 <= share <= 1 for share in told)
    assert told[0] <= box[0] + slack
    assert told[1] <= box[1] + slack
    assert told[2] >= box[2] - slack
    assert told[3] >= box[3] - slack
    for share in told:
        cells = share / side
        assert share == 1 or abs(cells - round(cells)) < 1e-6
    assert Minimiser(side, 1).box(told) == pytest.approx(told)


@pytest.mark.parametrize("tenth", range(11))
def test_what_ends_at_the_edge_of_a_cell_does_not_reach_into_the_next(tenth: int) -> None:
    edge = float(np.float32(tenth / 10))
    assert Minimiser(0.1, 1).box((edge, edge, edge, edge)) == pytest.approx((tenth / 10,) * 4)


def test_labels_of_which_there_are_too_few_are_not_told() -> None:
    people = (found("person"), found("person", (0.5, 0.5, 0.6, 0.6)))
    told = Minimiser(None, 2).apply((people[0], found("dog"), people[1]))
    assert told == people
    assert Minimiser(None, 3).apply(people) == ()


def test_what_is_no_box_is_told_as_it_is() -> None:
    minimiser = Minimiser(0.1, 2)
    for findings in ((), (ClassScore("cat", 0.5),), (Anomaly(0.1, 0.2, False),)):
        assert minimiser.apply(findings) == findings


def test_keypoints_go_to_the_middle_of_their_cells_and_few_people_are_left_out() -> None:
    def person(x: float, y: float) -> Person:
        return Person(0.9, (Keypoint("nose", x, y, 0.8),))

    coarse = Minimiser(0.25, 2)
    assert coarse.apply((person(0.3, 0.1),)) == ()
    assert coarse.apply((person(0.3, 0.1), person(1.0, 0.0))) == (
        person(0.375, 0.125),
        person(1.0, 0.125),
    )
    assert Minimiser(None, 1).apply((person(0.3, 0.1),)) == (person(0.3, 0.1),)
