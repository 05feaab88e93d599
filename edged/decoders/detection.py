"""Detection with SSD post-processing inside the model: four outputs, non-maximum suppression done.

Source of the convention: TFLite_Detection_PostProcess of the TF Object Detection API. Boxes are
``y_min, x_min, y_max, x_max`` as shares of the input; classes count from 0 without a background.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.decoded import ScoredBoxes
from . import NO_CLASS, not_classes, numbers, unlike
from .outputs import Output, named, shown
from .task import Candidate, Sure, Task, Told


class DetectionRoles(msgspec.Struct, frozen=True):
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
        """In few and the same steps for all outputs: see ``ScoredBoxes``."""
        roles = self._roles
        found, *_ = _listed(outputs, roles.count)
        if not math.isfinite(found):
            raise ModelError("its count is not a finite number")
        boxes = numbers(outputs, roles.boxes).reshape(-1, 4).tolist()
        # What lies behind the count was not written in this invocation.
        count = int(min(max(found, 0), len(boxes)))
        boxes = boxes[:count]
        scores = _listed(outputs, roles.scores)[:count]
        classes = _listed(outputs, roles.classes)[:count]
        if not len(boxes) == len(scores) == len(classes):
            raise ValueError("there are not as many scores or classes as boxes")
        sums = sum(map(sum, boxes)), sum(classes), sum(scores)
        if not math.isfinite(sum(sums)):
            raise _not_finite(*sums)
        if classes and max(max(classes), -min(classes)) >= NO_CLASS:
            raise not_classes()
        return ScoredBoxes(
            [(x_min, y_min, x_max, y_max) for y_min, x_min, y_max, x_max in boxes],
            [min(max(score, 0.0), 1.0) for score in scores],
            list(map(round, classes)),
        )


def _listed(outputs: Sequence[AnyArray], position: int) -> list[float]:
    values: list[float] = numbers(outputs, position).reshape(-1).tolist()
    return values


def _not_finite(*sums: float) -> ModelError:
    """By the sums of boxes, classes and scores: numbers of 32 bits add up to a finite one of 64,
    unless one of them is not finite.
    """
    whats = [what for what, sum_ in zip(_ROLES, sums, strict=False) if not math.isfinite(sum_)]
    return ModelError(f"its {whats[0]} are not finite numbers")


# ---- the reading ---------------------------------------------------------------------------------

_ROLES = ("boxes", "classes", "scores", "count")
_POST_PROCESS = "TFLite_Detection_PostProcess"

# What exporters call the four outputs: signatures of the TF Object Detection API, TFLite metadata
# of the Model Maker (one name or the other), tensors of TF1 exports and of TF2 exports.
_KNOWN_NAMES: tuple[Mapping[str, str], ...] = (
    {
        "detection_boxes": "boxes",
        "detection_classes": "classes",
        "detection_scores": "scores",
        "num_detections": "count",
    },
    {
        "location": "boxes",
        "category": "classes",
        "score": "scores",
        "number of detections": "count",
    },
    {
        _POST_PROCESS: "boxes",
        f"{_POST_PROCESS}:1": "classes",
        f"{_POST_PROCESS}:2": "scores",
        f"{_POST_PROCESS}:3": "count",
    },
    {
        "StatefulPartitionedCall:3": "boxes",
        "StatefulPartitionedCall:2": "classes",
        "StatefulPartitionedCall:1": "scores",
        "StatefulPartitionedCall:0": "count",
    },
)


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """Four outputs whose roles are known, or that have the shapes of such."""
    what = "boxes, classes, scores and count after non-maximum suppression"
    if _given_places(outputs):
        yield Candidate("detection", what, Sure.OPERATOR, "post-processed")
    elif _named_places(outputs):
        yield Candidate("detection", what, Sure.NAMES, "post-processed")
    elif _shaped(outputs):
        yield Candidate("detection", what, Sure.SHAPES, "post-processed")


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs, and where it is not known which is which."""
    if told.roles:
        places, why = _told_places(outputs, told.roles), "roles as told"
    elif places := _given_places(outputs):
        why = f"given by {_POST_PROCESS}"
    elif places := _named_places(outputs):
        why = "known by their names"
    else:
        raise ModelError(
            "its outputs fit no task of this version without being told which is which "
            f"({shown(outputs)}). If it is a detector, add to its .toml file: [outputs] with "
            "boxes, classes, scores and count, each the output's number"
        )
    roles = DetectionRoles(**places)
    by_position = {output.position: output for output in outputs}
    _check_shapes(by_position, roles)
    return Task(
        name="detection",
        why=f"boxes, classes, scores and count after non-maximum suppression; {why}",
        decoder=DetectionDecoder(roles),
        classes=None,
        labels_output=roles.classes,
    )


def _told_places(outputs: Sequence[Output], roles: Mapping[str, int | str]) -> dict[str, int]:
    missing = [role for role in _ROLES if role not in roles]
    if missing:
        raise ModelError(f"its sidecar names outputs for detection, but none for {missing[0]}")
    places = {role: named(outputs, role, wanted).position for role, wanted in roles.items()}
    if len(set(places.values())) != len(_ROLES):
        raise ModelError("its sidecar names the same output for two roles")
    return places


def _given_places(outputs: Sequence[Output]) -> dict[str, int]:
    """Each role's output by the operator that gives it; empty where another one does."""
    if any(output.operator != _POST_PROCESS for output in outputs):
        return {}
    places = {_ROLES[output.operator_output]: output.position for output in outputs}
    return places if len(places) == len(_ROLES) else {}


def _named_places(outputs: Sequence[Output]) -> dict[str, int]:
    """Each role's output by its name; empty where there are not just these names."""
    for known in _KNOWN_NAMES:
        named = {
            role: output.position
            for output in outputs
            for name, role in known.items()
            if name in output.names
        }
        if len(named) == len(_ROLES) and len(set(named.values())) == len(_ROLES):
            return named
    return {}


def _shaped(outputs: Sequence[Output]) -> bool:
    """Whether they are 1 x n x 4, twice n numbers and one, in any order."""
    sizes = sorted(math.prod(output.shape) for output in outputs)
    boxes = [math.prod(output.shape) for output in outputs if output.shape[-1:] == (4,)]
    return any(sizes == sorted([1, size // 4, size // 4, size]) for size in boxes)


def _check_shapes(outputs: Mapping[int, Output], roles: DetectionRoles) -> None:
    boxes, count = outputs[roles.boxes], outputs[roles.count]
    lengths = {int(np.prod(outputs[place].shape)) for place in (roles.classes, roles.scores)}
    if boxes.shape[-1:] != (4,) or lengths != {int(np.prod(boxes.shape)) // 4}:
        raise ModelError(
            "detection needs boxes 1 x n x 4, classes 1 x n and scores 1 x n, "
            f"it has {shown(list(outputs.values()))}"
        )
    if int(np.prod(count.shape)) != 1:
        raise ModelError(f"detection needs a count of one number, it has {count}")
