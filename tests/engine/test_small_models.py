"""The models in tests/models are what their README says."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

interpreter = pytest.importorskip("ai_edge_litert.interpreter")

MODELS = Path(__file__).resolve().parent.parent / "models"

RED, WHITE, BLACK = (255.0, 0.0, 0.0), (255.0, 255.0, 255.0), (0.0, 0.0, 0.0)
ORANGE = (200.0, 100.0, 50.0)

MEAN, STD = np.array((123.675, 116.28, 103.53)), np.array((58.395, 57.12, 57.375))

Reals = npt.NDArray[Any]


class Model:
    """A model run by the bare interpreter, in real numbers."""

    def __init__(self, name: str) -> None:
        path = str(MODELS / f"{name}.tflite")
        self.bare: Any = interpreter.Interpreter(path, num_threads=1)
        self.bare.allocate_tensors()

    def run(self, colour: Reals, *others: Reals) -> list[Reals]:
        """The dequantised outputs for a picture of one colour, given as the input's real values."""
        details = self.bare.get_input_details()
        channels = colour[: details[0]["shape"][-1]]
        picture = np.broadcast_to(channels, details[0]["shape"])
        for detail, reals in zip(details, (picture, *others), strict=True):
            scale, zero_point = detail["quantization"]
            stored = np.rint(reals / scale) + zero_point if scale else reals
            self.bare.set_tensor(detail["index"], stored.astype(detail["dtype"]))
        self.bare.invoke()
        return [self._real(detail) for detail in self.bare.get_output_details()]

    def _real(self, detail: dict[str, Any]) -> Reals:
        with np.errstate(invalid="ignore"):  # of a detector, what lies behind those that count
            stored = self.bare.get_tensor(detail["index"]).astype(np.float64)
        scale, zero_point = detail["quantization"]
        reals: Reals = (stored - zero_point) * scale if scale else stored
        return reals


def share(colour: tuple[float, ...]) -> Reals:
    return np.array(colour) / 255


def balanced(colour: tuple[float, ...]) -> Reals:
    return np.array(colour) / 127.5 - 1


def contrast(x: Reals) -> Reals:
    """Each colour less half of the two others."""
    less: Reals = 1.5 * x - 0.5 * x.sum()
    return less


def softmax(x: Reals) -> Reals:
    shares: Reals = np.exp(x) / np.exp(x).sum()
    return shares


@pytest.mark.parametrize("colour", [RED, WHITE, BLACK, ORANGE])
@pytest.mark.parametrize("name", ["classifier_uint8", "classifier_int8"])
def test_quantised_classifiers_give_the_softmax_of_the_colours_contrast(
    name: str, colour: tuple[float, ...]
) -> None:
    (scores,) = Model(name).run(share(colour))
    np.testing.assert_allclose(scores[0], softmax(2 * contrast(share(colour))), atol=0.01)


@pytest.mark.parametrize("colour", [RED, WHITE, BLACK, ORANGE])
def test_float_classifiers_give_what_their_formulas_say(colour: tuple[float, ...]) -> None:
    x = balanced(colour)
    expected = {
        "classifier_float32": softmax(2 * contrast(x)),
        "classifier_float32_logits": 2 * contrast(x),
        "classifier_float32_sigmoid": 1 / (1 + np.exp(-2 * x)),
        "classifier_float32_dynamic_batch": softmax(2 * contrast(x)),
    }
    for name, formula in expected.items():
        (scores,) = Model(name).run(x)
        np.testing.assert_allclose(scores[0], formula, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("colour", [RED, WHITE, BLACK, ORANGE])
def test_the_regression_gives_the_mean(colour: tuple[float, ...]) -> None:
    x = balanced(colour)
    (brightness,) = Model("regression_float32").run(x)
    np.testing.assert_allclose(brightness, [[x.mean()]], atol=1e-5)


@pytest.mark.parametrize(("name", "step"), [("float32", 1e-6), ("int8", 1 / 32)])
def test_the_autoencoders_make_each_channels_mean_of_a_window(name: str, step: float) -> None:
    window = np.zeros((1, 16, 2))
    window[0, ::2] = 2.0, -1.0
    (made,) = Model(f"autoencoder_{name}").run(window)
    np.testing.assert_allclose(made, np.broadcast_to((1.0, -0.5), (1, 16, 2)), atol=step)


@pytest.mark.parametrize("name", ["float32", "int8", "uint8"])
def test_windows_are_classified_by_their_highest_channel(name: str) -> None:
    shape = (1, 8, 3, 1) if name == "uint8" else (1, 8, 3)
    channels = np.broadcast_to(np.array([0.5, 2.0, -1.0]), (1, 8, 3)).reshape(shape)
    (scores,) = Model(f"window_{name}").run(channels)
    expected = softmax(contrast(np.array([0.5, 2.0, -1.0])))
    np.testing.assert_allclose(scores[0], expected, atol=0.01)


def test_a_window_of_one_channel_is_low_or_high() -> None:
    (scores,) = Model("window_one_channel").run(np.full((1, 16), 1.0))
    np.testing.assert_allclose(scores[0], softmax(np.array((-1.0, 1.0))), atol=0.01)


def test_the_background_class_wins_where_there_is_no_colour() -> None:
    model = Model("classifier_uint8_background")
    np.testing.assert_allclose(model.run(share(RED))[0][0], (0.25, 0.68, 0.035, 0.035), atol=0.01)
    np.testing.assert_allclose(model.run(share(WHITE))[0][0], (0.48, 0.17, 0.17, 0.17), atol=0.01)


@pytest.mark.parametrize("colour", [WHITE, BLACK, ORANGE])
def test_the_grey_classifier_tells_dark_from_bright(colour: tuple[float, ...]) -> None:
    (scores,) = Model("classifier_uint8_grey").run(share(colour))
    logit = 2 * colour[0] / 255 - 1
    np.testing.assert_allclose(scores[0], softmax(np.array((-logit, logit))), atol=0.01)


@pytest.mark.parametrize("colour", [RED, ORANGE])
def test_the_odd_scale_wants_its_metadatas_normalisation(colour: tuple[float, ...]) -> None:
    x = (np.array(colour) - 127) / 128
    (scores,) = Model("classifier_int8_odd_scale").run(x)
    np.testing.assert_allclose(scores[0], softmax(contrast(x)), atol=0.01)


@pytest.mark.parametrize("colour", [RED, ORANGE])
def test_the_model_with_metadata_wants_imagenets_normalisation(colour: tuple[float, ...]) -> None:
    x = (np.array(colour) - MEAN) / STD
    (scores,) = Model("classifier_float32_metadata").run(x)
    np.testing.assert_allclose(scores[0], softmax(x), atol=1e-5)


def test_a_bright_picture_gives_not_a_number() -> None:
    model = Model("classifier_float32_nan_when_bright")
    assert np.isnan(model.run(balanced(WHITE))[0]).all()
    np.testing.assert_allclose(model.run(balanced(BLACK))[0][0], 1 / 3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "places"), [("detector_tf1", (0, 1, 2, 3)), ("detector_tf2", (1, 3, 0, 2))]
)
def test_detectors_give_one_box_for_each_bright_colour(name: str, places: tuple[int, ...]) -> None:
    model = Model(name)

    def found(colour: tuple[float, ...]) -> tuple[Reals, list[float], list[float]]:
        outputs = model.run(share(colour))
        boxes, classes, scores, count = (outputs[place] for place in places)
        n = int(count[0])
        return boxes[0, :n], classes[0, :n].tolist(), scores[0, :n].round(2).tolist()

    boxes, classes, scores = found(RED)
    assert (classes, scores) == ([0], [0.98])
    np.testing.assert_allclose(boxes, [(0.1, 0.1, 0.5, 0.4)], atol=1e-6)
    boxes, classes, scores = found(WHITE)
    assert (sorted(classes), scores) == ([0, 1, 2], [0.98, 0.98, 0.98])
    assert found(BLACK)[1] == []


def test_the_stateful_model_remembers_half_of_what_it_saw() -> None:
    model, state = Model("stateful"), np.zeros((1, 3))
    reds = []
    for _ in range(3):
        scores, state = model.run(share(RED), state)
        reds.append(scores[0, 0])
    np.testing.assert_allclose(reds, (0.69, 0.82, 0.87), atol=0.01)
    np.testing.assert_allclose(state[0], (0.875, 0, 0), atol=0.01)


def test_two_inputs_gives_the_pictures_colour_whatever_the_other_input_is() -> None:
    (scores,) = Model("two_inputs").run(balanced(RED), np.full((1, 7), 9.0))
    np.testing.assert_allclose(scores[0], softmax(2 * contrast(balanced(RED))), atol=1e-5)


def test_segmentation_and_pose_have_shapes_of_their_own() -> None:
    (classes,) = Model("segmentation").run(share((0, 10, 200)))
    assert classes.shape == (1, 16, 16)
    assert (classes == 2).all()
    (points,) = Model("pose").run(share(ORANGE))
    assert points.shape == (1, 1, 17, 3)
    np.testing.assert_allclose(points[0, 0], np.tile(share(ORANGE), (17, 1)), atol=0.01)


def test_the_files_are_what_the_script_makes() -> None:
    made = importlib.import_module("make_test_models").MODELS
    assert sorted(made) == sorted(path.stem for path in MODELS.glob("*.tflite"))
    for name, make in made.items():
        assert make() == (MODELS / f"{name}.tflite").read_bytes(), name


def test_the_readme_names_every_file() -> None:
    readme = (MODELS / "README.md").read_text()
    for path in MODELS.glob("*.tflite"):
        assert f"| `{path.stem}` |" in readme, path.stem


def test_the_keyword_model_remembers_half_of_what_was_and_half_of_what_is() -> None:
    model = Model("keyword")
    remembered = 2.0
    for loud in (0.0, 0.0, 20.0, 20.0, 15.0, 0.0):
        remembered = (remembered + loud) / 2
        (probability,) = model.run(np.array([loud]))
        expected = 1 / (1 + np.exp(8 - remembered))
        assert probability.item() == pytest.approx(expected, abs=0.01)
