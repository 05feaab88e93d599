"""How well detections agree with a known truth: matches, precision, recall, average precision.

A detection is right when it overlaps a shape of its own label that no better detection has taken
(the matching of PASCAL VOC: best score first, each shape once). Shapes that are mostly hidden are
neither asked for nor held against a detection that finds them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from .records.frames import Box
from .records.results import Detection
from .sources.scene import Truth

LEAST_OVERLAP = 0.5
LEAST_VISIBLE = 0.5


class Counts(msgspec.Struct, frozen=True):
    """Right detections, wrong ones, and shapes that were not found; counts of frames add up."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    @property
    def precision(self) -> float:
        """The share of the detections that is right; 1.0 where nothing was detected."""
        detected = self.true_positives + self.false_positives
        return self.true_positives / detected if detected else 1.0

    @property
    def recall(self) -> float:
        """The share of the shapes that was found; 1.0 where there are none."""
        there = self.true_positives + self.false_negatives
        return self.true_positives / there if there else 1.0


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes (x_min, y_min, x_max, y_max): 0..1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def match(
    truths: Sequence[Truth], found: Sequence[Detection], iou: float = LEAST_OVERLAP
) -> Counts:
    """Count one frame's detections against what it shows."""
    judged = _judge(truths, found, iou)
    right = sum(verdict.right for verdict in judged)
    asked_for = sum(truth.visible >= LEAST_VISIBLE for truth in truths)
    return Counts(right, len(judged) - right, asked_for - right)


def average_precision(
    truths: Sequence[Sequence[Truth]],
    found: Sequence[Sequence[Detection]],
    label: str,
    iou: float = LEAST_OVERLAP,
) -> float | None:
    """The area under one label's precision-recall curve over many frames, 0..1.

    All points of the curve count and precision is made to fall with recall, as in PASCAL VOC
    since 2010 (Everingham et al., 2015). None where no frame shows the label.
    """
    asked_for = 0
    judged: list[_Verdict] = []
    for frame_truths, frame_found in zip(truths, found, strict=True):
        of_label = [truth for truth in frame_truths if truth.label == label]
        asked_for += sum(truth.visible >= LEAST_VISIBLE for truth in of_label)
        judged += _judge(of_label, [item for item in frame_found if item.label == label], iou)
    if not asked_for:
        return None
    judged.sort(key=lambda verdict: verdict.score, reverse=True)
    right = np.cumsum([verdict.right for verdict in judged])
    precision = right / np.arange(1, len(judged) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(right, prepend=0) * falling)) / asked_for


def mean_average_precision(
    truths: Sequence[Sequence[Truth]],
    found: Sequence[Sequence[Detection]],
    iou: float = LEAST_OVERLAP,
) -> float:
    """The mean of ``average_precision`` over the labels that the frames show; raises ValueError
    where they show none."""
    labels = sorted({truth.label for frame in truths for truth in frame})
    each = (average_precision(truths, found, label, iou) for label in labels)
    told = [value for value in each if value is not None]
    if not told:
        raise ValueError("No frame shows a shape that could be found; there is nothing to measure.")
    return sum(told) / len(told)


class _Verdict(msgspec.Struct, frozen=True):
    score: float
    right: bool


def _judge(truths: Sequence[Truth], found: Sequence[Detection], iou: float) -> list[_Verdict]:
    """A verdict on each detection, best score first, but those of mostly hidden shapes."""
    judged: list[_Verdict] = []
    free = [truth for truth in truths if truth.visible >= LEAST_VISIBLE]
    hidden = [truth for truth in truths if truth.visible < LEAST_VISIBLE]
    for item in sorted(found, key=lambda item: item.score, reverse=True):
        taken = _best(free, item, iou)
        if taken is not None:
            free.remove(taken)
            judged.append(_Verdict(item.score, True))
        elif _best(hidden, item, iou) is None:
            judged.append(_Verdict(item.score, False))
    return judged


def _best(truths: Sequence[Truth], item: Detection, iou: float) -> Truth | None:
    """The shape of the detection's label that it overlaps most, if by ``iou`` at least."""
    alike = [truth for truth in truths if truth.label == item.label]
    best = max(alike, key=lambda truth: overlap(truth.box, item.box), default=None)
    return best if best is not None and overlap(best.box, item.box) >= iou else None


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
