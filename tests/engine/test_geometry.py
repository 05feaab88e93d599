"""Where a frame lies in the input, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.geometry import Fit, Placement, Rect, scaled_size
from edged.records import Size

HD = Size(1280, 720)
SQUARE = Size(300, 300)
sizes = st.builds(Size, st.integers(1, 3000), st.integers(1, 3000))


def test_stretch_is_the_identity_in_shares() -> None:
    box = (0.1, 0.2, 0.3, 0.4)
    placement = Placement.of(HD, SQUARE, Fit.STRETCH)
    assert placement.to_frame(box) == pytest.approx(box)


def test_letterbox_keeps_the_proportions() -> None:
    placement = Placement.of(HD, SQUARE, Fit.LETTERBOX)
    assert placement.target == Rect(0, 65, 300, 169)
    whole = (0, 65 / 300, 1, 234 / 300)
    assert placement.to_frame(whole) == pytest.approx((0, 0, 1, 1))


def test_crop_cuts_the_longer_side() -> None:
    placement = Placement.of(HD, SQUARE, Fit.CROP)
    assert placement.cut == Rect(280, 0, 720, 720)
    expected = (280 / 1280, 0, 1000 / 1280, 1)
    assert placement.to_frame((0, 0, 1, 1)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("fit", "size", "rows", "columns"),
    [
        (Fit.STRETCH, (30, 30), (0, 30), (0, 30)),
        (Fit.CROP, (30, 30), (0, 30), (0, 30)),
        (Fit.LETTERBOX, (300, 300), (65, 234), (0, 300)),
        (Fit.LETTERBOX, (30, 30), (6, 23), (0, 30)),  # middles from 6.5 to 23.4 of 30
        (Fit.LETTERBOX, (1, 1), (0, 1), (0, 1)),
    ],
)
def test_a_map_is_covered_where_the_frame_lies(
    fit: Fit, size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    covered = Placement.of(HD, SQUARE, fit).covered(*size)
    assert covered == (slice(*rows), slice(*columns))


@given(sizes, sizes, st.sampled_from(Fit), st.integers(1, 99), st.integers(1, 99))
def test_some_of_a_map_is_always_covered(
    frame: Size, into: Size, fit: Fit, height: int, width: int
) -> None:
    for length, covered in zip(
        (height, width), Placement.of(frame, into, fit).covered(height, width), strict=True
    ):
        assert 0 <= covered.start < covered.stop <= length


def test_boxes_are_clipped_to_the_frame() -> None:
    for wild in (-3, -1, 5, 2), (-3e38, -3e38, 3e38, 3e38):
        for fit in Fit:
            box = Placement.of(HD, SQUARE, fit).to_frame(wild)
            assert min(box) >= 0
            assert max(box) <= 1


@pytest.mark.parametrize(
    ("fit", "size"),
    [(Fit.STRETCH, SQUARE), (Fit.LETTERBOX, Size(300, 169)), (Fit.CROP, Size(533, 300))],
)
def test_a_camera_that_scales_is_asked_for_the_size_that_needs_no_more_scaling(
    fit: Fit, size: Size
) -> None:
    assert scaled_size(HD, SQUARE, fit) == size
    placement = Placement.of(size, SQUARE, fit)
    assert placement.cut.size == placement.target.size


@given(sizes, sizes, st.sampled_from(Fit), st.floats(0, 1), st.floats(0, 1))
def test_a_point_of_the_frame_comes_back_to_itself(
    frame: Size, into: Size, fit: Fit, share_x: float, share_y: float
) -> None:
    placement = Placement.of(frame, into, fit)
    cut, target = placement.cut, placement.target
    x = (target.x + share_x * target.width) / into.width
    y = (target.y + share_y * target.height) / into.height
    back = placement.to_frame((x, y, x, y))
    assert back[0] == pytest.approx((cut.x + share_x * cut.width) / frame.width, abs=1e-4)
    assert back[1] == pytest.approx((cut.y + share_y * cut.height) / frame.height, abs=1e-4)
