"""What a model file is and how it is to be run: read off the file, its sidecar and its labels.

A reading is found without running anything but the probe, and is the same for ``edged model
inspect`` and for the daemon. Whatever had to be assumed is said in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .decoders.outputs import Output
from .decoders.task import (
    LEARN_S,
    REFRACTORY_S,
    SLIDING_WINDOW,
    THRESHOLD,
    Activation,
    DetectionTold,
    Keyword,
    Learning,
    Task,
    Told,
)
from .decoders.tasks import find_task
from .engine.anchors import read_anchors
from .engine.preprocess import Normalization
from .engine.tflite_file import ModelFile
from .engine.tflite_graph import FileTensor
from .errors import ModelError
from .inputs import Input, InputTold, PictureInput, StreamInput, read_input
from .records import ANOMALY_VALUES, KEYPOINTS, TensorSpec
from .samples import Gives
from .store.labels import Labels, find_labels, publishable
from .store.models import ModelFiles
from .store.sidecar import Sidecar

_ULTRALYTICS_TASKS = {"detect": "detection", "classify": "classification"}
_FOUND_IN_PICTURES = {"detection": "boxes", "segmentation": "regions", "pose": "people"}


@dataclass(frozen=True, slots=True)
class Reading:
    """How edged runs a model.

    ``input`` is what gets the frame or the window; ``feedback`` maps the other inputs' positions to
    those of the outputs that are fed back into them. ``forgets``: operators that take a whole
    sequence at once begin anew with each, where TFLite would let them go on from the one before.
    """

    task: Task
    labels: Labels
    input: Input
    feedback: Mapping[int, int]
    forgets: bool


def read_model(
    files: ModelFiles,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    gives: Gives | None = None,
) -> Reading:
    """``inputs`` and ``outputs`` are as the runtime has them; ``gives``: what the source does, None
    where there is none. Raises ModelError.
    """
    facts, sidecar = files.facts, files.sidecar
    _refuse_dynamic(inputs)
    position, feedback = _find_inputs(inputs, outputs)
    tensor = inputs[position]
    told = InputTold(
        sidecar.input,
        sidecar.log_mel,
        _features(files),
        _normalization(files.name, sidecar, facts, tensor, position),
    )
    input_ = read_input(position, tensor, told, gives)
    described = [
        _output(position, tensor, facts)
        for position, tensor in enumerate(outputs)
        if position not in feedback.values()
    ]
    task = find_task(described, _told(files, input_, tensor.shape))
    if task.from_0_to_1 and told.normalization is None and _can_be_scaled(tensor):
        usual = Normalization((0.0,), (255.0,), "what such models are trained on (assumed)")
        input_ = read_input(position, tensor, replace(told, normalization=usual), gives)
    if task.name in _FOUND_IN_PICTURES and not isinstance(input_, PictureInput):
        what = _FOUND_IN_PICTURES[task.name]
        raise ModelError(f"it finds {what}, and a window of samples has none. Give it pictures")
    labels = _labels(files, task)
    return Reading(
        task=task,
        labels=labels,
        input=input_,
        feedback=feedback,
        forgets=any("_SEQUENCE_" in operator for operator in facts.operators),
    )


def _labels(files: ModelFiles, task: Task) -> Labels:
    """What the classes or the numbers are called. Raises ModelError."""
    if task.anomaly is not None:
        return Labels("those of the task", ANOMALY_VALUES, 0)
    if task.name == "pose":
        return Labels("those of the task", KEYPOINTS, 0)
    sidecar, manifest = files.sidecar, files.manifest
    if task.names and not (sidecar.labels or files.labels_file):
        named = Labels("those of the task", tuple(map(publishable, task.names)), 0)
        return _distinct(named, task.numbers)
    if manifest and not (sidecar.labels or files.labels_file):
        return Labels(f"{files.name}.json", (publishable(manifest.wake_word),), 0)
    labels = find_labels(
        sidecar.labels,
        files.labels_file,
        files.facts.embedded_labels(task.labels_output),
        task.classes,
        sidecar.label_offset,
    )
    return _distinct(labels, task.numbers)


def _distinct(labels: Labels, numbers: int) -> Labels:
    """Raises ModelError where two of so many numbers would have the same name."""
    names = [labels.name(number) for number in range(numbers)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ModelError(
            f'two of its {numbers} numbers have the same name, "{twice}" ({labels.origin}). '
            "Each needs a label of its own"
        )
    return labels


def _refuse_dynamic(inputs: Sequence[TensorSpec]) -> None:
    for tensor in inputs:
        if -1 in tensor.shape_signature:
            shape = "x".join("?" if n == -1 else str(n) for n in tensor.shape_signature)
            what = "batch" if tensor.shape_signature[0] == -1 else "shape"
            raise ModelError(
                f'its input "{tensor.name}" has a dynamic {what} ({shape}). '
                "Export it with a fixed shape and a batch of 1"
            )


def _find_inputs(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> tuple[int, Mapping[int, int]]:
    """The input for what comes in, and which output comes back into each of the others."""
    if len(inputs) == 1:
        return 0, {}
    partners = {
        position: [place for place, output in enumerate(outputs) if _alike(tensor, output)]
        for position, tensor in enumerate(inputs)
    }
    fed = [position for position, places in partners.items() if not places]
    states = {position: places for position, places in partners.items() if places}
    used = [place for places in states.values() for place in places]
    if len(fed) != 1 or len(used) != len(states) or len(set(used)) != len(used):
        shown = ", ".join(f'"{t.name}" {"x".join(map(str, t.shape))} {t.dtype}' for t in inputs)
        raise ModelError(
            f"it has {len(inputs)} inputs ({shown}). A pipeline feeds one; other inputs "
            "must each be alike to just one output, which is then fed back"
        )
    return fed[0], {position: places[0] for position, places in states.items()}


def _alike(one: TensorSpec, other: TensorSpec) -> bool:
    return (one.shape, one.dtype, one.quantization) == (
        other.shape,
        other.dtype,
        other.quantization,
    )


def _output(position: int, tensor: TensorSpec, facts: ModelFile) -> Output:
    in_file: FileTensor = facts.outputs[position]
    names = [tensor.name, in_file.name, in_file.signature_name]
    if facts.metadata and position < len(facts.metadata.outputs):
        names.append(facts.metadata.outputs[position].name)
    producer = in_file.produced_by
    return Output(
        position=position,
        names=tuple(dict.fromkeys(name for name in names if name)) or ("",),
        shape=tensor.shape,
        dtype=tensor.dtype,
        quantization=tensor.quantization,
        operator=producer.operator if producer else None,
        operator_output=producer.output if producer else 0,
    )


def _told(files: ModelFiles, input_: Input, input_shape: tuple[int, ...]) -> Told:
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


def _can_be_scaled(tensor: TensorSpec) -> bool:
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
    if facts.ultralytics and _can_be_scaled(tensor):
        return Normalization((0.0,), (255.0,), f"its {facts.ultralytics.file}")
    return None


def _numbers(told: float | Sequence[float]) -> tuple[float, ...]:
    return (float(told),) if isinstance(told, int | float) else tuple(map(float, told))
