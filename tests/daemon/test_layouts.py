"""A YOLO detector as Ultralytics exports it through the real daemon: pictures in, MQTT out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from household import SMALL_MODELS, House, content, images, published
from jsonschema import Draft202012Validator

from edged.publish.wire.kinds import schema

Make = Callable[..., Any]

RED, BLACK, BLUE = (255, 0, 0), (0, 0, 0), (0, 0, 255)


def test_what_a_yolo_detector_finds_comes_over_mqtt(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("colours", SMALL_MODELS / "layouts" / "yolo_v8_int8.tflite")
    pictures = house.pictures(RED, BLACK, BLUE)
    pipeline = f'name = "front"\nmodel = "colours"\n{images(pictures)}'
    house.configure(broker.port, pipeline)
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")

    for message in messages:
        kind = message.topic.rpartition("/")[2]
        if kind in ("result", "info", "metrics"):
            Draft202012Validator(schema(kind)).validate(content(message))
    red, black, blue = published(messages, "pi/front/result")
    assert red["task"] == "detection"
    (found,) = red["detections"]  # and not the one beside it
    assert (found["label"], found["score"]) == ("red", pytest.approx(0.9, abs=0.01))
    assert found["box"] == pytest.approx([0.1, 0.1, 0.4, 0.5], abs=0.01)
    assert black["detections"] == []
    assert [found["label"] for found in blue["detections"]] == ["blue"]
    (info,) = published(messages, "pi/info")[-1]["pipelines"]
    assert info["labels"] == ["red", "green", "blue"]
    said = daemon.wait_for_line("pipeline front: model colours")
    assert "pixels: (byte - 0) / 255, from its temp_meta.txt" in said
