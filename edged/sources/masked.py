"""Privacy masks: parts of the picture that are filled before anyone gets to see the frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from ..polygon import Polygon
from ..records.arrays import AnyArray, UInt8Array
from ..records.frames import Frame
from ..samples import Given, Want
from . import Source

_BLACK = (0, 0, 0)
# Corners are rounded to whole pixels: an edge comes to lie up to 0.71 px off, and a pixel that it
# just touches has its centre 0.71 px away from it. A line so thick covers 2 px on either side.
_EDGE_PX = 5


class MaskedSource:
    """A source of frames, of which nothing under ``masks`` is left: every pixel that a mask
    touches, and one or two more at its edges, is black.

    The frame's own buffer is filled, in the capture thread, before anyone else refers to it. A
    frame that cannot be filled is not given: that is an error like any other of the source.
    """

    def __init__(self, source: Source, masks: Sequence[Polygon]) -> None:
        self._source = source
        self._masks = [np.array(mask, np.float64) for mask in masks]
        self._shape: tuple[int, ...] = ()
        self._outlines: list[npt.NDArray[np.int32]] = []

    @property
    def live(self) -> bool:
        return self._source.live

    def open(self, want: Want) -> None:
        self._source.open(want)

    def read(self) -> Given | None:
        item = self._source.read()
        if isinstance(item, Frame):
            self._fill(item.pixels)
        return item

    def _fill(self, pixels: UInt8Array) -> None:
        if pixels.shape != self._shape:
            self._shape = pixels.shape
            self._outlines = [_outline(mask, pixels) for mask in self._masks]
        # One by one: where two in one call overlap, OpenCV leaves the picture as it is.
        for outline in self._outlines:
            cv2.fillPoly(pixels, [outline], _BLACK)
            cv2.polylines(pixels, [outline], isClosed=True, color=_BLACK, thickness=_EDGE_PX)

    def close(self) -> None:
        self._source.close()


def _outline(mask: AnyArray, pixels: UInt8Array) -> npt.NDArray[np.int32]:
    """Corners in OpenCV's coordinates, in which (0, 0) is the centre of the top left pixel."""
    height, width = pixels.shape[:2]
    return np.rint(mask * (width, height) - 0.5).astype(np.int32)
