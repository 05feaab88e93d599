"""Poses: the 17 keypoints of people, as MoveNet gives them.

Source of the layouts: https://www.kaggle.com/models/google/movenet. For one person 1 x 1 x 17 x 3,
each point ``y, x, score``; for several 1 x n x 56, a row the 17 points, then the box
(``y_min, x_min, y_max, x_max``) and the person's score. Coordinates are shares of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.decoded import ScoredPeople
from ..records.poses import KEYPOINTS
from . import as_float32, check_finite, numbers, unlike
from .outputs import Output, shown
from .task import Candidate, Sure, Task, Told

LEAST_SCORE = 0.3
"""Of a person, where a pipeline has no threshold of its own."""

_POINTS = len(KEYPOINTS)
_ROW = _POINTS * 3 + 5
_OFFSETS = 2 * _POINTS


class PoseDecoder:
    """Output ``position`` has one of MoveNet's layouts: ``several`` people, or one, whose score is
    the mean of the points'.
    """

    def __init__(self, position: int, several: bool) -> None:
        self._position = position
        self._several = several

    def decode(self, outputs: Sequence[AnyArray]) -> ScoredPeople:
        try:
            values = as_float32(numbers(outputs, self._position))
            rows = values.reshape(-1, _ROW) if self._several else None
            points = values.reshape(1, -1) if rows is None else rows[:, : 3 * _POINTS]
            points = points.reshape(-1, _POINTS, 3)
        except (IndexError, ValueError) as error:
            raise unlike(error) from error
        check_finite("keypoints", values)
        of_points = np.minimum(np.maximum(points[:, :, 2], 0.0), 1.0)
        of_people = of_points.mean(axis=1) if rows is None else rows[:, -1].clip(0.0, 1.0)
        return ScoredPeople(points[:, :, 1::-1].copy(), of_points, of_people)


# ---- the reading ---------------------------------------------------------------------------------


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """MoveNet's shapes; also heatmaps, which ``read`` refuses with the reason."""
    if _heatmaps(outputs):
        yield Candidate("pose", f"heatmaps of {_POINTS} keypoints", Sure.SHAPES)
    elif len(outputs) == 1 and outputs[0].shape == (1, 1, _POINTS, 3):
        yield Candidate("pose", f"{_POINTS} keypoints of a person", Sure.SHAPES)
    elif len(outputs) == 1 and _is_several(outputs[0]):
        people = outputs[0].shape[1]
        yield Candidate("pose", f"{_POINTS} keypoints of {people} people", Sure.SHAPES)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    if _heatmaps(outputs):
        raise ModelError(
            "its outputs are the heatmaps and offsets of a PoseNet, which are not put together to "
            f"people here ({shown(outputs)}). Take a MoveNet, which gives the keypoints themselves"
        )
    output = outputs[0]
    several = _is_several(output)
    single = output.shape[-2:] == (_POINTS, 3) and set(output.shape[:-2]) <= {1}
    if len(outputs) != 1 or not (several or single):
        raise ModelError(
            f"pose needs one output of MoveNet's, 1 x 1 x {_POINTS} x 3 or 1 x people x {_ROW}; it "
            f"has {shown(outputs)}"
        )
    people = f"up to {output.shape[1]} people" if several else "one person"
    return Task(
        name="pose",
        why=f"{_POINTS} keypoints of {people}, as MoveNet gives them",
        decoder=PoseDecoder(output.position, several),
        classes=None,
        labels_output=output.position,
        threshold=LEAST_SCORE,
    )


def _is_several(output: Output) -> bool:
    return len(output.shape) == 3 and output.shape[0] == 1 and output.shape[2] == _ROW


def _heatmaps(outputs: Sequence[Output]) -> bool:
    """Whether one is 1 x h x w x 17 and, where there are more, another has its offsets."""
    pictures = [output.shape for output in outputs if len(output.shape) == 4]
    maps = [shape[:3] for shape in pictures if shape[3] == _POINTS and min(shape[1:3]) > 1]
    with_offsets = any((*shape, _OFFSETS) in pictures for shape in maps)
    return with_offsets or (len(outputs) == 1 and bool(maps))
