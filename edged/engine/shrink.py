"""From a frame to the picture that a model looks at: cut, scaled, its channels in order."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray, UInt8Array
from ..records.frames import Frame, PixelOrder, Size
from .geometry import Fit, Placement, Rect

_SWAPS = {
    (PixelOrder.RGB, PixelOrder.BGR): cv2.COLOR_RGB2BGR,
    (PixelOrder.BGR, PixelOrder.RGB): cv2.COLOR_BGR2RGB,
    (PixelOrder.RGB, PixelOrder.GRAY): cv2.COLOR_RGB2GRAY,
    (PixelOrder.BGR, PixelOrder.GRAY): cv2.COLOR_BGR2GRAY,
    (PixelOrder.GRAY, PixelOrder.RGB): cv2.COLOR_GRAY2RGB,
    (PixelOrder.GRAY, PixelOrder.BGR): cv2.COLOR_GRAY2BGR,
}


class Shrinker:
    """Makes pictures of ``size`` in ``order``. Keeps its scratch buffer; one thread uses it."""

    def __init__(self, size: Size, order: PixelOrder, fit: Fit) -> None:
        self._size = size
        self._order = order
        self._fit = fit
        self._plan: _Plan | None = None

    def shrink(self, frame: Frame, into: AnyArray) -> tuple[AnyArray, Placement]:
        """The picture and where the frame lies in it. It is in ``into``, uint8 of the picture's
        shape, or where there is nothing to do it is the frame's own pixels. Raises ModelError for
        what is no picture.
        """
        plan = self._plan
        pixels: AnyArray = frame.pixels
        if plan is None or pixels.shape != plan.shape or frame.order is not plan.order:
            plan = self._plan = self._planned(frame)
        if plan.nothing:
            return pixels, plan.placement
        if plan.cut is not None:
            pixels = pixels[plan.cut]
        place = into
        if plan.target is not None:
            into[...] = 0  # the bars are black; a frame before may have been placed elsewhere
            place = into[plan.target]
        # Scaled first, so that the rest works on fewer bytes.
        if plan.scale is not None:
            scaled = place if plan.scaled is None else plan.scaled
            pixels = cv2.resize(pixels, plan.scale, dst=scaled, interpolation=cv2.INTER_LINEAR)
        if plan.swap is not None:
            cv2.cvtColor(pixels, plan.swap, dst=place)
        elif plan.scale is None:
            np.copyto(place, pixels)
        return into, plan.placement

    def _planned(self, frame: Frame) -> _Plan:
        """For frames like this one. Raises ModelError for what is no picture."""
        pixels, order = frame.pixels, frame.order
        # OpenCV writes beside a buffer that does not fit, and says nothing.
        channels = () if order is PixelOrder.GRAY else (3,)
        if pixels.ndim != 2 + len(channels) or pixels.shape[2:] != channels:
            shape = "x".join(map(str, pixels.shape))
            raise ModelError(f"a frame of {shape} is no {order.value} picture")
        size = Size(pixels.shape[1], pixels.shape[0])
        placement = Placement.of(size, self._size, self._fit)
        cut, target = placement.cut, placement.target
        scales, swap = cut.size != target.size, _SWAPS.get((order, self._order))
        scaled: UInt8Array | None = None
        if scales and swap is not None:
            scaled = np.empty((target.height, target.width, *channels), np.uint8)
        return _Plan(
            shape=pixels.shape,
            order=order,
            placement=placement,
            nothing=size == self._size and swap is None,
            cut=None if cut.size == size else _slices(cut),
            target=None if target.size == self._size else _slices(target),
            scale=(target.width, target.height) if scales else None,
            scaled=scaled,
            swap=swap,
        )


class _Plan(msgspec.Struct, frozen=True):
    """The steps for frames of one shape and order, each None where it is not needed; ``nothing``:
    none is.

    ``scaled`` takes what was scaled where it is still to be swapped.
    """

    shape: tuple[int, ...]
    order: PixelOrder
    placement: Placement
    nothing: bool
    cut: tuple[slice, slice] | None
    target: tuple[slice, slice] | None
    scale: tuple[int, int] | None
    scaled: UInt8Array | None
    swap: int | None


def _slices(rect: Rect) -> tuple[slice, slice]:
    """Rows and columns."""
    return slice(rect.y, rect.y + rect.height), slice(rect.x, rect.x + rect.width)
