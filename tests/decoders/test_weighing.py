"""What became of each way to read a model's outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from edged.decoders.outputs import Output
from edged.decoders.task import DetectionTold, Told
from edged.decoders.tasks import TASKS, find_task, weigh
from edged.decoders.weighing import Weighed, explain
from edged.errors import ModelError
from edged.reading import describe
from edged.records.models import TensorSpec
from edged.store.models import read_model_files

MODELS = Path(__file__).resolve().parent.parent / "models"
# Of the others it is the inputs that are no use.
READABLE = [
    path
    for path in sorted(MODELS.rglob("*.tflite"))
    if path.stem not in ("two_inputs", "classifier_float32_dynamic_batch")
]
PICTURE = (1, 640, 640, 3)


def output(*shape: int, position: int = 0, operator: str | None = "CONV_2D") -> Output:
    return Output(position, (f"out{position}",), shape, "float32", None, operator, 0)


def of(weighed: tuple[Weighed, ...], task: str) -> Weighed:
    (found,) = [one for one in weighed if one.task == task]
    return found


@pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)
def test_the_reading_that_is_taken_is_the_one_that_is_run(path: Path) -> None:
    files = read_model_files(path)
    inputs, outputs = (
        [
            TensorSpec(at, one.name, one.shape, one.shape_signature, one.dtype, one.quantization)
            for at, one in enumerate(tensors)
        ]
        for tensors in (files.facts.inputs, files.facts.outputs)
    )
    found = describe(files, inputs, outputs, None)
    weighed = explain(found.outputs, found.told)
    taken = [one.task for one in weighed if one.taken]
    assert {one.task for one in weighed} == set(TASKS)
    try:
        assert taken == [find_task(found.outputs, found.told).name]
    except ModelError as error:
        assert taken == []
        refused = [one.reason for one in weighed if one.what and str(error) in one.reason]
        as_likely = [one for one in weighed if one.reason.startswith("as likely")]
        assert refused or len(as_likely) > 1 or not weigh(found.outputs, found.told)


def test_a_reading_on_weaker_grounds_is_passed_over() -> None:
    weighed = explain([output(1, 5, operator="SOFTMAX")], Told(input_shape=(1, 5)))
    assert weighed[:2] == (
        Weighed(
            "classification",
            None,
            "one output of 5 classes",
            True,
            "taken, by the operators of its graph",
        ),
        Weighed(
            "anomaly",
            None,
            "its output has the shape of its input",
            False,
            "passed over: it rests on the shapes alone",
        ),
    )


def test_a_reading_that_lacks_something_is_refused() -> None:
    outputs = [output(1, 21, 4), output(1, 21, 3, position=1)]
    (anchors, *_) = explain(outputs, Told(input_shape=PICTURE))
    assert (anchors.layout, anchors.taken) == ("anchors", False)
    assert anchors.reason.startswith("refused: its boxes are differences from 21 anchors, and its")


def test_what_is_told_is_taken_where_nothing_else_points_to_it() -> None:
    weighed = explain([output(1, 5)], Told(task="keyword", input_shape=PICTURE))
    assert weighed[0] == Weighed("keyword", None, None, True, "taken, by what its files tell")
    passed = of(weighed, "classification")
    assert passed.reason == "passed over: what its files tell is another"
    assert of(weighed, "regression").reason == 'it could be told: task = "regression"'


def test_a_layout_that_is_told_is_taken_before_those_that_look_likelier() -> None:
    detection = DetectionTold(layout="yolo-v5", coordinates="pixels")
    weighed = explain([output(1, 84, 8400)], Told(detection=detection, input_shape=PICTURE))
    assert [(one.layout, one.taken) for one in weighed[:2]] == [
        ("yolo-v5", True),
        ("yolo-v8", False),
    ]
    assert weighed[1].reason == "passed over: what its files tell is another"


def test_what_is_told_and_does_not_fit_is_refused() -> None:
    (first, *_) = explain([output(1, 5)], Told(task="pose", input_shape=PICTURE))
    assert (first.task, first.taken) == ("pose", False)
    assert first.reason == (
        "refused: pose needs one output of MoveNet's, 1 x 1 x 17 x 3 or 1 x people x 56; it has "
        '"out0" 1x5 float32'
    )
