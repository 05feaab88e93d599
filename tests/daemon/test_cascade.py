"""A pipeline that another one starts, as its user runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import GREEN, RED, House, images, published
from readings import Readings

Make = Callable[..., Any]
EAR = 'name = "ear"\nmodel = "classifier_uint8"\n'
EYE = (
    'name = "eye"\nmodel = "classifier_int8"\n'
    'when = {pipeline = "ear", label = "GREEN", for_s = 0.5}\n'
)
ASLEEP = 'asleep until pipeline ear finds "GREEN"'


@pytest.fixture
def readings() -> Iterator[Callable[[Path], Readings]]:
    made: list[Readings] = []

    def opened(directory: Path) -> Readings:
        made.append(Readings(directory))
        made[-1].open()
        return made[-1]

    yield opened
    for each in made:
        each.close()


def show(directory: Path, colour: tuple[int, int, int]) -> None:
    """Put a picture in place of the one that is there, whole at any moment."""
    new = directory / "new.tmp.png"
    assert cv2.imwrite(str(new), np.full((48, 64, 3), colour[::-1], np.uint8))
    new.rename(directory / "000.png")


def best(result: dict[str, Any]) -> str:
    label: str = result["classes"][0]["label"]
    return label


def health_of(messages: Any, pipeline: str) -> list[tuple[str, str | None]]:
    told = published(messages, f"pi/{pipeline}/health")
    return [(each["state"], each["reason"]) for each in told]


def test_a_pipeline_looks_only_while_another_has_found_something(
    house: House, mosquitto: Make, subscriber: Make, readings: Callable[[Path], Readings]
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    for name in ("classifier_uint8", "classifier_int8"):
        house.model(name)
        house.labels(name, "red", "green", "blue")
    seen, looked_at = house.pictures(RED), house.pictures(RED, name="camera")
    camera = readings(looked_at)
    live = ("loop = true", "fps = 20")
    house.configure(broker.port, EAR + images(seen, *live), EYE + images(looked_at, *live))
    daemon = house.run()
    heard.wait_for(
        lambda got: (
            health_of(got, "eye") == [("running", ASLEEP)]
            and len(published(got, "ear/result")) >= 5
        )
    )
    assert camera.take() == []

    show(seen, GREEN)
    heard.wait_for(lambda got: len(published(got, "eye/result")) >= 5)
    show(seen, RED)
    heard.wait_for(lambda got: best(published(got, "ear/result")[-1]) == "red")
    messages = heard.wait_for(lambda got: health_of(got, "eye")[-1] == ("running", ASLEEP))
    assert health_of(messages, "eye")[:2] == [("running", ASLEEP), ("running", None)]
    camera.take()
    before = len(published(messages, "ear/result"))
    heard.wait_for(lambda got: len(published(got, "ear/result")) >= before + 10)
    assert camera.take() == []
    eye = published(heard.wait_for(lambda _: True), "eye/result")
    assert [result["sequence"] for result in eye] == list(range(len(eye)))
    assert daemon.stop() == 0


def test_one_that_nobody_can_start_any_more_has_ended_too(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    for name in ("classifier_uint8", "classifier_int8"):
        house.model(name)
        house.labels(name, "red", "green", "blue")
    endless = '[pipelines.source]\nkind = "synthetic"'
    house.configure(broker.port, EAR + images(house.pictures(RED, RED)), EYE + endless)
    assert house.run().wait() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    assert len(published(messages, "ear/result")) == 2
    assert published(messages, "eye/result") == []
    stopped = ("stopped", "pipeline ear, which starts it, has ended")
    assert health_of(messages, "eye")[-1] == stopped
