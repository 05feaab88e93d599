"""What a model's file and those beside it tell of how it is to be run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .decoders.task import (
    LEARN_S,
    REFRACTORY_S,
    SLIDING_WINDOW,
    THRESHOLD,
    Activation,
    DetectionTold,
    Keyword,
    Learning,
    Told,
)
from .engine.anchors import read_anchors
from .engine.preprocess import Normalization
from .engine.tflite_file import ModelFile
from .errors import ModelError
from .inputs import Input, InputTold, StreamInput
from .records.models import TensorSpec
from .store.labels import find_labels
from .store.models import ModelFiles
from .store.sidecar import Sidecar

_ULTRALYTICS_TASKS = {"detect": "detection", "classify": "classification"}


def input_told(files: ModelFiles, tensor: TensorSpec, position: int) -> InputTold:
    """Of that input. Raises ModelError where its files tell of two kinds."""
    sidecar = files.sidecar
    return InputTold(
        sidecar.input,
        sidecar.log_mel,
        _features(files),
        _normalization(files.name, sidecar, files.facts, tensor, position),
    )


def told_of(files: ModelFiles, input_: Input, input_shape: tuple[int, ...]) -> Told:
    """Raises ModelError where its files tell of two tasks."""
    sidecar = files.sidecar
    task = sidecar.task or _exported_task(files.facts)
    if isinstance(input_, StreamInput):
        if task not in (None, "keyword"):
            raise ModelError(
                f"its .toml file says that it does {task}, and it hears a stream, which is for "
                "keyword. Correct the task"
            )
        task = "keyword"
    told = sidecar.outputs
    roles = {
        role: output
        for role in ("boxes", "classes", "scores", "count")
        if (output := getattr(told, role)) is not None
    }
    return Told(
        task=task,
        roles=roles,
        activation=Activation(told.activation) if told.activation else None,
        keyword=_keyword(files),
        detection=_detection(files),
        learning=Learning(sidecar.anomaly.learn_s or LEARN_S, sidecar.anomaly.threshold),
        input_shape=input_shape,
    )


def _exported_task(facts: ModelFile) -> str | None:
    """The task for which Ultralytics exported it. Raises ModelError for one that edged has not."""
    if facts.ultralytics is None:
        return None
    exported_for = facts.ultralytics.task or "detect"
    if exported_for not in _ULTRALYTICS_TASKS:
        raise ModelError(
            f"its {facts.ultralytics.file} says that it is for {exported_for}; of the tasks of "
            f"Ultralytics' models edged has {' and '.join(_ULTRALYTICS_TASKS)}"
        )
    return _ULTRALYTICS_TASKS[exported_for]


def _detection(files: ModelFiles) -> DetectionTold:
    outputs, nms, exported = files.sidecar.outputs, files.sidecar.nms, files.facts.ultralytics

    def names(output: int) -> tuple[str, ...]:
        embedded = files.facts.embedded_labels(output)
        return find_labels(files.sidecar.labels, files.labels_file, embedded, None, None).names

    return DetectionTold(
        layout=outputs.layout,
        coordinates=outputs.coordinates,
        scales=outputs.box_scales,
        background=outputs.background,
        iou=nms.iou,
        agnostic=nms.agnostic,
        names=names,
        anchors=lambda count: read_anchors(files.data, count),
        exported=len(exported.names) if exported else None,
    )


def _features(files: ModelFiles) -> Literal["micro", "log-mel"] | None:
    """Raises ModelError where the files beside the model tell of two kinds."""
    told = files.sidecar.input.features
    if files.manifest is None:
        return told
    if told == "log-mel":
        raise ModelError(
            "its .json file is a manifest of micro wake word models, and its .toml file says that "
            "it takes log-mel features. Take one of them away"
        )
    return "micro"


def _keyword(files: ModelFiles) -> Keyword:
    told, micro = files.sidecar.keyword, files.manifest.micro if files.manifest else None
    return Keyword(
        told.sliding_window or (micro.sliding_window_size if micro else SLIDING_WINDOW),
        REFRACTORY_S if told.refractory_s is None else told.refractory_s,
        micro.probability_cutoff if micro else THRESHOLD,
    )


def can_be_scaled(tensor: TensorSpec) -> bool:
    """Bytes without a scale stay what they are."""
    return tensor.dtype == "float32" or tensor.quantization is not None


def _normalization(
    name: str, sidecar: Sidecar, facts: ModelFile, tensor: TensorSpec, position: int
) -> Normalization | None:
    """The sidecar's rule, else the metadata's; None where neither says anything."""
    told = sidecar.input
    if told.mean is not None and told.std is not None:
        return Normalization(_numbers(told.mean), _numbers(told.std), f"{name}.toml")
    if facts.metadata and position < len(facts.metadata.inputs):
        found = facts.metadata.inputs[position].normalization
        if found is not None:
            return Normalization(found.mean, found.std, "its metadata")
    if facts.ultralytics and can_be_scaled(tensor):
        return Normalization((0.0,), (255.0,), f"its {facts.ultralytics.file}")
    return None


def _numbers(told: float | Sequence[float]) -> tuple[float, ...]:
    return (float(told),) if isinstance(told, int | float) else tuple(map(float, told))
