"""Segmentation: the class of each pixel, or each class's score there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.decoded import ClassMap
from ..records.models import Quantization
from . import check_finite, numbers, unlike
from .outputs import Output, shown
from .task import Candidate, Sure, Task, Told

MOST_CLASSES = 65_536
LEAST_SHARE = 0.01
"""Of the frame: what is smaller is not told where a pipeline has no threshold of its own."""

# What scores by shape alone may be of: with more classes, or of a coarser map, it is as likely the
# features of a classifier or a detector's head.
_MOST_BY_SHAPE = 256
_COARSEST = 16
_OF_OPENCV = ("uint8", "int8", "uint16", "int16", "int32", "float32")
_MOST_PLANES = 128  # of a picture of OpenCV, which from version 5 on has no more
_BARE = (None, Quantization(1.0, 0))


class SegmentationDecoder:
    """Output ``position``, as it is stored, is a map of whole numbers, 1 x H x W (x 1), or has
    ``classes`` scores a pixel, 1 x H x W x classes, the largest of which wins: they need not be
    dequantised for that.
    """

    def __init__(self, position: int, classes: int | None) -> None:
        self._position = position
        self._classes = classes

    def decode(self, outputs: Sequence[AnyArray]) -> ClassMap:
        try:
            stored = numbers(outputs, self._position)
            _, height, width, *_ = stored.shape
            if not stored.size:
                raise ValueError("there are no pixels")
            if self._classes is None:
                return ClassMap(_checked(stored.reshape(height, width)))
            if stored.dtype.kind == "f":
                check_finite("scores", stored)
            scores = stored.reshape(height, width, self._classes)
            return ClassMap(_best(scores))
        except (IndexError, ValueError) as error:
            raise unlike(error) from error


def _best(scores: AnyArray) -> AnyArray:
    """The place of the largest score of each pixel, of equals the first: (height, width, classes)
    -> uint16 (height, width).

    A class at a time by OpenCV takes a third of the time of NumPy's ``argmax`` for bytes, and half
    of it for float32 (measured with 21 classes): that has a handful of numbers in each of its runs.
    """
    if scores.dtype.name not in _OF_OPENCV or scores.shape[2] > _MOST_PLANES:
        found: AnyArray = scores.argmax(axis=-1).astype(np.uint16)
        return found
    best, *others = cv2.split(scores)
    classes = np.zeros(best.shape, np.uint16)
    number = np.empty_like(classes)
    for at, plane in enumerate(others, 1):
        number.fill(at)
        cv2.copyTo(number, cv2.compare(plane, best, cv2.CMP_GT), classes)
        cv2.max(plane, best, dst=best)
    return classes


def _checked(stored: AnyArray) -> AnyArray:
    """A copy as uint16. Raises ModelError where it does not hold classes."""
    if stored.dtype.kind not in "biu":
        raise ValueError(f"a map of {stored.dtype}")
    if not 0 <= int(stored.min()) <= int(stored.max()) < MOST_CLASSES:
        raise ModelError("its map does not hold numbers of classes")
    return stored.astype(np.uint16)


# ---- the reading ---------------------------------------------------------------------------------


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """One output that is a picture of classes, or of not too many scores."""
    if len(outputs) != 1:
        return
    (output,) = outputs
    if _is_map(output):
        sure = Sure.OPERATOR if output.operator == "ARG_MAX" else Sure.SHAPES
        yield Candidate("segmentation", "a class for each pixel", sure)
    elif (classes := _scores_of(output)) and classes <= _MOST_BY_SHAPE:
        sides = zip(output.shape[1:3], told.input_shape[1:3], strict=False)
        if all(side * _COARSEST >= whole for side, whole in sides):
            yield Candidate("segmentation", f"{classes} scores for each pixel", Sure.SHAPES)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    output = outputs[0]
    classes = None if _is_map(output) else _scores_of(output)
    if len(outputs) != 1 or not (classes or _is_map(output)):
        raise ModelError(
            "segmentation needs one output, a map of whole numbers 1 x height x width or scores "
            f"1 x height x width x classes; it has {shown(outputs)}"
        )
    size = f"{output.shape[1]}x{output.shape[2]}"
    what = f"the best of {classes} classes" if classes else "a class"
    return Task(
        name="segmentation",
        why=f"{what} for each of {size} pixels",
        decoder=SegmentationDecoder(output.position, classes),
        classes=classes,
        labels_output=output.position,
        threshold=LEAST_SHARE,
        stored=True,
    )


def _is_map(output: Output) -> bool:
    whole = np.dtype(output.dtype).kind in "biu" and output.quantization in _BARE
    flat = len(output.shape) == 3 or (len(output.shape) == 4 and output.shape[3] == 1)
    return whole and flat and output.shape[0] == 1 and min(output.shape[1:3]) > 1


def _scores_of(output: Output) -> int | None:
    """How many scores a pixel has; None for other shapes."""
    if len(output.shape) != 4 or output.shape[0] != 1 or min(output.shape[1:]) < 2:
        return None
    return output.shape[3]
