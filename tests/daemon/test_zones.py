"""Zones of the picture, end to end."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from home_assistant import HomeAssistant
from household import RED, House, images, published

from edged.records.frames import Size
from edged.sources.scene import SHOT_FRAMES, Scene

ZONES = ("driveway", "street")
Make = Callable[..., Any]
BLACK = (0, 0, 0)
EYE = """name = "eye"
model = "detector_tf1"
zones = [
  {name = "driveway", polygon = [[0, 0.4], [1, 0.4], [1, 1], [0, 1]]},
  {name = "street", polygon = [[0, 0], [1, 0], [1, 0.4], [0, 0.4]]},
]
"""


def test_who_enters_a_zone_is_told_by_an_event_and_counted(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("detector_tf1")
    house.labels("detector_tf1", "person", "cat", "dog")
    pictures = images(house.pictures(*[BLACK] * 3, *[RED] * 8, *[BLACK] * 20))
    house.configure(broker.port, EYE + pictures)
    assert house.run().wait() == 0
    started, ended = published(heard.messages, "eye/event")
    assert (started["type"], ended["type"]) == ("started", "ended")
    assert started["id"] == ended["id"]
    assert (started["label"], started["zone"], started["track"]) == ("person", "driveway", 1)
    counts = published(heard.messages, "eye/counts")
    inside = [each["zones"]["driveway"]["inside"] for each in counts]
    assert {"person": 1} in inside
    assert inside[-1] == {}
    assert counts[-1]["zones"]["driveway"]["entered"] == 1
    assert counts[-1]["zones"]["street"]["entered"] == 0
    assert len(published(heard.messages, "eye/result")) == 31
    hass = HomeAssistant()
    seen = []
    for message in heard.messages:
        hass.hear(message.topic, message.payload)
        keys = {config["name"]: key for key, config in hass.entities.items()}
        if message.topic.endswith("eye/counts"):
            seen.append([hass.state(keys[f"eye {zone} presence"]) for zone in ZONES])
    assert ["ON", "OFF"] in seen
    assert seen[-1] == ["OFF", "OFF"]


def a_circle_goes_to_the_right(directory: Path) -> Path:
    """Pictures of a shape that goes over the middle of the picture once, to the right."""
    directory.mkdir()
    scene, picture = Scene(29, Size(320, 240)), np.empty((240, 320, 3), np.uint8)
    for number in range(SHOT_FRAMES):
        (circle,) = scene.render(number, picture)
        assert circle.label == "circle"
        assert cv2.imwrite(str(directory / f"{number:03}.png"), picture[:, :, ::-1])
    return directory


def test_lines_without_zones_count_who_goes_over_them(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("shapes", Path(str(files("edged"))) / "models" / "shapes.tflite")
    pictures = a_circle_goes_to_the_right(house.directory / "pictures")
    lines = (
        '{name = "middle", start = [0.5, 1], end = [0.5, 0], anchor = "centre"}',
        '{name = "back", start = [0.5, 0], end = [0.5, 1], labels = ["circle"]}',
        '{name = "stars", start = [0.5, 1], end = [0.5, 0], labels = ["star"]}',
    )
    eye = f'name = "eye"\nmodel = "shapes"\npublish = "events"\nlines = [{", ".join(lines)}]\n'
    # At an even pace: who moves is followed by how fast they were a moment ago.
    house.configure(broker.port, eye + images(pictures, "fps = 30"))
    assert house.run().wait() == 0
    counts = published(heard.messages, "eye/counts")
    assert {"circle": 1} in [each["counts"] for each in counts]
    assert counts[-1]["zones"] == {}
    assert counts[-1]["lines"] == {
        "middle": {"to_left": 0, "to_right": 1},
        "back": {"to_left": 1, "to_right": 0},
        "stars": {"to_left": 0, "to_right": 0},
    }
    events = published(heard.messages, "eye/event")
    assert [(each["type"], each["label"], each["zone"]) for each in events] == [
        ("started", "circle", None),
        ("ended", "circle", None),
    ]
    assert events[0]["track"] == events[1]["track"] > 0
    hass = HomeAssistant()
    for message in heard.messages:
        hass.hear(message.topic, message.payload)
    shown = {config["name"]: key for key, config in hass.entities.items()}
    assert hass.state(shown["eye middle to right"]) == "1"
    assert hass.state(shown["eye presence"]) == "OFF"
