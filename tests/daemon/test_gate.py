"""A pipeline with a gate, as its user runs it: what a subscriber hears while nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from household import BLUE, GREEN, RED, House, at_least, images, published

Make = Callable[..., Any]
PIPELINE = 'name = "{name}"\nmodel = "classifier_uint8"\n'


def serve_for_a_while(house: House, port: int, heard: Any, *names: str) -> None:
    """Pipelines until their model has passed its trial, in which every frame is inferred."""
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    seen = images(house.pictures(RED, name="before"), "loop = true", "fps = 20")
    house.configure(port, *(PIPELINE.format(name=name) + seen for name in names))
    daemon = house.run()
    for name in names:
        heard.wait_for(lambda got, name=name: "accepted" in verdicts(got, name))
    assert daemon.stop() == 0


def verdicts(messages: Any, pipeline: str) -> list[str]:
    return [told["candidate"]["verdict"] for told in published(messages, f"pi/{pipeline}/model")]


def gated(name: str, source: str, heartbeat_s: float) -> str:
    rule = f'gate = {{kind = "motion", hold_s = 0, heartbeat_s = {heartbeat_s}}}\n'
    return PIPELINE.format(name=name) + rule + source


def bests(messages: Any, pipeline: str) -> list[str]:
    results = published(messages, f"pi/{pipeline}/result")
    return [result["classes"][0]["label"] for result in results]


def test_of_recorded_pictures_only_those_with_motion_become_results(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    serve_for_a_while(house, broker.port, subscriber(broker.port), "door")
    heard = subscriber(broker.port)
    shown = house.pictures(*[RED] * 30, *[GREEN] * 20, BLUE, *[RED] * 9)

    house.configure(broker.port, gated("door", images(shown), 3600))
    assert house.run().wait() == 0

    heard.wait_for(at_least(4, "pi/door/result"))
    messages = heard.wait_for(at_least(1, "pi/metrics"))
    assert bests(messages, "door") == ["red", "green", "blue", "red"]
    counts = published(messages, "pi/metrics")[-1]["pipelines"]["door"]
    found = [counts[name] for name in ("frames", "inferred", "published", "gated", "dropped")]
    assert found == [60, 4, 4, 56, 0]


def test_while_nothing_moves_the_heartbeat_alone_is_heard(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    serve_for_a_while(house, broker.port, subscriber(broker.port), "beats", "waits")
    heard = subscriber(broker.port)
    still = images(house.pictures(GREEN), "loop = true", "fps = 50")

    house.configure(broker.port, gated("beats", still, 0.5), gated("waits", still, 3600))
    daemon = house.run()
    heard.wait_for(at_least(6, "pi/beats/result"))
    heard.wait_for(at_least(1, "pi/waits/result"))
    assert daemon.stop() == 0

    messages = heard.wait_for(at_least(1, "pi/metrics"))
    assert bests(messages, "waits") == ["green"]
    counts = published(messages, "pi/metrics")[-1]["pipelines"]
    heard.wait_for(at_least(counts["beats"]["published"], "pi/beats/result"))
    captured = [
        datetime.fromisoformat(result["captured_at"]).timestamp()
        for result in published(messages, "pi/beats/result")
    ]
    pauses = [after - before for before, after in pairwise(captured)]
    assert min(pauses) >= 0.499
    for name in ("beats", "waits"):
        found = counts[name]
        assert found["gated"] == found["frames"] - found["inferred"] > found["inferred"]
        assert found["dropped"] == 0
