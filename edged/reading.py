"""What a model file is and how it is to be run: read off the file, its sidecar and its labels.

A reading is found without running anything but the probe, and is the same for ``edged model
inspect`` and for the daemon. Whatever had to be assumed is said in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from .decoders.outputs import Output
from .decoders.task import Task, Told
from .decoders.tasks import find_task
from .engine.preprocess import Normalization
from .engine.tflite_file import ModelFile
from .engine.tflite_graph import FileTensor
from .errors import ModelError
from .inputs import Input, InputTold, PictureInput, read_input
from .records.models import TensorSpec
from .records.poses import KEYPOINTS
from .records.results import ANOMALY_VALUES
from .samples import Gives
from .store.labels import Labels, find_labels, publishable
from .store.models import ModelFiles
from .told import can_be_scaled, input_told, told_of

_FOUND_IN_PICTURES = {"detection": "boxes", "segmentation": "regions", "pose": "people"}


class Reading(msgspec.Struct, frozen=True):
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
    *,
    batches: bool = False,
) -> Reading:
    """``inputs`` and ``outputs`` are as the runtime has them; ``gives``: what the source does, None
    where there is none; ``batches``: whether it may be one that takes any number at once. Raises
    ModelError.
    """
    found = describe(files, inputs, outputs, gives, batches=batches)
    task, input_ = find_task(found.outputs, found.told), found.input
    if task.from_0_to_1 and found.input_told.normalization is None:
        tensor = inputs[found.position]
        if can_be_scaled(tensor):
            usual = Normalization((0.0,), (255.0,), "what such models are trained on (assumed)")
            told = replace(found.input_told, normalization=usual)
            input_ = read_input(found.position, tensor, told, gives)
    if task.name in _FOUND_IN_PICTURES and not isinstance(input_, PictureInput):
        what = _FOUND_IN_PICTURES[task.name]
        raise ModelError(f"it finds {what}, and a window of samples has none. Give it pictures")
    labels = _labels(files, task)
    return Reading(
        task=task,
        labels=labels,
        input=input_,
        feedback=found.feedback,
        forgets=any("_SEQUENCE_" in operator for operator in files.facts.operators),
    )


class Described(msgspec.Struct, frozen=True):
    """What a reading is made of; ``position`` is that of the input that is fed."""

    position: int
    input_told: InputTold
    input: Input
    feedback: Mapping[int, int]
    outputs: Sequence[Output]
    told: Told


def describe(
    files: ModelFiles,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    gives: Gives | None,
    *,
    batches: bool = False,
) -> Described:
    """Raises ModelError."""
    _refuse_dynamic(inputs, batches)
    position, feedback = _find_inputs(inputs, outputs)
    tensor = inputs[position]
    of_input = input_told(files, tensor, position)
    input_ = read_input(position, tensor, of_input, gives)
    described = [
        _output(place, each, files.facts)
        for place, each in enumerate(outputs)
        if place not in feedback.values()
    ]
    told = told_of(files, input_, tensor.shape)
    return Described(position, of_input, input_, feedback, described, told)


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


def _refuse_dynamic(inputs: Sequence[TensorSpec], batches: bool) -> None:
    for tensor in inputs:
        if batches and len(inputs) == 1 and -1 not in tensor.shape_signature[1:]:
            return
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
