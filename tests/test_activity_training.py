"""What ``scripts/train_activity_model.py`` reads, and what it makes of it before it learns."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HEAD = """\
#Four students did four things.
@problemName BasicMotions
@timeStamps false
@classLabel true Standing Running Walking Badminton
@data
"""
STILL = "0.5,-5.8E-5:1,2:3,4:5,6:7,8:9,10:Standing\n"


@pytest.fixture
def recordings() -> Any:
    return importlib.import_module("activity_model.recordings")


@pytest.fixture
def lessons() -> Any:
    return importlib.import_module("activity_model.lessons")


def test_a_series_is_samples_by_channels_and_the_last_field_is_its_class(recordings: Any) -> None:
    read = recordings.read_ts(HEAD + STILL + STILL.replace("Standing", "Walking") + "\n")
    assert read.series.shape == (2, 2, 6)
    assert read.series.dtype == np.float32
    assert read.series[0].tolist() == [
        [0.5, 1, 3, 5, 7, 9],
        [np.float32(-5.8e-5), 2, 4, 6, 8, 10],
    ]
    assert read.classes.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "no series"),
        (STILL, "no series"),
        (HEAD + STILL + STILL.replace("Standing", "Sitting"), "line 7"),
        (HEAD + STILL.replace("7,8:", ""), "line 6"),
        (HEAD + STILL.replace("7,8", "7"), "line 6"),
        (HEAD + STILL.replace("7,8", "7,?"), "line 6"),
        (HEAD + STILL + "1,2,3:1,2,3:1,2,3:1,2,3:1,2,3:1,2,3:Running", "line 7"),
    ],
)
def test_what_does_not_fit_is_told_with_its_line(recordings: Any, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recordings.read_ts(text)


def test_tables_come_in_turns_of_the_classes_and_are_called_by_them(
    recordings: Any, tmp_path: Path
) -> None:
    series = np.arange(8 * 2 * 6, dtype=np.float32).reshape(8, 2, 6)
    recordings.write_tables(recordings.Recordings(series, np.repeat(np.arange(4), 2)), tmp_path)
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert names[:5] == [
        "01-standing.csv",
        "02-running.csv",
        "03-walking.csv",
        "04-badminton.csv",
        "05-standing.csv",
    ]
    assert (tmp_path / "02-running.csv").read_text() == (
        "accel_x,accel_y,accel_z,anglvel_x,anglvel_y,anglvel_z\n"
        "24.000,25.000,26.000,27.000,28.000,29.000\n"
        "30.000,31.000,32.000,33.000,34.000,35.000\n"
    )


def test_gravity_stays_down_in_the_world_while_the_sensor_turns(lessons: Any) -> None:
    """A quarter turn a second about x: what lay along y lies along z or against it."""
    still = np.zeros((5, 11, 6), np.float32)
    still[..., 3] = np.pi / 2
    seen = lessons.under_gravity(still, np.random.default_rng(1))[..., :3]
    np.testing.assert_allclose(np.linalg.norm(seen, axis=-1), 9.81, rtol=1e-5)
    # The sensor turns from y to z, so gravity turns from z to y as the sensor sees it.
    np.testing.assert_allclose(seen[:, 10, 0], seen[:, 0, 0], atol=1e-4)
    np.testing.assert_allclose(seen[:, 10, 1], seen[:, 0, 2], atol=1e-4)
    np.testing.assert_allclose(seen[:, 10, 2], -seen[:, 0, 1], atol=1e-4)


def test_every_mounting_is_as_likely_and_none_mirrors(lessons: Any) -> None:
    axes = np.zeros((4000, 3, 6), np.float32)
    axes[:, :, :3] = axes[:, :, 3:] = np.eye(3)  # at each moment the sensor sees another axis
    turned = lessons.mounted_anyhow(axes, np.random.default_rng(1))
    accelerometer, gyroscope = turned[..., :3], turned[..., 3:]
    np.testing.assert_array_equal(accelerometer, gyroscope)
    np.testing.assert_allclose(np.linalg.det(accelerometer), 1, atol=1e-5)
    assert np.abs(accelerometer.mean(0)).max() < 0.04  # of 4,000: four standard errors
    assert np.abs((accelerometer**2).mean(0) - 1 / 3).max() < 0.02
