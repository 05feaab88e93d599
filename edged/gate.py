"""Which frames are inferred at all: a cheap look at each, before it can wake the inference.

    source -> pace -> gate -> slot -> ...

A frame is compared with the one that last showed motion, or was let through as a heartbeat, and
not with the one just before it: so what moves slowly adds up until it counts, and nothing that is
left out differs by more than the rule allows from a picture that was let through. Both are shrunk
to a grid first. Each of its places is an average over some 5 x 5 of them, which takes the camera's
noise out, and what is compared is the luminance of the colours' differences, so that a colour that
is as bright as what it covers shows too. Slow changes of light are below the contrast between two
heartbeats; a sudden one passes, and what comes after it is compared with it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import msgspec
import numpy as np

from .records.arrays import UInt8Array
from .records.frames import Frame, PixelOrder, Size
from .samples import Captured

LONGEST_SIDE = 160  # of the grid, in places
AVERAGED = (5, 5)

_LUMINANCE = {
    PixelOrder.RGB: cv2.COLOR_RGB2GRAY,
    PixelOrder.BGR: cv2.COLOR_BGR2GRAY,
}


class MotionRule(msgspec.Struct, frozen=True):
    """There is motion where ``share`` of the picture (0..1) differs by ``contrast`` levels of 255
    or more. Frames pass for ``hold_s`` after it, and one ``heartbeat_s`` after the last that did.
    """

    contrast: int
    share: float
    hold_s: float
    heartbeat_s: float


class MotionGate:
    """Used by the capture thread. Time is that of the frames, so that it needs no clock.

    ``wants_all`` says whether every frame is to pass just now.
    """

    def __init__(self, rule: MotionRule, wants_all: Callable[[], bool] = lambda: False) -> None:
        self._rule = rule
        self._wants_all = wants_all
        self._hold_ns = round(rule.hold_s * 1e9)
        self._heartbeat_ns = round(rule.heartbeat_s * 1e9)
        self._held_until_ns = self._due_ns = 0
        self._grid = Size(0, 0)
        self._shape: tuple[int, ...] | None = None  # of the frames; None: nothing to compare with
        self._small = self._now = self._before = self._difference = np.empty(0, np.uint8)
        self._allowed = 0.0

    def reset(self) -> None:
        """Let the next frame pass: what comes now has nothing to do with what came before."""
        self._shape = None

    def lets_pass(self, frame: Captured) -> bool:
        """Whether it is to be inferred."""
        assert isinstance(frame, Frame)
        at_ns = frame.captured_ns
        moved, due = self._has_moved(frame), at_ns >= self._due_ns
        if moved:
            self._held_until_ns = at_ns + self._hold_ns
        if moved or due:
            self._now, self._before = self._before, self._now
        if not (moved or due or at_ns < self._held_until_ns or self._wants_all()):
            return False
        self._due_ns = at_ns + self._heartbeat_ns
        return True

    def _has_moved(self, frame: Frame) -> bool:
        """Also where there is nothing to compare it with. Leaves its picture in ``_now``."""
        known = frame.pixels.shape == self._shape
        if not known:
            self._prepare(frame.pixels.shape)
        # Four pixels a place are read, a fraction of the frame's memory.
        size = (self._grid.width, self._grid.height)
        cv2.resize(frame.pixels, size, dst=self._small, interpolation=cv2.INTER_LINEAR)
        cv2.blur(self._small, AVERAGED, dst=self._now)
        return not known or self._changed_places(frame.order) > self._allowed

    def _changed_places(self, order: PixelOrder) -> int:
        difference = cv2.absdiff(self._now, self._before, dst=self._small)
        if order in _LUMINANCE:
            difference = cv2.cvtColor(difference, _LUMINANCE[order], dst=self._difference)
        least = self._rule.contrast - 1  # the threshold itself is not over it
        cv2.threshold(difference, least, 255, cv2.THRESH_BINARY, dst=self._difference)
        return cv2.countNonZero(self._difference)

    def _prepare(self, shape: tuple[int, ...]) -> None:
        """Buffers for frames of this shape."""
        grid = self._grid = grid_size(Size(shape[1], shape[0]))
        self._small, self._now, self._before = (_buffer(grid, shape[2:]) for _ in range(3))
        self._difference = _buffer(grid, ())
        self._allowed = self._rule.share * self._difference.size
        self._shape = shape


def grid_size(frame: Size) -> Size:
    """The places of a frame; a small one is not enlarged."""
    scale = max(1.0, max(frame.width, frame.height) / LONGEST_SIDE)
    return Size(max(1, round(frame.width / scale)), max(1, round(frame.height / scale)))


def _buffer(grid: Size, channels: tuple[int, ...]) -> UInt8Array:
    return np.empty((grid.height, grid.width, *channels), np.uint8)
