"""Detection with SSD post-processing inside the model: four outputs, non-maximum suppression done.

Source of the convention: TFLite_Detection_PostProcess of the TF Object Detection API. Boxes are
``y_min, x_min, y_max, x_max`` as shares of the input; classes count from 0 without a background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ModelError
from ..records import AnyArray, ScoredBoxes
from . import as_float32, check_finite, numbers, unlike

# Between two inferences the processor's caches have forgotten this code. What stays within NumPy's
# compiled part costs a fifth then: ``take`` for indexing by a list, ufuncs for ``clip`` (measured).
_TO_XYXY = np.array([1, 0, 3, 2])
_NO_CLASS = 2**31


@dataclass(frozen=True, slots=True)
class DetectionRoles:
    """The positions of the outputs: boxes [1, n, 4], classes [1, n], scores [1, n], count [1]."""

    boxes: int
    classes: int
    scores: int
    count: int


class DetectionDecoder:
    def __init__(self, roles: DetectionRoles) -> None:
        self._roles = roles

    def decode(self, outputs: Sequence[AnyArray]) -> ScoredBoxes:
        try:
            return self._decode(outputs)
        except (IndexError, ValueError) as error:
            raise unlike(error) from error

    def _decode(self, outputs: Sequence[AnyArray]) -> ScoredBoxes:
        roles = self._roles
        found = float(numbers(outputs, roles.count).item(0))
        if not math.isfinite(found):
            raise ModelError("its count is not a finite number")
        boxes = numbers(outputs, roles.boxes).reshape(-1, 4)
        # What lies behind the count was not written in this invocation.
        count = int(min(max(found, 0), len(boxes)))
        boxes = as_float32(boxes[:count].take(_TO_XYXY, axis=1))
        scores = as_float32(numbers(outputs, roles.scores).reshape(-1)[:count])
        classes = numbers(outputs, roles.classes).reshape(-1)[:count].astype(np.float64)
        if not len(boxes) == len(scores) == len(classes):
            raise ValueError("there are not as many scores or classes as boxes")
        check_finite("boxes", boxes)
        check_finite("scores", scores)
        check_finite("classes", classes)
        if (np.absolute(classes) >= _NO_CLASS).any():
            raise ModelError("its classes are not numbers of classes")
        scores = np.minimum(np.maximum(scores, 0.0), 1.0)
        return ScoredBoxes(boxes, scores, np.rint(classes).astype(np.int64))
