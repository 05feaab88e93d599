"""From a detector's raw rows to boxes: which rows are looked at, and what is made of them.

A detector without post-processing inside gives thousands of rows, few of which hold anything. They
are sorted out by the numbers as they are stored; only what is left is dequantised.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..records.arrays import AnyArray, FloatArray
from ..records.decoded import ScoredBoxes
from ..records.models import Quantization
from . import NO_CLASS, as_float32, check_finite, not_classes
from .suppression import Places, Suppression

LEAST_SCORE = 0.01
"""Under it nothing is looked at, whatever threshold a pipeline has."""
MOST_CANDIDATES = 1000
"""As many rows are looked at, those with the best scores."""


def stored(number: float, quantization: Quantization | None) -> float:
    """What a tensor holds for ``number``; it may lie between two steps."""
    if quantization is None:
        return number
    return number / quantization.scale + quantization.zero_point


def real(values: AnyArray, quantization: Quantization | None) -> FloatArray:
    """What ``values``, as they are stored, mean. Raises ModelError where they are not finite."""
    found = as_float32(values) if quantization is None else quantization.real(values)
    check_finite("boxes or scores", found)
    return found


def places_over(least: float, best: AnyArray) -> Places:
    """Where the numbers (n,) are over ``least``; of too many, where the largest are. Raises
    ModelError where they are not finite.
    """
    if best.dtype.kind == "f":
        check_finite("scores", best)
    places = np.flatnonzero(best > least)
    if len(places) > MOST_CANDIDATES:
        largest = best[places].argpartition(-MOST_CANDIDATES)[-MOST_CANDIDATES:]
        places = places[np.sort(largest)]
    return places


def corners(boxes: AnyArray) -> npt.NDArray[np.float64]:
    """Boxes (n, 4) as x centre, y centre, width, height -> x_min, y_min, x_max, y_max."""
    made = np.empty((len(boxes), 4))
    half = boxes[:, 2:] * 0.5
    np.subtract(boxes[:, :2], half, out=made[:, :2])
    np.add(boxes[:, :2], half, out=made[:, 2:])
    return made


def scored_boxes(
    boxes: npt.NDArray[np.float64],
    scores: FloatArray,
    classes: npt.NDArray[np.int64],
    suppression: Suppression | None,
) -> ScoredBoxes:
    """``boxes`` (n, 4) as x_min, y_min, x_max, y_max in shares of the input, finite; what lies
    outside of it is cut off, and a box of which nothing is left is none. ``suppression`` None: the
    model has done it.
    """
    inside = np.minimum(np.maximum(boxes, 0.0), 1.0).astype(np.float32)
    solid = (inside[:, :2] < inside[:, 2:]).all(axis=1)
    if not solid.all():
        inside, scores, classes = inside[solid], scores[solid], classes[solid]
    if suppression is not None:
        kept = suppression.kept(inside, scores, classes)
        inside, scores, classes = inside[kept], scores[kept], classes[kept]
    return ScoredBoxes.of(inside, np.minimum(np.maximum(scores, 0.0), 1.0), classes)


def class_numbers(classes: FloatArray) -> npt.NDArray[np.int64]:
    """Whole numbers, from a tensor that holds them with fractions. Raises ModelError for such as
    no model has.
    """
    if (np.absolute(classes) >= NO_CLASS).any():
        raise not_classes()
    return np.rint(classes).astype(np.int64)
