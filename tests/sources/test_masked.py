"""Privacy masks: what lies under one reaches nobody."""

from __future__ import annotations

from random import Random

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edged.engine.geometry import Fit
from edged.engine.preprocess import Preprocessor, pixel_rule
from edged.polygon import Polygon, fault
from edged.records.arrays import AnyArray, UInt8Array
from edged.records.frames import Frame, PixelOrder, Size
from edged.records.models import TensorSpec
from edged.samples import Want
from edged.sources.masked import MaskedSource
from edged.sources.synthetic import SyntheticSource

LEFT_HALF: Polygon = ((0, 0), (0.5, 0), (0.5, 1), (0, 1))
ALL: Polygon = ((0, 0), (1, 0), (1, 1), (0, 1))
SHARES = st.floats(0, 1).map(lambda share: round(share, 3))
SIZES = st.tuples(st.integers(16, 90), st.integers(16, 90))


class OneFrame:
    """A source of one picture."""

    live = False

    def __init__(self, pixels: UInt8Array) -> None:
        self.pixels = pixels
        self.opened_for: list[Want] = []
        self.closed = 0

    def open(self, want: Want) -> None:
        self.opened_for.append(want)

    def read(self) -> Frame:
        order = PixelOrder.GRAY if self.pixels.ndim == 2 else PixelOrder.BGR
        return Frame(7, 1, 2, self.pixels, order)

    def close(self) -> None:
        self.closed += 1


def masked(pixels: UInt8Array, *masks: Polygon) -> Frame:
    frame = MaskedSource(OneFrame(pixels.copy()), masks).read()
    assert isinstance(frame, Frame)
    return frame


def touched(mask: Polygon, width: int, height: int) -> AnyArray:
    """bool, height x width: the pixels with any of 7 x 7 points inside of a polygon (even-odd)."""
    steps = (np.arange(7) + 0.5) / 7
    x = (np.arange(width)[:, None] + steps).reshape(1, -1) / width
    y = (np.arange(height)[:, None] + steps).reshape(-1, 1) / height
    inside = np.zeros((y.size, x.size), bool)
    for (x0, y0), (x1, y1) in zip(mask, (*mask[1:], mask[0]), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside.reshape(height, 7, width, 7).any(axis=(1, 3))


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    """Points in their order round the middle: most are dented."""
    points = np.array(draw(st.lists(st.tuples(SHARES, SHARES), min_size=3, max_size=8)))
    around = points - points.mean(axis=0)
    order = np.argsort(np.arctan2(around[:, 1], around[:, 0]))
    polygon = tuple((float(x), float(y)) for x, y in points[order])
    assume(fault(polygon) is None)
    return polygon


@given(
    st.lists(polygons(), min_size=1, max_size=3), SIZES, SIZES, st.sampled_from(Fit), st.randoms()
)
def test_no_value_of_the_tensor_depends_on_what_is_behind_a_mask(
    masks: list[Polygon], size: tuple[int, int], into: tuple[int, int], fit: Fit, random: Random
) -> None:
    width, height = size
    rng = np.random.default_rng(random.getrandbits(32))
    picture = rng.integers(0, 256, (height, width, 3), np.uint8)
    other = picture.copy()
    behind = np.logical_or.reduce([touched(mask, width, height) for mask in masks])
    other[behind] = rng.integers(0, 256, (int(behind.sum()), 3), np.uint8)
    tensor = TensorSpec(0, "in", (1, *into, 3), (1, *into, 3), "uint8", None)
    filled = []
    for pixels in (picture, other):
        view = np.zeros(tensor.shape, np.uint8)
        preprocessor = Preprocessor(tensor, pixel_rule(tensor, None), PixelOrder.RGB, fit)
        preprocessor.fill(masked(pixels, *masks), view)
        filled.append(view.tobytes())
    assert filled[0] == filled[1]


@given(polygons(), SIZES)
def test_the_rest_of_the_picture_is_left_as_it_is(mask: Polygon, size: tuple[int, int]) -> None:
    width, height = size
    white = np.full((height, width, 3), 255, np.uint8)
    near = cv2.dilate(touched(mask, width, height).astype(np.uint8), np.ones((9, 9), np.uint8))
    thin = cv2.polylines(
        np.zeros((height, width), np.uint8),
        [np.rint(np.array(mask) * (width, height) - 0.5).astype(np.int32)],
        True,
        1,
        9,
    )
    assert (masked(white, mask).pixels[(near | thin) == 0] == 255).all()


def test_masks_that_overlap_leave_nothing_open() -> None:
    white = np.full((40, 40, 3), 255, np.uint8)
    assert not masked(white, LEFT_HALF, ALL).pixels.any()


def test_a_grey_picture_is_masked_too() -> None:
    pixels = masked(np.full((40, 40), 255, np.uint8), LEFT_HALF).pixels
    assert not pixels[:, :20].any()
    assert (pixels[:, 24:] == 255).all()


def test_it_is_a_source_like_the_one_behind_it() -> None:
    behind = OneFrame(np.full((40, 40, 3), 255, np.uint8))
    source = MaskedSource(behind, [LEFT_HALF])
    source.open(Size(10, 10))
    source.close()
    assert not source.live
    assert (behind.opened_for, behind.closed) == ([Size(10, 10)], 1)
    frame = source.read()
    assert isinstance(frame, Frame)
    assert (frame.number, frame.captured_ns, frame.arrived_ns) == (7, 1, 2)


def test_frames_of_another_size_are_masked_by_their_own_size() -> None:
    behind = OneFrame(np.full((40, 40, 3), 255, np.uint8))
    source = MaskedSource(behind, [LEFT_HALF])
    source.read()
    behind.pixels = np.full((60, 80, 3), 255, np.uint8)
    frame = source.read()
    assert isinstance(frame, Frame)
    assert not frame.pixels[:, :40].any()
    assert (frame.pixels[:, 44:] == 255).all()


def test_a_frame_that_cannot_be_filled_is_not_given() -> None:
    behind = OneFrame(np.full((40, 40, 3), 255, np.uint8))
    behind.pixels.flags.writeable = False
    with pytest.raises(cv2.error):
        MaskedSource(behind, [LEFT_HALF]).read()


def test_every_frame_of_a_camera_that_uses_its_buffers_again_is_masked() -> None:
    source = MaskedSource(SyntheticSource(size=Size(96, 64)), [LEFT_HALF])
    source.open(None)
    for _ in range(8):
        frame = source.read()
        assert isinstance(frame, Frame)
        assert not frame.pixels[:, :48].any()
        assert frame.pixels[:, 52:].any()
