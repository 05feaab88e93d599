"""Zones and lines of the picture, and the points that are in them or cross them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..polygon import Point, Polygon, side
from ..records import Detection

Points = npt.NDArray[np.float64]
Anchor = Literal["bottom", "centre", "top"]
_DOWN: Mapping[Anchor, float] = {"top": 0.0, "centre": 0.5, "bottom": 1.0}


@dataclass(frozen=True, slots=True)
class Zone:
    """``labels`` None: all count. ``anchor``: which point of a box has to be inside."""

    name: str
    polygon: Polygon
    labels: frozenset[str] | None
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Line:
    """From ``start`` to ``end``; ``labels`` and ``anchor`` as of a zone."""

    name: str
    start: Point
    end: Point
    labels: frozenset[str] | None
    anchor: Anchor


def counts(part: Zone | Line, label: str) -> bool:
    """Whether objects of that label do."""
    return part.labels is None or label in part.labels


def anchors(found: Sequence[Detection], anchor: Anchor) -> Points:
    """The points (n, 2) of n boxes, in the middle of their width."""
    boxes = np.array([each.box for each in found], np.float64).reshape(-1, 4)
    down = _DOWN[anchor]
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    return np.stack([x, boxes[:, 1] * (1 - down) + boxes[:, 3] * down], axis=1)


def inside(points: Points, polygon: Polygon) -> npt.NDArray[np.bool_]:
    """Which of n points (n, 2) a polygon holds: a ray to the right meets its edges oddly often."""
    start = np.array(polygon, np.float64)
    end = np.roll(start, -1, axis=0)
    x, y = points[:, :1], points[:, 1:]
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    rise = end[:, 1] - start[:, 1]
    rise[rise == 0] = 1  # such an edge spans nothing
    meets = start[:, 0] + (end[:, 0] - start[:, 0]) * (y - start[:, 1]) / rise
    odd: npt.NDArray[np.bool_] = (spans & (x < meets)).sum(axis=1) % 2 == 1
    return odd


@dataclass(slots=True)
class Crossings:
    """How many objects went over a line; ``to_right`` and ``to_left`` as one sees it who looks from
    its start to its end.
    """

    line: Line
    to_right: int = 0
    to_left: int = 0
    _last: dict[int, Point] = field(default_factory=dict)  # by track

    def take(self, found: Sequence[Detection]) -> None:
        """One frame's objects, as far as they have tracks."""
        tracked = [each for each in found if each.track and counts(self.line, each.label)]
        now = {
            each.track: (x, y)
            for each, (x, y) in zip(
                tracked, anchors(tracked, self.line.anchor).tolist(), strict=True
            )
            if each.track is not None
        }
        for track, point in now.items():
            before = self._last.get(track)
            if before is not None and self._is_between(before, point):
                if self._right(point) > 0:
                    self.to_right += 1
                else:
                    self.to_left += 1
        # A point on the line has not crossed it yet.
        self._last |= {track: point for track, point in now.items() if self._right(point)}

    def forget(self, alive: frozenset[int]) -> None:
        """Of all tracks but these."""
        self._last = {track: point for track, point in self._last.items() if track in alive}

    def _is_between(self, before: Point, now: Point) -> bool:
        """Whether the way goes over the line, and not past one of its ends."""
        if self._right(before) * self._right(now) >= 0:
            return False
        start, end = side(before, now, self.line.start), side(before, now, self.line.end)
        return start * end <= 0

    def _right(self, point: Point) -> float:
        """Over 0: to the right of the line, for y goes down."""
        return side(self.line.start, self.line.end, point)
