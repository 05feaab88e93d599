"""Where a frame lies in the input, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.geometry import Fit, Inset, Placement, Rect, scaled_size
from edged.records.frames import Box, Size

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


# ---- parts of a frame ----------------------------------------------------------------------------

shares = st.floats(0, 1)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Some are lines or points; those that are found have an area, and may be under a pixel."""
    (x_min, x_max), (y_min, y_max) = (
        sorted(draw(st.tuples(shares, shares), label=axis)) for axis in "xy"
    )
    return x_min, y_min, x_max, y_max


@given(boxes(), sizes, st.floats(0, 1))
def test_a_part_around_a_box_is_within_the_frame_and_holds_all_of_the_box(
    box: Box, frame: Size, margin: float
) -> None:
    part = Rect.around(box, frame, margin)
    assert part.width >= 1
    assert part.height >= 1
    assert 0 <= part.x <= part.x + part.width <= frame.width
    assert 0 <= part.y <= part.y + part.height <= frame.height
    assert part.x <= box[0] * frame.width + 1e-6
    assert part.y <= box[1] * frame.height + 1e-6
    assert part.x + part.width >= box[2] * frame.width - 1e-6
    assert part.y + part.height >= box[3] * frame.height - 1e-6


@pytest.mark.parametrize(
    ("box", "margin", "part"),
    [
        ((0.25, 0.5, 0.5, 0.75), 0.0, Rect(320, 360, 320, 180)),
        ((0.25, 0.5, 0.5, 0.75), 0.25, Rect(240, 315, 480, 270)),
        ((0.75, 0.75, 1.0, 1.0), 0.5, Rect(800, 450, 480, 270)),  # as far as the frame goes
        ((0.0, 0.0, 1.0, 1.0), 1.0, Rect(0, 0, 1280, 720)),
        ((0.5, 0.5, 0.5001, 0.5001), 0.1, Rect(639, 359, 2, 2)),
        ((0.9999, 0.9999, 1.0, 1.0), 0.0, Rect(1279, 719, 1, 1)),
        ((1.0, 1.0, 1.0, 1.0), 0.0, Rect(1279, 719, 1, 1)),
    ],
)
def test_the_pixels_around_a_box(box: Box, margin: float, part: Rect) -> None:
    assert Rect.around(box, HD, margin) == part


@given(boxes(), sizes, sizes, st.sampled_from(Fit), boxes())
def test_what_is_found_in_a_part_comes_to_lie_in_it(
    around: Box, frame: Size, into: Size, fit: Fit, found: Box
) -> None:
    part = Rect.around(around, frame, 0.1)
    inset = Inset(Placement.of(part.size, into, fit), part, frame)
    for box in (found, tuple(9 * share - 4 for share in found)):
        x_min, y_min, x_max, y_max = inset.to_frame(box)
        edge = 1e-9
        assert part.x / frame.width - edge <= x_min <= x_max
        assert x_max <= min((part.x + part.width) / frame.width + edge, 1.0)
        assert part.y / frame.height - edge <= y_min <= y_max
        assert y_max <= min((part.y + part.height) / frame.height + edge, 1.0)
        assert inset.point_to_frame(*box[:2]) == (x_min, y_min)


@given(boxes(), sizes, sizes, st.sampled_from(Fit), shares, shares)
def test_the_way_from_the_frame_into_a_part_and_back_is_the_identity(
    around: Box, frame: Size, into: Size, fit: Fit, x: float, y: float
) -> None:
    """For a point of what the model sees; the way there is written out here."""
    part = Rect.around(around, frame, 0.1)
    placement = Placement.of(part.size, into, fit)
    cut, target = placement.cut, placement.target
    at = (part.x + cut.x + x * cut.width, part.y + cut.y + y * cut.height)
    seen = (
        (target.x + x * target.width) / into.width,
        (target.y + y * target.height) / into.height,
    )
    point = Inset(placement, part, frame).point_to_frame(*seen)
    assert point == pytest.approx((at[0] / frame.width, at[1] / frame.height), abs=1e-9)


@given(sizes, sizes, st.sampled_from(Fit), boxes())
def test_a_part_that_is_the_whole_changes_nothing(
    frame: Size, into: Size, fit: Fit, box: Box
) -> None:
    placement = Placement.of(frame, into, fit)
    whole = Inset(placement, Rect(0, 0, frame.width, frame.height), frame)
    assert whole.to_frame(box) == pytest.approx(placement.to_frame(box))
    assert whole.covered(9, 7) == placement.covered(9, 7)
