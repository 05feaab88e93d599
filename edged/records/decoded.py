"""What a decoder gives, by task: arrays and plain numbers, in terms of the model input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from .arrays import FloatArray
from .frames import Box


class ScoredClasses(msgspec.Struct, frozen=True):
    """Classification: ``scores`` float32, shape (classes,), each 0..1."""

    scores: FloatArray


class HeardClasses(msgspec.Struct, frozen=True):
    """Keyword: what was said of a stream's last moments, one after the other: ``scores`` of each,
    float32, shape (classes,), 0..1; there may be no moment.

    ``ended_s``: when they ended, in the source's own time. ``anew``: the stream was broken before
    them, and what was heard until then goes with nothing that follows.
    """

    scores: tuple[FloatArray, ...]
    ended_s: float
    anew: bool


class ScoredBoxes(msgspec.Struct, frozen=True):
    """Detection: n boxes, best first or not; ``boxes`` are shares of the *model input*, ``scores``
    0..1.

    They are plain numbers, for they are few: between two inferences the processor's caches have
    forgotten NumPy's code, and its first call costs more than all of them in Python (measured).
    """

    boxes: Sequence[Box]
    scores: Sequence[float]
    classes: Sequence[int]

    @classmethod
    def of(cls, boxes: FloatArray, scores: FloatArray, classes: npt.NDArray[Any]) -> ScoredBoxes:
        """From arrays of the shapes (n, 4), (n,) and, of integers, (n,)."""
        return cls(list(map(tuple, boxes.tolist())), scores.tolist(), classes.tolist())


class ClassMap(msgspec.Struct, frozen=True):
    """Segmentation: the class of each pixel of the *model input*, uint16 (height, width), which may
    be coarser than the input.
    """

    classes: npt.NDArray[np.uint16]


class ScoredPeople(msgspec.Struct, frozen=True):
    """Pose: n people with their keypoints, in the order of ``KEYPOINTS``.

    ``points`` float32 (n, 17, 2), ``x, y`` as shares of the *model input*; ``point_scores`` float32
    (n, 17) and ``scores`` float32 (n,), 0..1.
    """

    points: FloatArray
    point_scores: FloatArray
    scores: FloatArray


class Numbers(msgspec.Struct, frozen=True):
    """Regression: ``values`` float32, shape (n,), finite, in the model's own units."""

    values: FloatArray


class Reconstruction(msgspec.Struct, frozen=True):
    """What an autoencoder makes of its input: ``error`` is the mean of the squared differences
    between the two, in the units of the model's input (normalised), finite and not negative.
    """

    error: float


Decoded = (
    ScoredClasses | HeardClasses | ScoredBoxes | ClassMap | ScoredPeople | Numbers | Reconstruction
)
