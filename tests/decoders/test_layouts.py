"""Which layout a detector's outputs are of: told, by an exporter, by shapes, or asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edged.decoders.outputs import Output
from edged.decoders.task import DetectionTold, Task, Told
from edged.decoders.tasks import find_task
from edged.errors import ModelError
from edged.records.decoded import ScoredBoxes
from edged.records.models import AnchorTable, Quantization

SHARES = DetectionTold(coordinates="normalised")
PICTURE = (1, 640, 640, 3)
UP_TO_1 = Quantization(1 / 255, 0)


def outputs(*shapes: tuple[int, ...], quantization: Quantization | None = None) -> list[Output]:
    dtype = "float32" if quantization is None else "uint8"
    return [
        Output(position, (f"out{position}",), shape, dtype, quantization, "CONCATENATION", 0)
        for position, shape in enumerate(shapes)
    ]


def read(found: list[Output], detection: DetectionTold = SHARES, task: str | None = None) -> Task:
    return find_task(found, Told(task=task, detection=detection, input_shape=PICTURE))


def refusal(found: list[Output], detection: DetectionTold = SHARES) -> str:
    with pytest.raises(ModelError) as raised:
        read(found, detection)
    return str(raised.value)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ((1, 84, 8400), "a head of YOLO v8: 8400 candidates of 4 numbers and 80 classes"),
        ((1, 5, 8400), "a head of YOLO v8: 8400 candidates of 4 numbers and 1 classes"),
        ((1, 6, 8500), "a head of YOLO v8: 8500 candidates of 4 numbers and 2 classes"),
        ((1, 25200, 85), "a head of YOLO v5: 25200 candidates of 5 numbers and 80 classes"),
        ((1, 25200, 6), "a head of YOLO v5: 25200 candidates of 5 numbers and 1 classes"),
        ((1, 300, 6), "an end-to-end head of YOLO v10: 300 boxes, suppression done"),
    ],
)
def test_a_yolo_head_is_known_by_its_shape(shape: tuple[int, ...], why: str) -> None:
    assert read(outputs(shape)).why.startswith(f"{why}; normalised, as told")


def test_as_many_classes_as_an_exporter_says_tell_more_than_places() -> None:
    exported = DetectionTold(exported=3)
    assert read(outputs((1, 7, 1000)), exported).why.startswith("a head of YOLO v8: 1000")
    assert "fit no task" in refusal(outputs((1, 84, 8400)), exported)


def test_two_readings_are_told_with_the_line_of_each() -> None:
    assert refusal(outputs((1, 300, 6)), DetectionTold(exported=1)).endswith(
        'Add the line of the right one to its .toml file: outputs.layout = "yolo-v5", or '
        'outputs.layout = "yolo-v10"'
    )
    told = DetectionTold(exported=1, layout="yolo-v10")
    assert read(outputs((1, 300, 6)), told).why.startswith("an end-to-end head")


def test_a_head_of_poses_is_not_taken_for_one_of_classes() -> None:
    assert "or of poses" in refusal(outputs((1, 56, 8400), quantization=UP_TO_1), DetectionTold())
    names = DetectionTold(names=lambda output: ["a"] * 52)
    assert "52 classes" in read(outputs((1, 56, 8400), quantization=UP_TO_1), names).why


@pytest.mark.parametrize(("scale", "said"), [(1 / 255, "normalised"), (640 / 255, "in pixels")])
def test_what_a_quantised_output_holds_says_what_boxes_are(scale: float, said: str) -> None:
    found = outputs((1, 84, 8400), quantization=Quantization(scale, 0))
    assert f"; {said} (its quantisation reaches to " in read(found, DetectionTold()).why


def test_boxes_in_pixels_are_of_the_input_whatever_its_sides_are() -> None:
    told = Told(detection=DetectionTold(coordinates="pixels"), input_shape=(1, 320, 640, 3))
    task = find_task(outputs((1, 300, 6)), told)
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, 0] = [64, 32, 128, 64, 0.9, 2]
    decoded = task.decoder.decode([rows])
    assert isinstance(decoded, ScoredBoxes)
    np.testing.assert_allclose(decoded.boxes, [[0.1, 0.1, 0.2, 0.2]], atol=1e-6)


# ---- anchors -------------------------------------------------------------------------------------


def anchored(
    count: int, tables: int = 1, background: bool | None = None, names: Sequence[str] = ()
) -> DetectionTold:
    table = AnchorTable("a table", np.full((count, 4), 0.5))
    return DetectionTold(
        anchors=lambda wanted: [table] * tables,
        names=lambda output: names,
        background=background,
    )


def test_an_efficientdets_boxes_have_no_scales() -> None:
    efficientdet = 9 * (80 * 80 + 40 * 40 + 20 * 20 + 10 * 10 + 5 * 5)
    shapes = ((1, efficientdet, 4), (1, efficientdet, 90))
    assert (
        "scales 1, 1, 1, 1 (it has"
        in read(outputs(*shapes), anchored(efficientdet, background=False)).why
    )
    shapes = ((1, 1917, 4), (1, 1917, 91))
    why = read(outputs(*shapes), anchored(1917, background=True)).why
    assert "91 scores each, the first the background's; " in why
    assert "scales 10, 10, 5, 5 (assumed: those of SSD); logits, so a sigmoid is applied" in why


@pytest.mark.parametrize(
    ("names", "background"),
    [(["???", *"abcd"], True), ([*"abcd"], True), ([*"abcde"], False), (["???", *"abcde"], False)],
)
def test_the_number_of_labels_says_whether_the_first_is_the_background(
    names: list[str], background: bool
) -> None:
    why = read(outputs((1, 10, 4), (1, 10, 5)), anchored(10, names=names)).why
    assert ("the first the background's" in why) is background


def test_without_labels_it_is_asked_which_score_is_the_first() -> None:
    assert refusal(outputs((1, 10, 4), (1, 10, 5)), anchored(10)).endswith(
        "outputs.background = true, or outputs.background = false"
    )


def test_anchors_that_are_not_there_or_twice_are_told() -> None:
    shapes = outputs((1, 10, 4), (1, 10, 3))
    assert "its file does not hold these" in refusal(shapes, DetectionTold())
    assert "its file holds 2 tables of as many" in refusal(shapes, anchored(10, 2))
