"""How far two models agree: a share, 0 to 1, of what one finds in each example the other finds too.

It needs no labels. By what the models give: classes, the same best one; boxes, the F-measure of
those of one class that overlap by half (scores of at least 0.5); maps, pixels of the same class;
people, key points no more than 5 % of the picture apart; numbers, the coefficient of determination
of the one by the other, and 0 where that is below.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ..groundtruth import LEAST_OVERLAP, overlap
from ..records.arrays import AnyArray, FloatArray
from ..records.decoded import (
    ClassMap,
    Decoded,
    HeardClasses,
    Numbers,
    Reconstruction,
    ScoredBoxes,
    ScoredClasses,
    ScoredPeople,
)

LEAST_SCORE = 0.5
MOST_APART = 0.05


class Agreement(msgspec.Struct):
    """Of as many pairs as were added."""

    _same: list[float] = msgspec.field(default_factory=list)
    _weights: list[float] = msgspec.field(default_factory=list)
    _values: list[tuple[FloatArray, FloatArray]] = msgspec.field(default_factory=list)

    def add(self, one: Decoded, other: Decoded) -> None:
        """What both found in an example."""
        match one, other:
            case (Numbers(), Numbers()):
                self._values.append((one.values, other.values))
            case (Reconstruction(), Reconstruction()):
                self._values.append((_as_array(one.error), _as_array(other.error)))
            case (ScoredClasses(), ScoredClasses()):
                self._count(one.scores.argmax() == other.scores.argmax())
            case (HeardClasses(), HeardClasses()):
                for scores, others in zip(one.scores, other.scores, strict=False):
                    self._count(scores.argmax() == others.argmax())
            case (ScoredBoxes(), ScoredBoxes()):
                common, there = _common_boxes(one, other)
                self._count(common / there if there else 1.0, there)
            case (ClassMap(), ClassMap()):
                self._count(_same_pixels(one.classes, other.classes))
            case (ScoredPeople(), ScoredPeople()):
                common, there = _common_points(one, other)
                self._count(common / there if there else 1.0, there)
            case _:
                self._count(0.0)  # models for two tasks

    def _count(self, same: float, weight: float = 1.0) -> None:
        self._same.append(float(same))
        self._weights.append(weight)

    @property
    def share(self) -> float:
        """1 where nothing was found by either."""
        if self._values:
            return _determination(*(np.stack(values) for values in zip(*self._values, strict=True)))
        total = sum(self._weights)
        if not total:
            return 1.0
        return float(np.average(self._same, weights=self._weights))


def _as_array(value: float) -> FloatArray:
    return np.array([value], np.float32)


def _common_boxes(one: ScoredBoxes, other: ScoredBoxes) -> tuple[float, float]:
    """The boxes that both have, counted twice, and all of both."""
    left = [n for n, score in enumerate(other.scores) if score >= LEAST_SCORE]
    mine = sorted(
        (n for n, score in enumerate(one.scores) if score >= LEAST_SCORE),
        key=lambda n: -one.scores[n],
    )
    there, common = len(left) + len(mine), 0
    for n in mine:
        alike = [m for m in left if other.classes[m] == one.classes[n]]
        overlaps = [overlap(one.boxes[n], other.boxes[m]) for m in alike]
        most = max(overlaps, default=0.0)
        if most >= LEAST_OVERLAP:
            left.remove(alike[overlaps.index(most)])
            common += 2
    return common, there


def _same_pixels(one: AnyArray, other: AnyArray) -> float:
    return float(np.mean(one == other)) if one.shape == other.shape else 0.0


def _common_points(one: ScoredPeople, other: ScoredPeople) -> tuple[float, float]:
    """Of people in their order; one that only one of both has counts with all points."""
    each = one.points.shape[1]
    both = min(len(one.points), len(other.points))
    apart = np.linalg.norm(one.points[:both] - other.points[:both], axis=2)
    there = max(len(one.points), len(other.points)) * each
    return float(np.count_nonzero(apart <= MOST_APART)), float(there)


def _determination(one: FloatArray, other: FloatArray) -> float:
    """1 - sum((x - y)^2) / sum((x - mean x)^2), of arrays (n, values)."""
    spread = float(np.sum((one - one.mean(axis=0)) ** 2))
    error = float(np.sum((one - other) ** 2))
    if not spread:
        return float(not error)
    return max(0.0, 1 - error / spread)
