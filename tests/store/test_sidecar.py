from __future__ import annotations

from pathlib import Path

import pytest

from edged.errors import ConfigError
from edged.store.golden_tables import ExpectTable, GoldenTable, ObjectTable, PersonTable
from edged.store.sidecar import (
    InputTable,
    OutputsTable,
    Sidecar,
    parse_sidecar,
    read_sidecar,
)

WHOLE = b"""
task = "detection"
label_offset = 1
labels = ["background", "cat"]
latency_budget_ms = 40
[input]
mean = [127.0, 127, 127]
std = 128
colour = "bgr"
[outputs]
boxes = 0
classes = "StatefulPartitionedCall:1"
scores = 2
count = 3
[golden]
input = "cat.png"
expect = {label = "cat", score = 0.75, tolerance = 0.05}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_sidecar(text.encode(), "coco.toml")
    return list(caught.value.problems)


def test_every_key_comes_out_typed() -> None:
    assert parse_sidecar(WHOLE, "coco.toml") == Sidecar(
        task="detection",
        label_offset=1,
        labels=("background", "cat"),
        latency_budget_ms=40.0,
        input=InputTable(mean=(127.0, 127.0, 127.0), std=128.0, colour="bgr"),
        outputs=OutputsTable(boxes=0, classes="StatefulPartitionedCall:1", scores=2, count=3),
        golden=GoldenTable("cat.png", ExpectTable("cat", score=0.75, tolerance=0.05)),
    )


def test_several_golden_inputs_are_a_list() -> None:
    text = """
        [[golden]]
        input = "shapes.golden/a.png"
        expect = {detections = [{label = "cat", score = 0.7, box = [0, 0.1, 1, 1]}]}
        [[golden]]
        input = "b.png"
        expect = {people = [{score = 1, keypoints = {nose = [0.5, 0.5]}}], tolerance = 0.2}
    """
    first, second = parse_sidecar(text.encode(), "x.toml").goldens
    assert first.input == "shapes.golden/a.png"
    assert first.expect.detections == (ObjectTable("cat", 0.7, (0.0, 0.1, 1.0, 1.0)),)
    assert second.expect.people == (PersonTable(1.0, {"nose": (0.5, 0.5)}),)
    assert (first.expect.tolerance, second.expect.tolerance) == (0.1, 0.2)


def test_a_golden_input_needs_no_score() -> None:
    sidecar = parse_sidecar(b'golden = {input = "a.npy", expect = {label = "cat"}}', "x.toml")
    assert sidecar.golden == GoldenTable("a.npy", ExpectTable("cat", score=None, tolerance=0.1))


def test_a_classification_can_name_its_activation() -> None:
    sidecar = parse_sidecar(b'task = "classification"\noutputs.activation = "softmax"', "x.toml")
    assert sidecar.outputs.activation == "softmax"


def test_an_absent_or_empty_sidecar_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "coco.toml"
    assert read_sidecar(path) == Sidecar()
    path.touch()
    assert read_sidecar(path) == Sidecar()


def test_a_file_is_read_and_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "coco.toml"
    path.write_bytes(WHOLE)
    assert read_sidecar(path).task == "detection"
    path.write_text("tsk = 1")
    with pytest.raises(ConfigError) as caught:
        read_sidecar(path)
    assert caught.value.problems == (f'{path}: tsk: unknown key; did you mean "task"?',)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            'task = "depth"',
            'task: "depth" is not allowed; one of "anomaly", "classification", "detection", '
            '"keyword", "pose", "regression", "segmentation"',
        ),
        ("anomaly.learn_s = 0", "anomaly.learn_s: 0 is not allowed; a number above 0, at most"),
        ("anomaly.threshold = 0", "anomaly.threshold: 0 is not allowed; a number above 0, at"),
        (
            "anomaly = {learn_s = 60, threshold = 1}",
            "anomaly.learn_s: threshold is given too, so nothing is learnt; give one",
        ),
        ("label_offset = 0.5", "label_offset: 0.5 is not allowed; a whole number from -100000"),
        ("labels = []", "labels: an empty list is not allowed; a list of labels, class 0 first"),
        ("latency_budget_ms = 0", "latency_budget_ms: 0 is not allowed; a number above 0"),
        ("input.mean = 127", "input.std: missing; mean is given: (value - mean) / std needs both"),
        ("input.std = 127", "input.mean: missing; std is given: (value - mean) / std needs both"),
        (
            "input = {mean = [], std = 1}",
            "input.mean: an empty list is not allowed; "
            "a number, or a list of numbers, one a channel",
        ),
        ("input.rate_hz = 0", "input.rate_hz: 0 is not allowed; a number above 0"),
        ("input.channels = []", "input.channels: an empty list is not allowed; a list of the"),
        ("input.channels = ['x', 'x']", "input.channels: a name comes twice; each channel has its"),
        (
            "input = {colour = 'rgb', rate_hz = 50}",
            "input.rate_hz: colour is given, which is of pictures; this is of samples",
        ),
        ("input = {mean = 0, std = 0}", "input.std: 0 is not allowed; values are divided by"),
        ("input = {mean = 0, std = [1, 0.0]}", "input.std: 0 is not allowed; values are"),
        (
            "input = {mean = [1, 2], std = [1, 2, 3]}",
            "input.std: 3 numbers do not go with the 2 of mean",
        ),
        (
            'input.colour = "grey"',
            'input.colour: "grey" is not allowed; one of "bgr", "gray", "rgb"; '
            'did you mean "gray"?',
        ),
        (
            "outputs.boxes = -1",
            "outputs.boxes: -1 is not allowed; an output's index, from 0, or its tensor's name",
        ),
        ('outputs.boxes = ""', 'outputs.boxes: "" is not allowed; an output\'s index, from 0'),
        ('outputs.score = 1', 'outputs.score: unknown key; did you mean "scores"?'),
        (
            'outputs.activation = "relu"',
            'outputs.activation: "relu" is not allowed; one of "none", "sigmoid", "softmax"',
        ),
        ('golden.input = "a.png"', "golden.expect: missing; add a table"),
        ("golden.expect.label = \"cat\"", "golden.input: missing; add the name of a file beside"),
        (
            'golden = {input = "../a.png", expect = {label = "cat"}}',
            'golden.input: "../a.png" is not allowed; the name of a file beside the model',
        ),
        (
            'golden = {input = "a.png", expect = {label = "cat", score = 1.1}}',
            "golden.expect.score: 1.1 is not allowed; a number from 0 to 1",
        ),
        (
            'golden = {input = "a.png", expect = {label = "cat", tolerance = 0.1}}',
            "golden.expect.score: missing; tolerance is given: it is the distance from score",
        ),
        ("golden = 3", "golden: 3 is not allowed; a table [golden], or one [[golden]] for each"),
        (
            'golden = [{input = "a.png", expect = {label = "cat"}}, {input = "b.png"}]',
            "golden[1].expect: missing; add a table",
        ),
        (
            'golden = {input = "a.png", expect = {tolerance = 0.1}}',
            "golden.expect.label: missing; add it, or one of words, detections, regions, people",
        ),
        (
            'golden = {input = "a.png", expect = {label = "cat", regions = []}}',
            "golden.expect.regions: label is given too; an input comes to one of them",
        ),
        (
            'golden = {input = "a.png", expect = {regions = [], score = 0.1}}',
            "golden.expect.score: without a label it is of nothing; give both",
        ),
        (
            'golden = {input = "a/../b.png", expect = {label = "cat"}}',
            'golden.input: "a/../b.png" is not allowed; the name of a file beside the model',
        ),
        (
            'golden = {input = "a/..", expect = {label = "cat"}}',
            'golden.input: "a/.." is not allowed; the name of a file beside the model',
        ),
        (
            'golden = {input = "a.csv", expect = {values = []}}',
            "golden.expect.values: an empty list is not allowed; a list",
        ),
        (
            'golden = {input = "a.png", expect = {detections = [{label = "cat", score = 1}]}}',
            "golden.expect.detections[0].box: missing; add four shares of the picture: x_min",
        ),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_told(text: str, line: str) -> None:
    (told,) = problems(text)
    assert told.startswith(f"coco.toml: {line}")
