"""Models that people use, on photos: as right as the bare interpreter is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edged.engine import runtime as binding
from edged.engine.engines import Engines
from edged.engine.geometry import Fit
from edged.engine.interpreter import Engine
from edged.filter import Filter
from edged.model import Model
from edged.reading import read_model
from edged.records.decoded import ScoredClasses
from edged.records.frames import Frame, PixelOrder
from edged.records.models import ModelSpec
from edged.records.results import ClassScore, Detection
from edged.sources.images import ImagesSource
from edged.store.models import read_model_files

Box = tuple[float, ...]
COCO = "coco_ssd_mobilenet_v1_quant"
PHOTOS = ("cat_720p.jpg", "cat_1080p.jpg", "pets.jpg", "sunflower.bmp", "grace_hopper.bmp")
# What normalises each model's input, by its own metadata (bytes to real numbers).
CLASSIFIERS: dict[str, Callable[[Any], Any]] = {
    "mobilenet_v1_0.25_128_quant": lambda byte: (byte - 127.5) / 127.5,
    "mobilenet_v2_1.0_224_quant": lambda byte: (byte - 127.5) / 127.5,
    "efficientnet_lite0_int8": lambda byte: (byte - 127.0) / 128.0,
}


@pytest.fixture(scope="module")
def load(testdata: Path) -> Callable[..., Model]:
    """``load(name, fit=Fit.STRETCH)``: a model as it serves, without the try before it."""

    def loaded(name: str, fit: Fit = Fit.STRETCH) -> Model:
        path = testdata / "models" / f"{name}.tflite"
        files, engine = read_model_files(path), Engine(path, threads=1)
        engine.invoke()
        reading = read_model(files, engine.inputs, engine.shaped_outputs())
        spec = ModelSpec(name, files.facts.sha256, len(files.data), reading.task.name, ())
        return Model(spec, Engines(engine), reading, fit)

    return loaded


def frame_of(path: Path) -> Frame:
    source = ImagesSource(path, loop=False)
    source.open(None)
    frame = source.read()
    assert frame is not None
    return frame


def detections(model: Model, path: Path) -> list[Detection]:
    inference = model.infer(frame_of(path))
    keep = Filter(model.reading.labels.name, threshold=0.5, allowed=None, max_results=25)
    found = keep.apply(inference.decoded, inference.placement)
    return [one for one in found if isinstance(one, Detection)]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes x_min, y_min, x_max, y_max."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


# ---- detection -----------------------------------------------------------------------------------


def test_the_cat_is_found_where_it_is(load: Callable[..., Model], testdata: Path) -> None:
    (cat,) = detections(load(COCO), testdata / "images" / "cat_720p.jpg")
    assert cat.label == "cat"
    assert cat.score == pytest.approx(0.73, abs=0.05)
    assert overlap(cat.box, (0.071, 0.131, 0.718, 0.977)) >= 0.9


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ("pets.jpg", [("dog", 0.81), ("dog", 0.75)]),
        ("grace_hopper.bmp", [("person", 0.72), ("tie", 0.66)]),
    ],
)
def test_the_reference_detections_are_found(
    load: Callable[..., Model], testdata: Path, photo: str, expected: list[tuple[str, float]]
) -> None:
    found = detections(load(COCO), testdata / "images" / photo)
    assert [one.label for one in found] == [label for label, _ in expected]
    assert [one.score for one in found] == pytest.approx([score for _, score in expected], abs=0.05)


@pytest.mark.parametrize("photo", ["cat_720p.jpg", "pets.jpg", "grace_hopper.bmp"])
def test_boxes_are_those_of_the_bare_interpreter(
    load: Callable[..., Model], testdata: Path, photo: str
) -> None:
    path = testdata / "images" / photo
    boxes, classes, scores, count = bare(testdata, COCO, path, lambda byte: byte / 128.0 - 1.0)
    found = detections(load(COCO), path)
    kept = [n for n in range(int(count[0])) if scores[0, n] > 0.5]
    assert len(found) == len(kept) > 0
    for one, n in zip(found, kept, strict=True):
        y_min, x_min, y_max, x_max = boxes[0, n].tolist()
        assert overlap(one.box, (x_min, y_min, x_max, y_max)) >= 0.9
        assert one.score == pytest.approx(float(scores[0, n]), abs=0.05)
        assert one.label == load(COCO).reading.labels.name(int(classes[0, n]))


@pytest.mark.parametrize("fit", Fit)
def test_the_cat_is_at_the_same_place_of_the_frame_whatever_the_fit(
    load: Callable[..., Model], testdata: Path, fit: Fit
) -> None:
    path = testdata / "images" / "cat_1080p.jpg"
    (stretched,) = detections(load(COCO), path)
    (cat,) = detections(load(COCO, fit), path)
    assert cat.label == "cat"
    # The middle square of the frame is x 0.219 to 0.781: what lies outside is not seen.
    left, right = (0.219, 0.781) if fit is Fit.CROP else (0.0, 1.0)
    x_min, y_min, x_max, y_max = stretched.box
    visible = (max(x_min, left), y_min, min(x_max, right), y_max)
    assert overlap(cat.box, visible) >= 0.8


# ---- classification ------------------------------------------------------------------------------


def bare(
    testdata: Path, name: str, photo: Path, normalise: Callable[[Any], Any]
) -> list[npt.NDArray[np.float64]]:
    """The interpreter alone, fed by preprocessing of its own: real numbers in, real numbers out."""
    path = str(testdata / "models" / f"{name}.tflite")
    interpreter = binding.runtime().module.Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    _, height, width, _ = given["shape"]
    picture = cv2.imread(str(photo), cv2.IMREAD_COLOR)
    assert picture is not None
    small = cv2.resize(
        picture[:, :, ::-1], (int(width), int(height)), interpolation=cv2.INTER_LINEAR
    )
    scale, zero_point = given["quantization"]
    limits = np.iinfo(given["dtype"])
    stored = np.clip(
        np.round(normalise(small.astype(np.float64)) / scale + zero_point), limits.min, limits.max
    )
    interpreter.set_tensor(given["index"], stored.astype(given["dtype"])[np.newaxis])
    interpreter.invoke()
    outputs = []
    for detail in interpreter.get_output_details():
        scale, zero_point = detail["quantization"]
        values = interpreter.get_tensor(detail["index"]).astype(np.float64)
        outputs.append((values - zero_point) * scale if scale else values)
    return outputs


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_best_class_of_every_photo_is_the_bare_interpreters(
    load: Callable[..., Model], testdata: Path, name: str
) -> None:
    model = load(name)
    for photo in PHOTOS:
        path = testdata / "images" / photo
        (expected,) = bare(testdata, name, path, CLASSIFIERS[name])
        decoded = model.infer(frame_of(path)).decoded
        assert isinstance(decoded, ScoredClasses)
        assert int(decoded.scores.argmax()) == int(expected[0].argmax()), photo
        np.testing.assert_allclose(decoded.scores, expected[0], atol=0.02)


def best(model: Model, path: Path) -> ClassScore:
    inference = model.infer(frame_of(path))
    keep = Filter(model.reading.labels.name, threshold=0, allowed=None, max_results=1)
    (found,) = keep.apply(inference.decoded, inference.placement)
    assert isinstance(found, ClassScore)
    return found


def test_efficientnet_needs_normalisation_and_quantisation(
    load: Callable[..., Model], testdata: Path
) -> None:
    cat = best(load("efficientnet_lite0_int8"), testdata / "images" / "cat_720p.jpg")
    assert cat.label == "Egyptian cat"
    assert cat.score == pytest.approx(0.53, abs=0.02)  # 0.37 with the bytes as they are


def test_a_written_nine_is_a_nine(load: Callable[..., Model], testdata: Path) -> None:
    model = load("keras_lstm_mnist_ptq")
    nine = best(model, testdata / "images" / "mnist_nine.bmp")
    assert nine.label == "9"
    assert nine.score > 0.99
    # What the model has seen before, warming up, leaves nothing behind in its LSTM.
    model.infer(frame_of(testdata / "images" / "sunflower.bmp"))
    assert best(model, testdata / "images" / "mnist_nine.bmp") == nine


# ---- sequences -----------------------------------------------------------------------------------


def test_a_sequence_is_looked_at_by_itself_whatever_came_before(
    load: Callable[..., Model],
) -> None:
    lstm = load("keras_lstm_mnist_ptq")
    random = np.random.default_rng(5)
    one, other = (
        Frame(0, 0, 0, random.integers(0, 256, (28, 28), np.uint8), PixelOrder.GRAY)
        for _ in range(2)
    )
    first, _, again = (scores(lstm, picture) for picture in (one, other, one))
    assert np.array_equal(first, again)


def scores(model: Model, picture: Frame) -> npt.NDArray[np.float32]:
    decoded = model.infer(picture).decoded
    assert isinstance(decoded, ScoredClasses)
    return decoded.scores
