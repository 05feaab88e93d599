"""Pictures from a source, and places in them.

Coordinates of boxes are shares of the whole source frame, 0..1, origin top left.
"""

from __future__ import annotations

import enum

import msgspec

from .arrays import UInt8Array

Box = tuple[float, float, float, float]
"""``x_min, y_min, x_max, y_max``."""


class PixelOrder(enum.Enum):
    """The order of a frame's channels. OpenCV decodes to BGR; swapping later is cheaper."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"


class Size(msgspec.Struct, frozen=True):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Frame(msgspec.Struct, frozen=True):
    """One picture from a source.

    ``pixels`` is uint8, H x W x 3 in ``order`` (H x W where that is GRAY), C-contiguous. Nobody
    writes to it while anyone still refers to it (see ``buffers``). ``captured_ns`` and
    ``arrived_ns`` are of the monotonic clock (``time.monotonic_ns``): when the sensor took the
    picture, as far as is known, and when it reached this process.
    """

    number: int
    captured_ns: int
    arrived_ns: int
    pixels: UInt8Array
    order: PixelOrder
