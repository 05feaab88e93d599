"""Numbers and anomalies from outside: what is usual is learnt, told, kept and not learnt twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from household import RED, House, at_least, images, published
from jsonschema import Draft202012Validator

from edged.baseline import FEWEST_ERRORS, threshold_of
from edged.publish.wire.kinds import schema

Make = Callable[..., Any]
WINDOW = 16
WHITE = (255, 255, 255)
MOTOR = 'name = "motor"\nmodel = "autoencoder_float32"\n'
LIGHT = 'name = "light"\nmodel = "regression_float32"\n'
# It learns from the first 30 windows: they take longer than a millisecond.
LEARN = "[anomaly]\nlearn_s = 0.001\n"


def table(path: Path, *amplitudes: float) -> list[float]:
    """A table with a window of noise for each amplitude; the errors that they come to."""
    noise = np.random.default_rng(0).normal(size=(len(amplitudes), WINDOW, 2))
    windows = (noise * np.array(amplitudes)[:, None, None]).astype(np.float32)
    rows = "\n".join(f"{x:.9g},{y:.9g}" for x, y in windows.reshape(-1, 2))
    path.write_text(f"x (m/s^2),y (m/s^2)\n{rows}\n")
    return [float(error) for error in windows.var(axis=1).mean(axis=1)]


def source(path: Path) -> str:
    lines = f'kind = "csv"\npath = "{path}"\nrate_hz = 100\nrealtime = false'
    return f"[pipelines.source]\n{lines}\n"


def infos(messages: Any) -> list[Any]:
    told = [each["pipelines"] for each in published(messages, "pi/info")]
    return [one["anomaly"] for each in told for one in each if one["name"] == "motor"]


def test_what_is_usual_is_learnt_told_and_kept(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    for model in ("autoencoder_float32", "regression_float32"):
        house.model(model)
    (house.models / "autoencoder_float32.toml").write_text(LEARN)
    house.labels("regression_float32", "brightness")
    path, kept = house.directory / "motor.csv", house.directory / "state" / "anomaly.json"
    errors = table(path, *[1.0] * 60, *[10.0] * 5)
    light = images(house.pictures(RED, WHITE))
    house.configure(broker.port, MOTOR + source(path), LIGHT + light)

    heard = subscriber(broker.port)
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    results = published(messages, "pi/motor/result")
    for result in [*results, *published(messages, "pi/light/result")]:
        Draft202012Validator(schema("result")).validate(result)
    values = [result["values"] for result in results]
    assert [each["error"] for each in values] == pytest.approx(errors, rel=1e-4)
    learnt = sum("score" not in each for each in values)
    assert FEWEST_ERRORS <= learnt < 60
    threshold = threshold_of(errors[:learnt])
    scores = [each["score"] for each in values[learnt:]]
    assert scores == pytest.approx([error / threshold for error in errors[learnt:]], rel=1e-4)
    assert [score > 1 for score in scores] == [False] * (60 - learnt) + [True] * 5
    told = infos(messages)
    assert told[0] is None  # no model yet
    assert any(each is not None and each["threshold"] is None for each in told)
    assert told[-1] == {"threshold": pytest.approx(threshold, rel=1e-4), "learning_until": None}
    daemon.wait_for_line(f"what is usual is learnt, from {learnt} results: an error over")
    [entry] = json.loads(kept.read_text())
    assert (entry["pipeline"], entry["errors"]) == ("motor", learnt)
    light_values = [each["values"] for each in published(messages, "pi/light/result")]
    assert light_values == [{"brightness": -0.333333}, {"brightness": 1.0}]

    # A restart in the middle of a fault does not learn the fault.
    table(path, *[10.0] * 40)
    house.configure(broker.port, MOTOR + source(path))
    heard = subscriber(broker.port)
    assert house.run().wait() == 0
    messages = heard.wait_for(at_least(40, "pi/motor/result"))
    scores = [each["values"]["score"] for each in published(messages, "pi/motor/result")]
    assert len(scores) == 40
    assert min(scores) > 1

    # Nor is a file that cannot be read taken for anything, or in silence.
    kept.write_text("[{")
    house.configure(broker.port, MOTOR + source(path))
    daemon = house.run()
    assert daemon.wait() == 0
    daemon.wait_for_line("anomaly.json cannot be read")
    daemon.wait_for_line("what is usual is learnt")
    assert json.loads(kept.read_text())[0]["threshold"] > 10 * threshold
