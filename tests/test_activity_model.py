"""The activity model that ships with edged, run by the bare interpreter on series new to it."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from edged.demo.sensor import MOTIONS_DIR, activities
from edged.engine.runtime import runtime
from edged.records.arrays import FloatArray

MODELS = files("edged") / "models"
LABELS = (MODELS / "activity.labels.txt").read_text(encoding="utf-8").splitlines()
TOLD = tomllib.loads((MODELS / "activity.toml").read_text(encoding="utf-8"))["input"]


@pytest.fixture(scope="module")
def interpreter() -> Any:
    model = (MODELS / "activity.tflite").read_bytes()
    interpreter = runtime().module.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


@pytest.fixture(scope="module")
def series() -> FloatArray:
    """float32, 40 x 100 x 6."""
    tables = sorted(MOTIONS_DIR.glob("*.csv"))
    return np.stack([np.loadtxt(table, np.float32, delimiter=",", skiprows=1) for table in tables])


def classify(interpreter: Any, window: FloatArray) -> str:
    (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = given["quantization"]
    scaled = (window - np.array(TOLD["mean"])) / np.array(TOLD["std"])
    tensor = np.rint(scaled / scale + zero_point).clip(-128, 127).astype(np.int8)
    interpreter.set_tensor(given["index"], tensor[None])
    interpreter.invoke()
    return LABELS[interpreter.get_tensor(output["index"])[0].argmax()]


def share_right(interpreter: Any, series: FloatArray) -> float:
    """Over windows that overlap by half."""
    length = interpreter.get_input_details()[0]["shape"][1]
    begins = range(0, series.shape[1] - length + 1, length // 2)
    right = [
        classify(interpreter, one[begin : begin + length]) == activity
        for one, activity in zip(series, activities(MOTIONS_DIR), strict=True)
        for begin in begins
    ]
    return sum(right) / len(right)


def test_it_names_the_activity_of_19_windows_in_20_of_series_that_it_never_saw(
    interpreter: Any, series: FloatArray
) -> None:
    assert series.shape == (40, 100, 6)
    assert share_right(interpreter, series) >= 0.95


@pytest.mark.parametrize("down", [(0, 0, 9.81), (0, -9.81, 0), (6.94, 6.94, 0)])
def test_it_bears_the_gravity_that_an_accelerometer_measures(
    interpreter: Any, series: FloatArray, down: tuple[float, ...]
) -> None:
    assert share_right(interpreter, series + np.float32([*down, 0, 0, 0])) >= 0.95


@pytest.mark.parametrize("axes", [(1, 2, 0), (2, 0, 1)])
def test_it_bears_a_sensor_whose_axes_lie_in_another_way(
    interpreter: Any, series: FloatArray, axes: tuple[int, ...]
) -> None:
    assert share_right(interpreter, series[..., [*axes, *(3 + axis for axis in axes)]]) >= 0.95


def test_it_is_of_int8_at_both_ends(interpreter: Any) -> None:
    (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] is output["dtype"] is np.int8
    assert list(given["shape"]) == [1, 30, len(TOLD["channels"])]
    assert list(output["shape"]) == [1, len(LABELS)]
    # Probabilities, in steps of 1/256 from 0.
    assert output["quantization"] == (pytest.approx(1 / 256), -128)


def test_its_file_is_at_most_100_kb() -> None:
    assert len((MODELS / "activity.tflite").read_bytes()) <= 100 * 1024
