"""Which task a model's outputs are for, found from what the file says, never guessed.

What is told (sidecar) comes first, then what the graph itself says (the operator that gives an
output), then signature, metadata and well-known names. Shapes alone must leave one reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import ModelError
from ..records import Quantization
from . import Decoder
from .classification import Activation, ClassificationDecoder
from .detection import DetectionDecoder, DetectionRoles
from .reconstruction import ReconstructionDecoder
from .regression import MOST_NUMBERS, RegressionDecoder

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


@dataclass(frozen=True, slots=True)
class Output:
    """One output, with all that is known of it.

    ``names`` are the tensor's own, the signature's and the metadata's. ``operator`` gives it,
    as that operator's output number ``operator_output``; None where unknown.
    """

    position: int
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    operator: str | None
    operator_output: int

    def __str__(self) -> str:
        return f'"{self.names[0]}" {"x".join(map(str, self.shape)) or "scalar"} {self.dtype}'


@dataclass(frozen=True, slots=True)
class Learning:
    """How an anomaly detector comes to its threshold: from ``learn_s`` seconds, or as told."""

    learn_s: float
    threshold: float | None = None


LEARN_S = 600.0
REFRACTORY_S = 2.0
SLIDING_WINDOW = 1
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Keyword:
    """When a word is heard: the mean of its last ``sliding_window`` scores is over ``threshold``,
    and it has not been heard for ``refractory_s`` seconds.
    """

    sliding_window: int = SLIDING_WINDOW
    refractory_s: float = REFRACTORY_S
    threshold: float = THRESHOLD


@dataclass(frozen=True, slots=True)
class Told:
    """What a sidecar or a manifest tells: the task, the outputs' roles as positions or names, the
    activation, when a word is heard, and how anomalies are told from the usual. ``input_shape`` is
    not told but the input's.
    """

    task: str | None = None
    roles: Mapping[str, int | str] = field(default_factory=dict)
    activation: Activation | None = None
    keyword: Keyword = Keyword()
    learning: Learning = Learning(LEARN_S)
    input_shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """How a model is run. ``classes`` is None where the outputs do not say how many there are.

    ``labels_output`` is the output whose embedded labels name the classes. ``threshold`` is what
    holds where a pipeline gives none: scores over it are published. ``numbers`` is how many a
    regression gives. ``keyword`` None: it listens for no words; ``anomaly`` None: it is no anomaly
    detector.
    """

    name: str
    why: str
    decoder: Decoder
    classes: int | None
    labels_output: int
    threshold: float | None = THRESHOLD
    numbers: int = 0
    keyword: Keyword | None = None
    anomaly: Learning | None = None


def find_task(outputs: Sequence[Output], told: Told) -> Task:
    """The one task that fits. Raises ModelError where none does, or what is told does not."""
    if told.task is not None:
        return TASKS[told.task](outputs, told)
    if told.roles or len(outputs) == len(_ROLES):
        return _detection(outputs, told)
    if len(outputs) == 1:
        if _class_count(outputs[0]) is not None:
            return _classification(outputs, told)
        if math.prod(outputs[0].shape) == 1 and not _is_probability(outputs[0]):
            return _regression(outputs, told)
        if outputs[0].shape == told.input_shape:
            return _anomaly(outputs, told)
    raise ModelError(
        f"its outputs fit no task of this version ({', '.join(TASKS)}): {_shown(outputs)}"
    )


def _shown(outputs: Sequence[Output]) -> str:
    return ", ".join(map(str, outputs)) or "none"


# ---- classification ------------------------------------------------------------------------------


def _classification(outputs: Sequence[Output], told: Told) -> Task:
    if len(outputs) != 1 or (classes := _class_count(outputs[0])) is None:
        raise ModelError(
            f"classification needs one output with a number a class, it has {_shown(outputs)}"
        )
    output = outputs[0]
    activation, why = told.activation, "as told"
    if activation is None:
        activation, why = _activation(output)
    return Task(
        name="classification",
        why=f"one output of {classes} classes; {why}",
        decoder=ClassificationDecoder(output.position, activation),
        classes=classes,
        labels_output=output.position,
    )


def _class_count(output: Output) -> int | None:
    """How many classes an output of shape 1 x ... x n x ... x 1 has; None for other shapes."""
    long = [length for length in output.shape if length != 1]
    return long[0] if len(long) == 1 and long[0] > 1 else None


def _activation(output: Output) -> tuple[Activation, str]:
    """What is still to be done to the numbers, and why."""
    if output.operator == "SOFTMAX":
        return Activation.NONE, "probabilities (the model ends in a softmax)"
    if output.operator == "LOGISTIC":
        return Activation.NONE, "scores (the model ends in a sigmoid)"
    if _covers_0_to_1(output):
        return Activation.NONE, "scores (its quantisation covers 0 to 1)"
    return Activation.SOFTMAX, "logits, so a softmax is applied"


def _covers_0_to_1(output: Output) -> bool:
    """Whether its quantisation holds just that."""
    if output.quantization is None:
        return False
    limits = np.iinfo(np.dtype(output.dtype))
    scale, zero = output.quantization.scale, output.quantization.zero_point
    low, high = (limits.min - zero) * scale, (limits.max - zero) * scale
    # 255 steps of 1/255, stored in 32 bits, are a little more than 1.
    return low == 0 and 0.9 < high <= 1.0001


def _is_probability(output: Output) -> bool:
    """Whether one number may well say how likely something is, rather than how much it is."""
    return output.operator == "LOGISTIC" or _covers_0_to_1(output)


# ---- keywords ------------------------------------------------------------------------------------


def _keyword(outputs: Sequence[Output], told: Told) -> Task:
    if len(outputs) != 1 or sum(length != 1 for length in outputs[0].shape) > 1:
        raise ModelError(f"keyword needs one output with a number a word, it has {_shown(outputs)}")
    output, words = outputs[0], math.prod(outputs[0].shape)
    activation, why = told.activation, "as told"
    if activation is None and words > 1:
        activation, why = _activation(output)
    elif activation is None:
        sure = _is_probability(output)
        activation = Activation.NONE if sure else Activation.SIGMOID
        why = "a score" if sure else "a logit, so a sigmoid is applied"
    rule = told.keyword
    over = f"{rule.threshold:g} in the mean of {rule.sliding_window}"
    return Task(
        name="keyword",
        why=f"one output of {words} word{'s' if words > 1 else ''}; {why}, heard over {over}",
        decoder=ClassificationDecoder(output.position, activation),
        classes=words,
        labels_output=output.position,
        threshold=rule.threshold,
        keyword=rule,
    )


# ---- detection -----------------------------------------------------------------------------------


def _detection(outputs: Sequence[Output], told: Told) -> Task:
    if told.roles:
        places, why = _told_places(outputs, told.roles), "roles as told"
    else:
        places, why = _known_places(outputs)
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
    places = {}
    for role, wanted in roles.items():
        found = [
            output.position
            for output in outputs
            if wanted == output.position or wanted in output.names
        ]
        if len(found) != 1:
            raise ModelError(
                f"its sidecar names the output {wanted!r} for {role}, it has {_shown(outputs)}"
            )
        places[role] = found[0]
    if len(set(places.values())) != len(_ROLES):
        raise ModelError("its sidecar names the same output for two roles")
    return places


def _known_places(outputs: Sequence[Output]) -> tuple[dict[str, int], str]:
    """Each role's output by the operator that gives it, or by names. Raises ModelError."""
    if all(output.operator == _POST_PROCESS for output in outputs):
        places = {_ROLES[output.operator_output]: output.position for output in outputs}
        if len(places) == len(_ROLES):
            return places, f"given by {_POST_PROCESS}"
    for known in _KNOWN_NAMES:
        named = {
            role: output.position
            for output in outputs
            for name, role in known.items()
            if name in output.names
        }
        if len(named) == len(_ROLES) and len(set(named.values())) == len(_ROLES):
            return named, "known by their names"
    raise ModelError(
        f"its outputs fit no task of this version without being told which is which "
        f"({_shown(outputs)}). If it is a detector, add to its .toml file: [outputs] with boxes, "
        "classes, scores and count, each the output's number"
    )


def _check_shapes(outputs: Mapping[int, Output], roles: DetectionRoles) -> None:
    boxes, count = outputs[roles.boxes], outputs[roles.count]
    lengths = {int(np.prod(outputs[place].shape)) for place in (roles.classes, roles.scores)}
    if boxes.shape[-1:] != (4,) or lengths != {int(np.prod(boxes.shape)) // 4}:
        raise ModelError(
            "detection needs boxes 1 x n x 4, classes 1 x n and scores 1 x n, "
            f"it has {_shown(list(outputs.values()))}"
        )
    if int(np.prod(count.shape)) != 1:
        raise ModelError(f"detection needs a count of one number, it has {count}")


# ---- numbers -------------------------------------------------------------------------------------


def _regression(outputs: Sequence[Output], told: Told) -> Task:
    if len(outputs) != 1:
        raise ModelError(f"regression needs one output, it has {_shown(outputs)}")
    (output,) = outputs
    count = math.prod(output.shape)
    if count > MOST_NUMBERS:
        raise ModelError(
            f"a result of regression has at most {MOST_NUMBERS} numbers, it has {_shown(outputs)}"
        )
    return Task(
        name="regression",
        why=f"one output of {count} number{'s' if count != 1 else ''}",
        decoder=RegressionDecoder(output.position, count),
        classes=None,
        labels_output=output.position,
        threshold=None,
        numbers=count,
    )


def _anomaly(outputs: Sequence[Output], told: Told) -> Task:
    if len(outputs) != 1 or outputs[0].shape != told.input_shape:
        shape = "x".join(map(str, told.input_shape))
        raise ModelError(
            f"anomaly needs one output of the shape of the input ({shape}), as an autoencoder has "
            f"it; it has {_shown(outputs)}"
        )
    return Task(
        name="anomaly",
        why="an autoencoder: its output has the shape of its input",
        decoder=ReconstructionDecoder(outputs[0].position),
        classes=None,
        labels_output=outputs[0].position,
        threshold=told.learning.threshold,
        anomaly=told.learning,
    )


TASKS: Mapping[str, Callable[[Sequence[Output], Told], Task]] = {
    "classification": _classification,
    "detection": _detection,
    "keyword": _keyword,
    "regression": _regression,
    "anomaly": _anomaly,
}
