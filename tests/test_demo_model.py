"""The detector that ships with edged, run by the bare interpreter on scenes new to it."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import cv2
import numpy as np
import pytest

from edged.engine.runtime import runtime
from edged.groundtruth import mean_average_precision
from edged.records.arrays import UInt8Array
from edged.records.frames import Size
from edged.records.results import Detection
from edged.sources.scene import LABELS, SHOT_FRAMES, Scene

MODELS = files("edged") / "models"
SIZE = Size(640, 480)
SEEDS = range(200, 204)  # training begins at a million
SHOTS = 25


@pytest.fixture(scope="module")
def interpreter() -> Any:
    model = (MODELS / "shapes.tflite").read_bytes()
    interpreter = runtime().module.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def detect(interpreter: Any, frame: UInt8Array) -> list[Detection]:
    given = interpreter.get_input_details()[0]
    height, width = given["shape"][1:3]
    interpreter.set_tensor(given["index"], cv2.resize(frame, (width, height))[None])
    interpreter.invoke()
    boxes, classes, scores, count = (
        interpreter.get_tensor(output["index"])[0] for output in interpreter.get_output_details()
    )
    found = []
    for n in range(int(count)):
        y_min, x_min, y_max, x_max = (float(side) for side in boxes[n].clip(0, 1))
        label = LABELS[int(classes[n])]
        found.append(Detection(label, float(scores[n]), (x_min, y_min, x_max, y_max)))
    return found


def test_it_finds_nine_shapes_in_ten_of_scenes_that_it_never_saw(interpreter: Any) -> None:
    truths, found = [], []
    frame = np.empty((SIZE.height, SIZE.width, 3), np.uint8)
    for seed in SEEDS:
        scene = Scene(seed, SIZE)
        for shot in range(SHOTS):
            truths.append(scene.render(shot * SHOT_FRAMES + shot * 31 % SHOT_FRAMES, frame))
            found.append(detect(interpreter, frame))
    assert mean_average_precision(truths, found) >= 0.90


def test_it_takes_the_bytes_of_rgb_pixels_as_they_are(interpreter: Any) -> None:
    (given,) = interpreter.get_input_details()
    assert given["dtype"] is np.uint8
    scale, zero_point = given["quantization"]
    assert scale == pytest.approx(1 / 255)
    assert zero_point == 0


def test_its_weights_are_int8(interpreter: Any) -> None:
    filters = [
        tensor
        for tensor in interpreter.get_tensor_details()
        if len(tensor["shape"]) == 4 and len(tensor["quantization_parameters"]["scales"]) > 1
    ]
    assert len(filters) > 10
    assert all(tensor["dtype"] is np.int8 for tensor in filters)


def test_its_outputs_are_those_of_ssd_post_processing(interpreter: Any) -> None:
    outputs = interpreter.get_output_details()
    name = "TFLite_Detection_PostProcess"
    assert [output["name"] for output in outputs] == [name, f"{name}:1", f"{name}:2", f"{name}:3"]
    assert [list(output["shape"]) for output in outputs] == [[1, 25, 4], [1, 25], [1, 25], [1]]
    assert all(output["dtype"] is np.float32 for output in outputs)


def test_it_is_at_most_400_kb() -> None:
    assert len((MODELS / "shapes.tflite").read_bytes()) <= 400 * 1024


def test_its_labels_are_those_of_the_scene_in_the_same_order() -> None:
    labels = (MODELS / "shapes.labels.txt").read_text(encoding="utf-8")
    assert tuple(labels.splitlines()) == LABELS
