from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.polygon import Polygon
from edged.presence.areas import MOST_TRACKS, Anchor, Crossings, Line, Zone, Zones, point_of
from edged.records.results import Detection

DENTED: Polygon = ((0, 0), (1, 0), (0.5, 0.5), (1, 1), (0, 1))
UP_THE_MIDDLE = Line("gate", (0.5, 1.0), (0.5, 0.0), None, "centre")


def at(x: float, y: float, track: int | None = 1, label: str = "person") -> Detection:
    return Detection(label, 0.9, (x - 0.05, y - 0.1, x + 0.05, y + 0.1), track)


Points = list[tuple[float, float]]
points = st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)), max_size=20)


@given(points)
def test_points_are_inside_where_opencv_says_so(points: Points) -> None:
    zones = [
        Zone("all", ((0, 0), (1, 0), (1, 1), (0, 1)), None, "top"),
        Zone("dented", DENTED, None, "centre"),
        Zone("nobody", DENTED, frozenset({"cat"}), "centre"),
    ]
    contour = np.array(DENTED, np.float32)
    found = [at(*point, track=number) for number, point in enumerate(points)]
    held = [(zone.name, each.track) for zone, each in Zones(zones).holding(found)]
    for number, point in enumerate(points):
        side = cv2.pointPolygonTest(contour, point_of(at(*point).box, "centre"), True)
        assert abs(side) < 1e-5 or (("dented", number) in held) == (side > 0)
    assert [number for name, number in held if name == "all"] == [
        number for number, (_, y) in enumerate(points) if point_of(at(0, y).box, "top")[1] >= 0
    ]
    assert "nobody" not in dict(held)


def test_where_there_are_no_zones_or_objects_nothing_is_held() -> None:
    assert list(Zones(()).holding([at(0.5, 0.5)])) == []
    assert list(Zones([Zone("dented", DENTED, None, "centre")]).holding([])) == []


@pytest.mark.parametrize(("anchor", "y"), [("bottom", 0.6), ("centre", 0.5), ("top", 0.4)])
def test_an_anchor_is_in_the_middle_of_the_box_s_width(anchor: Anchor, y: float) -> None:
    assert point_of(at(0.3, 0.5).box, anchor) == pytest.approx((0.3, y))
    thin = Zone("thin", ((0, y - 0.01), (1, y - 0.01), (1, y + 0.01), (0, y + 0.01)), None, anchor)
    assert len(list(Zones([thin]).holding([at(0.3, 0.5)]))) == 1


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


def test_a_line_remembers_those_seen_last() -> None:
    crossings = Crossings(UP_THE_MIDDLE)
    crossings.take([at(0.3, 0.5, track=1), at(0.3, 0.5, track=2)])
    for track in range(3, MOST_TRACKS + 2):
        crossings.take([at(0.3, 0.5, track=1), at(0.3, 0.5, track=track)])
    assert crossings.take([at(0.7, 0.5, track=1)])
    assert not crossings.take([at(0.7, 0.5, track=2)])


def test_who_is_seen_again_after_nobody_looked_has_crossed_nothing() -> None:
    crossings = Crossings(UP_THE_MIDDLE)
    crossings.take([at(0.3, 0.5)])
    crossings.forget()
    assert not crossings.take([at(0.7, 0.5)])
