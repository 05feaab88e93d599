"""Zones of the picture, end to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from household import RED, House, images, published

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
