"""Zones and lines of the picture, and the points that are in them or cross them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from ..polygon import Point, Polygon, side
from ..records.frames import Box
from ..records.results import Detection

Anchor = Literal["bottom", "centre", "top"]
_DOWN: Mapping[Anchor, float] = {"top": 0.0, "centre": 0.5, "bottom": 1.0}
MOST_TRACKS = 1000
"""More than there are at a time; those that were seen last are remembered."""


class Zone(msgspec.Struct, frozen=True):
    """``labels`` None: all count. ``anchor``: which point of a box has to be inside."""

    name: str
    polygon: Polygon
    labels: frozenset[str] | None
    anchor: Anchor


class Line(msgspec.Struct, frozen=True):
    """From ``start`` to ``end``; ``labels`` and ``anchor`` as of a zone."""

    name: str
    start: Point
    end: Point
    labels: frozenset[str] | None
    anchor: Anchor


def counts(part: Zone | Line, label: str) -> bool:
    """Whether objects of that label do."""
    return part.labels is None or label in part.labels


class Zones:
    """Several, in all of which the points of a frame's boxes are looked for at once: with a few
    boxes each call of NumPy costs more than what it works out.
    """

    def __init__(self, zones: Sequence[Zone]) -> None:
        self._zones = zones
        starts = [np.array(zone.polygon, np.float64) for zone in zones]
        lengths = [len(corners) for corners in starts]
        edges = np.concatenate(starts or [np.empty((0, 2))])
        ends = np.concatenate([np.roll(each, -1, axis=0) for each in starts] or [edges])
        self._x, self._y = edges.T.copy()
        self._end_y = ends[:, 1].copy()
        self._run, self._rise = (ends - edges).T.copy()
        self._rise[self._rise == 0] = 1  # such an edge spans nothing
        self._down = np.repeat([_DOWN[zone.anchor] for zone in zones], lengths)
        self._first_edges = np.cumsum([0, *lengths[:-1]])

    def holding(self, found: Sequence[Detection]) -> Iterator[tuple[Zone, Detection]]:
        """Each with each zone that its point is in and where it counts."""
        if not (self._zones and found):
            return
        boxes = np.array([each.box for each in found], np.float64)
        held = self._held(boxes).tolist()
        for number, zone in enumerate(self._zones):
            for each, of_zones in zip(found, held, strict=True):
                if of_zones[number] and counts(zone, each.label):
                    yield zone, each

    def _held(self, boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Boxes (n, 4) -> (n, zones): a ray to the right meets a zone's edges oddly often."""
        x_min, y_min, x_max, y_max = boxes.T[:, :, None]
        y = y_min * (1 - self._down) + y_max * self._down
        meets = self._x + self._run * (y - self._y) / self._rise
        odd = (self._y > y) != (self._end_y > y)
        odd &= (x_min + x_max) / 2 < meets
        held: npt.NDArray[np.bool_] = np.logical_xor.reduceat(odd, self._first_edges, axis=1)
        return held


def point_of(box: Box, anchor: Anchor) -> Point:
    """In the middle of a box's width."""
    down = _DOWN[anchor]
    return (box[0] + box[2]) / 2, box[1] * (1 - down) + box[3] * down


class Crossings(msgspec.Struct):
    """How many objects went over a line; ``to_right`` and ``to_left`` as one sees it who looks from
    its start to its end.
    """

    line: Line
    to_right: int = 0
    to_left: int = 0
    # by track, the last seen at its end
    _last: dict[int, Point] = msgspec.field(default_factory=dict)

    def take(self, found: Sequence[Detection]) -> bool:
        """One frame's objects, as far as they have tracks; whether any has crossed the line."""
        crossed = False
        for each in found:
            if each.track is None or not counts(self.line, each.label):
                continue
            point = point_of(each.box, self.line.anchor)
            right = self._right(point)
            if not right:  # A point on the line has not crossed it yet.
                continue
            before = self._last.pop(each.track, None)
            self._last[each.track] = point
            if before is not None and self._is_between(before, point):
                crossed = True
                if right > 0:
                    self.to_right += 1
                else:
                    self.to_left += 1
        while len(self._last) > MOST_TRACKS:
            del self._last[next(iter(self._last))]
        return crossed

    def forget(self) -> None:
        """Nobody looked for a while: who is seen next came from nowhere."""
        self._last.clear()

    def _is_between(self, before: Point, now: Point) -> bool:
        """Whether the way goes over the line, and not past one of its ends."""
        if self._right(before) * self._right(now) >= 0:
            return False
        start, end = side(before, now, self.line.start), side(before, now, self.line.end)
        return start * end <= 0

    def _right(self, point: Point) -> float:
        """Over 0: to the right of the line, for y goes down."""
        return side(self.line.start, self.line.end, point)
