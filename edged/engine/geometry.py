"""Where a frame lies in a model's input, and the way back for boxes, points and maps.

Three fits: ``stretch`` fills the input with the whole frame, ``letterbox`` keeps the proportions
and leaves bars, ``crop`` keeps the proportions and cuts the longer side.
"""

from __future__ import annotations

import enum
import math

import msgspec

from ..records.frames import Box, Size


class Fit(enum.Enum):
    STRETCH = "stretch"
    LETTERBOX = "letterbox"
    CROP = "crop"


class Rect(msgspec.Struct, frozen=True):
    """A rectangle in whole pixels, origin top left."""

    x: int
    y: int
    width: int
    height: int

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)

    @classmethod
    def around(cls, box: Box, frame: Size, margin: float) -> Rect:
        """All pixels of a frame that a box in shares of it touches, at least one, with ``margin``
        times its sides more on each side as far as the frame goes.
        """
        more_x, more_y = (box[2] - box[0]) * margin, (box[3] - box[1]) * margin
        x, width = _touched(box[0] - more_x, box[2] + more_x, frame.width)
        y, height = _touched(box[1] - more_y, box[3] + more_y, frame.height)
        return cls(x, y, width, height)


class Placement(msgspec.Struct, frozen=True):
    """``cut`` of a frame (in its pixels) is scaled onto ``target`` of the input (in its pixels),
    whose size is ``into``.
    """

    frame: Size
    into: Size
    cut: Rect
    target: Rect
    _scale: tuple[float, float]
    _shift: tuple[float, float]

    @classmethod
    def of(cls, frame: Size, into: Size, fit: Fit) -> Placement:
        cut = Rect(0, 0, frame.width, frame.height)
        target = Rect(0, 0, into.width, into.height)
        if fit is Fit.LETTERBOX:
            target = _centred(scaled_size(frame, into, fit), into)
        elif fit is Fit.CROP:
            scale = max(into.width / frame.width, into.height / frame.height)
            size = Size(
                min(frame.width, max(1, round(into.width / scale))),
                min(frame.height, max(1, round(into.height / scale))),
            )
            cut = _centred(size, frame)
        # Frame pixels a pixel of the input, as shares of the frame.
        step_x = cut.width / target.width / frame.width
        step_y = cut.height / target.height / frame.height
        scale_xy = (into.width * step_x, into.height * step_y)
        shift_xy = (
            cut.x / frame.width - target.x * step_x,
            cut.y / frame.height - target.y * step_y,
        )
        return cls(frame, into, cut, target, scale_xy, shift_xy)

    def to_frame(self, box: Box) -> Box:
        """Shares of the input -> shares of the frame, clipped to 0..1. What a box covers of the
        bars is cut off by the clipping.
        """
        (scale_x, scale_y), (shift_x, shift_y) = self._scale, self._shift
        x_min, y_min, x_max, y_max = box
        return (
            _clipped(x_min * scale_x + shift_x),
            _clipped(y_min * scale_y + shift_y),
            _clipped(x_max * scale_x + shift_x),
            _clipped(y_max * scale_y + shift_y),
        )

    def point_to_frame(self, x: float, y: float) -> tuple[float, float]:
        """As ``to_frame``; what lies in the bars comes to lie on the frame's edge."""
        (scale_x, scale_y), (shift_x, shift_y) = self._scale, self._shift
        return _clipped(x * scale_x + shift_x), _clipped(y * scale_y + shift_y)

    def covered(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of a map of the input, ``height`` x ``width``, that the frame
        covers: those whose middle lies in ``target``, and at least one.
        """
        target = self.target
        return (
            _middles(target.y, target.height, height / self.into.height),
            _middles(target.x, target.width, width / self.into.width),
        )


class Inset(msgspec.Struct, frozen=True):
    """As ``placement``, where what lies in the input is ``part`` of a larger ``frame``: shares are
    those of the whole frame, and nothing comes to lie outside of the part.
    """

    placement: Placement
    part: Rect
    frame: Size

    def to_frame(self, box: Box) -> Box:
        x_min, y_min, x_max, y_max = self.placement.to_frame(box)
        return (*self._whole(x_min, y_min), *self._whole(x_max, y_max))

    def point_to_frame(self, x: float, y: float) -> tuple[float, float]:
        return self._whole(*self.placement.point_to_frame(x, y))

    def covered(self, height: int, width: int) -> tuple[slice, slice]:
        """That of the part."""
        return self.placement.covered(height, width)

    def _whole(self, x: float, y: float) -> tuple[float, float]:
        part, frame = self.part, self.frame
        return (
            min((part.x + x * part.width) / frame.width, 1.0),
            min((part.y + y * part.height) / frame.height, 1.0),
        )


Placed = Placement | Inset


def _touched(start: float, end: float, length_px: int) -> tuple[int, int]:
    """The first of the pixels that are touched, and how many there are."""
    first = min(max(math.floor(start * length_px), 0), length_px - 1)
    return first, max(min(math.ceil(end * length_px), length_px) - first, 1)


def _clipped(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def scaled_size(frame: Size, into: Size, fit: Fit) -> Size:
    """The size of the *whole* frame once it is scaled for the input: what to ask a camera for."""
    if fit is Fit.STRETCH:
        return into
    pick = min if fit is Fit.LETTERBOX else max
    scale = pick(into.width / frame.width, into.height / frame.height)
    return Size(max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))


def _middles(start: int, length: int, scale: float) -> slice:
    """The cells whose middle lies in ``length`` from ``start``; a cell is ``1 / scale`` long."""
    first = math.ceil(start * scale - 0.5)
    end = math.ceil((start + length) * scale - 0.5)
    return slice(first, end) if first < end else slice(max(end - 1, 0), max(end, 1))


def _centred(size: Size, within: Size) -> Rect:
    x, y = (within.width - size.width) // 2, (within.height - size.height) // 2
    return Rect(x, y, size.width, size.height)
