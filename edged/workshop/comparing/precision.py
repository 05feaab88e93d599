"""Mean average precision as COCO has it.

Detections of a category, best score first over all pictures, are right where they overlap an
object that no better one has taken; precision is made to fall with recall and read at 101 points of
it, and the mean is taken over overlaps (IoU) of 0.50 to 0.95, then over categories. A crowd may be
found any number of times, or not at all, and counts neither way. Source: T.-Y. Lin and P. Dollar,
cocoapi, pycocotools/cocoeval.py, area "all", at most 100 detections a picture; tests hold it
against that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from ...records.frames import Box
from ...records.results import Detection

_OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)
_MOST = 100
_Numbers = npt.NDArray[np.float64]


class Object(msgspec.Struct, frozen=True):
    """One that is there; ``box`` in shares of the picture."""

    label: str
    box: Box
    crowd: bool = False


class Precision(msgspec.Struct, frozen=True):
    """``mean`` is mAP of IoU 0.50 to 0.95, ``at_half`` of 0.50; ``by_label`` the former of each."""

    mean: float
    at_half: float
    by_label: Mapping[str, float]


def precision(
    truths: Sequence[Sequence[Object]], found: Sequence[Sequence[Detection]]
) -> Precision | None:
    """Over pictures; None where they show nothing that could be found."""
    labels = sorted({each.label for picture in truths for each in picture if not each.crowd})
    curves = {label: _average(truths, found, label) for label in labels}
    if not curves:
        return None
    means = {label: float(values.mean()) for label, values in curves.items()}
    at_half = float(np.mean([values[0] for values in curves.values()]))
    return Precision(float(np.mean(list(means.values()))), at_half, means)


def _average(
    truths: Sequence[Sequence[Object]], found: Sequence[Sequence[Detection]], label: str
) -> _Numbers:
    """By overlap."""
    scores: list[float] = []
    rights: list[npt.NDArray[np.bool_]] = []
    ignored: list[npt.NDArray[np.bool_]] = []
    count = 0
    for picture, detections in zip(truths, found, strict=True):
        objects = sorted((o for o in picture if o.label == label), key=lambda o: o.crowd)
        count += sum(not each.crowd for each in objects)
        own = sorted((d for d in detections if d.label == label), key=lambda d: -d.score)[:_MOST]
        right, passed = _judge(objects, own)
        scores += [each.score for each in own]
        rights.append(right)
        ignored.append(passed)
    order = np.argsort(-np.array(scores), kind="mergesort")
    right, passed = np.hstack(rights)[:, order], np.hstack(ignored)[:, order]
    return np.array([_area(r[~p], count) for r, p in zip(right, passed, strict=True)])


def _judge(
    objects: Sequence[Object], found: Sequence[Detection]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Overlaps x detections, best first: which are right, and which count neither way."""
    right = np.zeros((len(_OVERLAPS), len(found)), bool)
    passed = np.zeros_like(right)
    shared = [[_overlap(each.box, one) for one in objects] for each in found]
    for row, least in enumerate(_OVERLAPS):
        taken: set[int] = set()
        for column in range(len(found)):
            best, most = -1, min(least, 1 - 1e-10)
            for place, one in enumerate(objects):
                if place in taken and not one.crowd:
                    continue
                if best >= 0 and not objects[best].crowd and one.crowd:
                    break  # crowds come last, and a right one is better
                if shared[column][place] >= most:
                    best, most = place, shared[column][place]
            if best >= 0:
                taken.add(best)
                passed[row, column] = objects[best].crowd
                right[row, column] = not objects[best].crowd
    return right, passed


def _area(right: npt.NDArray[np.bool_], count: int) -> float:
    """The mean of the precision at the points of recall."""
    hits = np.cumsum(right)
    falling = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(hits / count, _RECALLS, side="left")
    return float(sum(falling[place] for place in places if place < len(falling)) / len(_RECALLS))


def _overlap(box: Box, other: Object) -> float:
    """Intersection over union; over the detection's own area where the other is a crowd."""
    one, two = box, other.box
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    if width <= 0 or height <= 0:
        return 0.0
    own, its = (one[2] - one[0]) * (one[3] - one[1]), (two[2] - two[0]) * (two[3] - two[1])
    shared = width * height
    return shared / (own if other.crowd else own + its - shared)
