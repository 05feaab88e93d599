"""Each layout of a detector, on small models with known boxes: from a picture to the frame."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from household import SMALL_MODELS

from edged.engine.geometry import Fit
from edged.errors import ModelError
from edged.filter import Filter
from edged.loading import Examined, LoadOptions, build_model, examine
from edged.records.frames import Frame, PixelOrder, Size
from edged.records.results import Detection
from edged.store.models import read_model_files

TYPES = ("float32", "int8", "uint8")
RED, BLACK, WHITE = (255, 0, 0), (0, 0, 0), (255, 255, 255)
# As scripts/make_layout_models.py has them: x_min, y_min, x_max, y_max in shares of the input.
BOXES = {
    "red": (0.1, 0.1, 0.4, 0.5),
    "green": (0.5, 0.2, 0.9, 0.4),
    "blue": (0.1, 0.6, 0.9, 0.9),
}
LABELS = 'labels = ["red", "green", "blue"]\n'
SHARES = LABELS + 'outputs.coordinates = "normalised"\n'
FROM_0_TO_1 = "input = {mean = 0, std = 255}\n"
SCORES = 'outputs.activation = "none"\n'
FRAME = Size(64, 48)

# Model, what its sidecar tells, and how much a stored number may be off.
COLOURS = [
    ("yolo_v8_float32", "", 1e-5),
    ("yolo_v8_int8", "", 0.01),
    ("yolo_v8_uint8", LABELS, 0.01),
    ("yolo_v8_pixels", LABELS + 'outputs.coordinates = "pixels"\n', 1e-5),
    ("yolo_v5_float32", "", 1e-5),
    ("yolo_v5_int8", LABELS, 0.01),
    ("yolo_v5_uint8", LABELS, 0.01),
    *((f"ssd_{of}", LABELS + FROM_0_TO_1 + SCORES, 0.02) for of in TYPES),
]
FIXED = [
    ("yolo_v10_float32", "", 1e-5),
    ("yolo_v10_int8", SHARES, 0.01),
    ("yolo_v10_uint8", SHARES, 0.01),
    *((f"efficientdet_{of}", LABELS, 0.02) for of in TYPES),
]


class Tried:
    """A small model with a sidecar."""

    def __init__(self, directory: Path, name: str, sidecar: str, fit: Fit = Fit.STRETCH) -> None:
        self.path = directory / f"{name}.tflite"
        self.path.write_bytes((SMALL_MODELS / "layouts" / f"{name}.tflite").read_bytes())
        self.path.with_suffix(".toml").write_text(sidecar)
        self.files = read_model_files(self.path)
        self.options = LoadOptions(1, None, fit)

    def examined(self) -> Examined:
        return examine(self.files, self.path, self.options)

    def finds(self, colour: tuple[int, int, int], threshold: float = 0.5) -> dict[str, Detection]:
        """By label; a label that comes twice fails."""
        reading = self.examined().reading
        model = build_model("small", self.files, self.path, self.options, reading)
        pixels = np.full((FRAME.height, FRAME.width, 3), colour, np.uint8)
        keep = Filter(reading.labels.name, threshold=threshold, allowed=None, max_results=100)
        for _ in range(2):  # what it gives does not hang on what it gave
            found = model.infer(Frame(0, 0, 0, pixels, PixelOrder.RGB))
            detections = keep.apply(found.decoded, found.placement)
        by_label = {one.label: one for one in detections if isinstance(one, Detection)}
        assert len(by_label) == len(detections)
        return by_label


def in_frame(box: tuple[float, ...], fit: Fit) -> list[float]:
    """Where a box of the 32x32 input lies in a frame of 64x48, cut off at its edges."""
    x, y = np.array(box[::2]), np.array(box[1::2])
    if fit is Fit.LETTERBOX:
        y = (y * 32 - 4) / 24
    elif fit is Fit.CROP:
        x = (x * 48 + 8) / 64
    x, y = x.clip(0, 1), y.clip(0, 1)
    return [x[0], y[0], x[1], y[1]]


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize(("name", "sidecar", "off"), COLOURS)
def test_the_box_of_the_pictures_colour_is_found_once_and_in_its_place(
    tmp_path: Path, name: str, sidecar: str, off: float, fit: Fit
) -> None:
    found = Tried(tmp_path, name, sidecar, fit).finds(RED)
    assert list(found) == ["red"]
    np.testing.assert_allclose(found["red"].box, in_frame(BOXES["red"], fit), atol=2 * off)
    bright = 0.75 if fit is Fit.LETTERBOX else 1.0  # with the bars
    assert found["red"].score == pytest.approx(0.9 * bright, abs=0.02)


@pytest.mark.parametrize(("name", "sidecar", "off"), [*COLOURS, *FIXED])
def test_white_holds_all_boxes_each_once(
    tmp_path: Path, name: str, sidecar: str, off: float
) -> None:
    found = Tried(tmp_path, name, sidecar).finds(WHITE)
    assert sorted(found) == ["blue", "green", "red"]
    for label, box in BOXES.items():
        np.testing.assert_allclose(found[label].box, box, atol=2 * off)


@pytest.mark.parametrize(("name", "sidecar", "off"), [*COLOURS, *FIXED[:3]])
def test_black_holds_nothing(tmp_path: Path, name: str, sidecar: str, off: float) -> None:
    assert Tried(tmp_path, name, sidecar).finds(BLACK) == {}


@pytest.mark.parametrize("of", TYPES)
@pytest.mark.parametrize("reach", ["short", "full"])
def test_a_face_is_found_where_the_anchor_is(tmp_path: Path, reach: str, of: str) -> None:
    found = Tried(tmp_path, f"faces_{reach}_{of}", FROM_0_TO_1).finds(WHITE)
    assert list(found) == ["face"]
    centre, side_px = {"short": (8.5 / 16, 128), "full": (24.5 / 48, 192)}[reach]
    x, y = 24 / side_px, 16 / side_px
    expected = [centre - x, centre - y, centre + x, centre + y]
    np.testing.assert_allclose(found["face"].box, expected, atol=0.005)
    assert Tried(tmp_path, f"faces_{reach}_{of}", FROM_0_TO_1).finds(BLACK) == {}


def test_the_iou_told_lets_both_boxes_stay_or_go(tmp_path: Path) -> None:
    # The second lies 0.02 aside: they have 28 of 32 parts in common.
    model = Tried(tmp_path, "yolo_v8_float32", "nms.iou = 0.9\n")
    with pytest.raises(AssertionError):
        model.finds(RED)
    assert list(Tried(tmp_path, "yolo_v8_float32", "nms.iou = 0.8\n").finds(RED)) == ["red"]


@pytest.mark.parametrize(
    ("name", "why", "pixels", "labels"),
    [
        (
            "yolo_v8_float32",
            "a head of YOLO v8: 21 candidates of 4 numbers and 3 classes; normalised, as "
            "Ultralytics exports them; suppression: iou 0.5, by class",
            "(byte - 0) / 255, from its metadata.json",
            "embedded metadata.json",
        ),
        (
            "yolo_v8_int8",
            "a head of YOLO v8: 21 candidates of 4 numbers and 3 classes; normalised, as "
            "Ultralytics exports them; suppression: iou 0.5, by class",
            "(byte - 0) / 255, from its temp_meta.txt, then scale 0.00392157, zero point -128",
            "embedded temp_meta.txt",
        ),
        (
            "yolo_v5_uint8",
            "a head of YOLO v5: 63 candidates of 5 numbers and 3 classes; normalised (its "
            "quantisation reaches to 1); suppression: iou 0.5, by class",
            "(byte - 0) / 255, from what such models are trained on (assumed), then scale "
            "0.00392157, zero point 0",
            "none: class numbers",
        ),
        (
            "yolo_v10_float32",
            "an end-to-end head of YOLO v10: 20 boxes, suppression done; normalised, as "
            "Ultralytics exports them",
            "(byte - 0) / 255, from its metadata.json",
            "embedded metadata.json",
        ),
        (
            "efficientdet_float32",
            "boxes as differences from 8 anchors, 3 scores each; anchors from MediaPipe's "
            "metadata; scales 1, 1, 1, 1 as it says; a sigmoid, as it says; suppression: iou 0.5, "
            "by class",
            "assumed: -1 to 1 (nothing says how to normalise)",
            "none: class numbers",
        ),
        (
            "faces_short_float32",
            "faces of BlazeFace, short range: 896 anchors; suppression: iou 0.3, by class",
            "assumed: -1 to 1 (nothing says how to normalise)",
            "those of the task",
        ),
    ],
)
def test_the_reading_is_explained(
    tmp_path: Path, name: str, why: str, pixels: str, labels: str
) -> None:
    reading = Tried(tmp_path, name, "").examined().reading
    assert (reading.task.name, reading.task.why) == ("detection", why)
    assert reading.input.said == pixels
    assert reading.labels.origin == labels


def test_an_ssds_reading_says_what_it_assumes(tmp_path: Path) -> None:
    reading = Tried(tmp_path, "ssd_float32", LABELS).examined().reading
    assert reading.task.why == (
        "boxes as differences from 8 anchors, 3 scores each; anchors from the constant tensor "
        '"anchors"; scales 10, 10, 5, 5 (assumed: those of SSD); logits, so a sigmoid is applied; '
        "suppression: iou 0.5, by class"
    )


@pytest.mark.parametrize(
    ("name", "sidecar", "reason"),
    [
        (
            "yolo_v8_pixels",
            "",
            "nothing says whether its boxes are shares of the picture .* Add the right line to its "
            '.toml file: outputs.coordinates = "normalised", or outputs.coordinates = "pixels"',
        ),
        ("yolo_v10_uint8", "", "nothing says whether its boxes are shares"),
        (
            "ssd_uint8",
            "",
            "nothing says whether the first of its 3 scores is the background's .* "
            "outputs.background = true, or outputs.background = false",
        ),
        ("ssd_uint8", 'outputs.layout = "yolo-v8"', "yolo-v8 needs one output of 1 x .4"),
        ("yolo_v8_uint8", 'outputs.layout = "yolo-v10"', "yolo-v10 needs one output of 1 x n x 6"),
        ("yolo_v8_uint8", 'outputs.layout = "faces"', "a detector of faces needs"),
        ("yolo_v8_uint8", 'outputs.layout = "anchors"', "need the outputs 1 x n x 4 and 1 x n x"),
    ],
)
def test_what_is_not_known_is_asked_for(
    tmp_path: Path, name: str, sidecar: str, reason: str
) -> None:
    with pytest.raises(ModelError, match=reason):
        Tried(tmp_path, name, sidecar).examined()


def test_the_script_makes_these_very_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.syspath_prepend(Path(__file__).resolve().parent.parent / "scripts")
    script: Any = importlib.import_module("make_layout_models")
    for name, make in script.MODELS.items():
        assert make() == (SMALL_MODELS / "layouts" / f"{name}.tflite").read_bytes(), name
