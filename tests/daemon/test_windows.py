"""Windows of samples through the real daemon: tables in, MQTT out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import SMALL_MODELS, House, at_least, content, images, published
from jsonschema import Draft202012Validator
from swapping import Stream, version_of

from edged.publish.wire.kinds import schema

Make = Callable[..., Any]
TOLD = """
labels = ["x", "y", "z"]
[input]
rate_hz = 50
channels = ["x", "y", "z"]
mean = [9.81, 0, 0]
std = 2
"""


def csv(path: Path, *more: str) -> str:
    """The TOML of a ``csv`` source."""
    lines = "\n".join(more)
    return f'[pipelines.source]\nkind = "csv"\npath = "{path}"\n{lines}'


def pipeline(name: str, model: str, source: str) -> str:
    return f'name = "{name}"\nmodel = "{model}"\n{source}'


def table(path: Path, *runs: tuple[str, int]) -> Path:
    """At 50 Hz, so many rows in a row in which a channel is the highest; "" leaves rows out."""
    rows, number = ["time (s),temp (°C),z (m/s^2),x (m/s^2),y (m/s^2)"], 0
    for highest, count in runs:
        for _ in range(count):
            x, y, z = (4.0 * (highest == channel) for channel in "xyz")
            if highest:
                rows.append(f"{number / 50:.2f},20.5,{z},{x + 9.81},{y}")
            number += 1
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_table_becomes_results_and_no_window_bridges_a_gap(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("window_int8")
    (house.models / "window_int8.toml").write_text(TOLD)
    # The window that the gap cuts short would have had as many samples of y as of z.
    runs = (("x", 8), ("y", 4), ("", 10), ("z", 8), ("y", 8))
    path = table(house.directory / "hand.csv", *runs)
    house.configure(
        broker.port,
        pipeline("all", "window_int8", csv(path, "realtime = false")),
        pipeline("half", "window_int8", csv(path, "realtime = false", "overlap = 0.5")),
        pipeline("live", "window_int8", csv(path)),
    )
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")

    for message in messages:
        kind = message.topic.rpartition("/")[2]
        if kind in ("result", "info", "metrics"):
            Draft202012Validator(schema(kind)).validate(content(message))
    results = published(messages, "pi/all/result")
    assert [result["classes"][0]["label"] for result in results] == ["x", "z", "y"]
    assert [result["sequence"] for result in results] == [0, 1, 2]
    # Normalised it is 2, 0, 0, so its logits are 2, -1, -1.
    assert results[0]["classes"][0]["score"] == pytest.approx(0.91, abs=0.01)
    # Where two channels are alike, none reaches the threshold.
    half = [result["classes"] for result in published(messages, "pi/half/result")]
    assert [best[0]["label"] if best else None for best in half] == ["x", None, "z", None, "y"]
    counts = published(messages, "pi/metrics")[-1]["pipelines"]
    assert [counts["all"][which] for which in ("frames", "inferred", "dropped")] == [3, 3, 0]
    assert [counts[name]["gaps"] for name in ("all", "half", "live")] == [1, 1, 1]
    assert sum("all: 10 samples lost before number 22" in line for line in daemon.lines) == 1
    said = daemon.wait_for_line("pipeline all: model window_int8")
    assert "samples: 8 x 3 channels (x, y, z) at 50 Hz; (value - 9.81, 0, 0) / 2" in said

    # Played in real time a window is stamped with the moment of its last sample.
    live = published(messages, "pi/live/result")
    taken = [datetime.fromisoformat(result["captured_at"]) for result in live]
    assert live[-1]["classes"][0]["label"] == "y"
    assert counts["live"]["inferred"] + counts["live"]["dropped"] == 3
    if len(taken) == 3:
        apart_s = [(after - before).total_seconds() for before, after in pairwise(taken)]
        assert apart_s[0] > 0.43  # 22 samples
        assert apart_s[1] > 0.15  # 8


def test_what_does_not_go_together_is_refused_and_a_model_of_another_window_swapped_in(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    path = table(house.directory / "hand.csv", ("x", 40))
    house.model("classifier_uint8")
    house.model("lacking", SMALL_MODELS / "window_float32.tflite")
    (house.models / "lacking.toml").write_text('[input]\nchannels = ["x", "y", "gyro_x"]')
    house.model("window", SMALL_MODELS / "window_float32.tflite")
    (house.models / "window.toml").write_text(TOLD)
    forever = csv(path, "loop = true", "overlap = 0.5")
    house.configure(
        broker.port,
        pipeline("wrong", "classifier_uint8", forever),
        pipeline("lacking", "lacking", forever),
        pipeline("hand", "window", forever),
    )
    daemon = house.run()
    hand = Stream(heard, "hand")
    hand.wait_for_results(3)
    (house.models / "window.toml").write_text('labels = ["low", "x"]\ninput.channels = ["x"]')
    house.model("window", SMALL_MODELS / "window_one_channel.tflite")
    hand.wait_for_version(version_of(SMALL_MODELS / "window_one_channel.tflite"))
    messages = heard.wait_for(at_least(1, "pi/lacking/health"))
    assert daemon.stop() == 0

    refused = published(messages, "pi/wrong/model")[-1]["candidate"]
    assert refused["verdict"] == "refused"
    assert refused["reason"].startswith(
        "it looks at pictures, and the pipeline's source gives samples"
    )
    degraded = published(messages, "pi/lacking/health")[-1]
    assert degraded["state"] == "degraded"
    assert 'it takes a channel "gyro_x", and the source gives temp (°C)' in degraded["reason"]
    assert (hand.holes, len(hand.versions)) == ([], 2)
    assert hand.last["classes"][0]["label"] == "x"


def test_a_model_that_takes_both_gives_the_same_for_a_picture_and_for_a_table(
    house: House, mosquitto: Make, subscriber: Make, testdata: Path
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("lstm", testdata / "models" / "keras_lstm_mnist_ptq.tflite")
    digits = np.random.default_rng(5).integers(0, 256, (3, 28, 28)).astype(np.uint8)
    digits[1, :, :10] = 0
    digits[2, 10:] = 0
    pictures = house.directory / "pictures"
    pictures.mkdir()
    for number, digit in enumerate(digits):
        assert cv2.imwrite(str(pictures / f"{number}.png"), digit)
    rows = [",".join(f"c{number}" for number in range(28))]
    rows += [",".join(f"{byte / 255:.6f}" for byte in row) for row in digits.reshape(-1, 28)]
    path = house.directory / "digits.csv"
    path.write_text("\n".join(rows) + "\n")
    house.configure(
        broker.port,
        pipeline("eye", "lstm", images(pictures)),
        pipeline("hand", "lstm", csv(path, "realtime = false", "rate_hz = 28")),
    )
    assert house.run().wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    eye, hand = (
        [result["classes"] for result in published(messages, f"pi/{name}/result")]
        for name in ("eye", "hand")
    )
    assert len(eye) == 3
    assert eye == hand
