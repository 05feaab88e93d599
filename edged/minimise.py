"""Telling less than was found, before anything is published or kept."""

from __future__ import annotations

import math
from collections import Counter

import msgspec

from .records.frames import Box
from .records.results import Detection, Findings, Keypoint, Person

_CELL_DECIMALS = 3  # a box may reach so far into a cell, in parts of it, that is not told


class Minimiser(msgspec.Struct, frozen=True):
    """``coarse``: the side, in shares of the frame, of the cells that boxes are widened to; None:
    they stay as they are, and keypoints go to the middle of theirs. ``min_count``: a label of which
    there are fewer boxes is left out, and so are fewer people.
    """

    coarse: float | None
    min_count: int

    def apply(self, findings: Findings, among: Findings | None = None) -> Findings:
        """What may be told of one frame's findings; ``among``: all that count, None: they do."""
        among = findings if among is None else among
        if people := [each for each in findings if isinstance(each, Person)]:
            return tuple(map(self._person, people)) if len(among) >= self.min_count else ()
        found = [each for each in findings if isinstance(each, Detection)]
        if not found:
            return findings
        counts = Counter(each.label for each in among if isinstance(each, Detection))
        return tuple(
            msgspec.structs.replace(each, box=self.box(each.box))
            for each in found
            if counts[each.label] >= self.min_count
        )

    def _person(self, person: Person) -> Person:
        points = (self._point(point) for point in person.keypoints)
        return msgspec.structs.replace(person, keypoints=tuple(points))

    def _point(self, point: Keypoint) -> Keypoint:
        side = self.coarse
        if side is None:
            return point
        x, y = ((math.floor(share / side) + 0.5) * side for share in (point.x, point.y))
        return msgspec.structs.replace(point, x=min(x, 1.0), y=min(y, 1.0))

    def box(self, box: Box) -> Box:
        """All cells that a box reaches into, as one box."""
        side = self.coarse
        if side is None:
            return box
        x_min, y_min = (math.floor(round(share / side, _CELL_DECIMALS)) * side for share in box[:2])
        x_max, y_max = (math.ceil(round(share / side, _CELL_DECIMALS)) * side for share in box[2:])
        return x_min, y_min, min(x_max, 1.0), min(y_max, 1.0)
