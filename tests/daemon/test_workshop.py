"""The chain: a model of any batch is converted, quantised, added to the watched directory, tried on
golden results that were recorded of it, and served.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from household import BLUE, GREEN, RED, SMALL_MODELS, House, images
from quantizing import write_pictures

pytest.importorskip("litert_quantizer", reason="the extra workshop is not installed")


def edged_model(*words: str | Path) -> str:
    command = [sys.executable, "-m", "edged", "model", *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_converted_and_quantised_model_is_added_served_and_held_to_its_golden_results(
    house: House, mosquitto: Callable[..., Any], subscriber: Callable[..., Any], tmp_path: Path
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    golden = house.pictures(RED, GREEN, BLUE, name="golden")
    write_pictures(tmp_path / "calibrate", 50)

    source = SMALL_MODELS / "classifier_float32_dynamic_batch.tflite"
    edged_model("convert", source, "-o", made / "float.tflite")
    (made / "float.labels.txt").write_text("red\ngreen\nblue\n")
    edged_model(
        "quantize", made / "float.tflite", "--calibrate", tmp_path / "calibrate",
        "-o", made / "colours.tflite",
    )  # fmt: skip
    edged_model("test", made / "colours.tflite", "--golden", golden)

    broker = mosquitto()
    pipeline = f'name = "front"\nmodel = "colours"\nthreshold = 0.5\n{images(golden)}'
    config = house.configure(broker.port, pipeline)
    edged_model("add", made / "colours.tflite", "-c", config)
    messages = subscriber(broker.port, "edged/pi/front/result")
    assert house.run().wait() == 0

    found = messages.wait_for(lambda messages: len(messages) >= 3)
    labels = [json.loads(message.payload)["classes"][0]["label"] for message in found]
    assert labels == ["red", "green", "blue"]
    assert (house.models / "colours.golden").is_dir()
