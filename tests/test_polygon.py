from __future__ import annotations

import pytest

from edged.polygon import Point, fault

CROSSED = "its edge from point 1 to 2 meets its edge from point 3 to 4"
SQUARE: list[Point] = [(0, 0), (1, 0), (1, 1), (0, 1)]


@pytest.mark.parametrize(
    "polygon",
    [
        SQUARE,
        SQUARE[::-1],
        SQUARE[:3],
        [(0, 0), (1, 0), (0.4, 0.5), (1, 1), (0, 1)],
        [(0, 0), (0.5, 0), (1, 0), (1, 1)],
    ],
    ids=["square", "the other way round", "triangle", "dented", "a point on an edge"],
)
def test_polygons_with_a_plain_inside_have_no_fault(polygon: list[Point]) -> None:
    assert fault(polygon) is None


@pytest.mark.parametrize(
    ("polygon", "said"),
    [
        ([(0, 0), (1, 1), (1, 0), (0, 1)], CROSSED),
        ([(1, 0), (0, 1), (0, 0), (1, 1)], CROSSED),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], "meets"),
        ([(0, 0), (1, 0), (1, 1), (0, 0)], "points 1 and 4 are the same"),
        ([(0, 0), (0.5, 0.5), (1, 1)], "one line"),
        ([(0, 0), (1, 0), (0.2, 0), (0.8, 0)], "meets"),
    ],
    ids=["crossed", "crossed elsewhere", "touched", "closed twice", "flat", "folded"],
)
def test_others_are_told_with_the_place(polygon: list[Point], said: str) -> None:
    assert said in (fault(polygon) or "")
