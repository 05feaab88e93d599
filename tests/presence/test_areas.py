from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.polygon import Polygon
from edged.presence.areas import Crossings, Line, anchors, inside
from edged.records import Detection

DENTED: Polygon = ((0, 0), (1, 0), (0.5, 0.5), (1, 1), (0, 1))
UP_THE_MIDDLE = Line("gate", (0.5, 1.0), (0.5, 0.0), None, "centre")


def at(x: float, y: float, track: int | None = 1, label: str = "person") -> Detection:
    return Detection(label, 0.9, (x - 0.05, y - 0.1, x + 0.05, y + 0.1), track)


@given(st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), max_size=20))
def test_points_are_inside_where_opencv_says_so(points: list[tuple[float, float]]) -> None:
    contour = np.array(DENTED, np.float32)
    sides = [cv2.pointPolygonTest(contour, point, True) for point in points]
    found = inside(np.array(points, np.float64).reshape(-1, 2), DENTED).tolist()
    for side, is_inside in zip(sides, found, strict=True):
        assert abs(side) < 1e-5 or is_inside == (side > 0)


@pytest.mark.parametrize(("anchor", "y"), [("bottom", 0.6), ("centre", 0.5), ("top", 0.4)])
def test_an_anchor_is_in_the_middle_of_the_box_s_width(anchor: str, y: float) -> None:
    (point,) = anchors([at(0.3, 0.5)], anchor).tolist()  # type: ignore[arg-type]
    assert point == pytest.approx((0.3, y))


def test_who_goes_over_a_line_is_counted_by_the_side_that_he_comes_to() -> None:
    crossings = Crossings(UP_THE_MIDDLE)
    for x in (0.3, 0.45, 0.5, 0.55, 0.7):
        crossings.take([at(x, 0.5)])
    assert (crossings.to_right, crossings.to_left) == (1, 0)
    for x in (0.6, 0.4):
        crossings.take([at(x, 0.5), at(1 - x, 0.5, track=2)])
    assert (crossings.to_right, crossings.to_left) == (2, 1)


def test_who_passes_its_end_or_has_no_track_does_not_cross_it() -> None:
    crossings = Crossings(Line("gate", (0.5, 0.0), (0.5, 0.4), None, "centre"))
    for x in (0.3, 0.7):
        crossings.take([at(x, 0.8), at(x, 0.2, track=None)])
    assert (crossings.to_right, crossings.to_left) == (0, 0)
