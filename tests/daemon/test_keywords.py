"""The real daemon with a recording and a model that hears words."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from home_assistant import HomeAssistant
from household import House, Message, at_least, content, published
from sounds import bursts, write_wav

pytest.importorskip("pymicro_features", reason="pymicro-features is not installed")

Make = Callable[..., Any]
MODEL = "ear/model"


def ear(*lines: str, realtime: bool) -> str:
    """A pipeline that hears ``sound.wav``."""
    keys = "\n".join(lines)
    source = f'kind = "wav"\npath = "sound.wav"\nrealtime = {str(realtime).lower()}'
    return f'name = "ear"\nmodel = "keyword"\n{keys}\n[pipelines.source]\n{source}'


def words(messages: list[Message]) -> list[str]:
    return [result["classes"][0]["label"] for result in published(messages, "ear/result")]


def verdicts(messages: list[Message]) -> list[str]:
    told = [each["candidate"] for each in published(messages, MODEL)]
    return [candidate["verdict"] for candidate in told if candidate]


def test_each_word_of_a_recording_is_published_and_nothing_else(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    """Four bursts, of which the third comes within the refractory time."""
    house.model("keyword")
    write_wav(house.directory / "sound.wav", bursts(1, 4, 5.2, 8, seconds=12))
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.configure(broker.port, ear(realtime=False))
    daemon = house.run()
    assert daemon.wait() == 0
    messages = heard.wait_for(at_least(3, "ear/result"))
    results = published(messages, "ear/result")
    assert [result["task"] for result in results] == ["keyword"] * 3
    assert [result["sequence"] for result in results] == [0, 1, 2]
    for result in results:
        (word,) = result["classes"]
        assert word["label"] == "Loud Noise"
        assert word["score"] > 0.75
    (info,) = [
        pipeline for each in published(messages, "pi/info")[-1:] for pipeline in each["pipelines"]
    ]
    assert (info["task"], info["threshold"], info["labels"]) == ("keyword", 0.75, ["Loud Noise"])


def test_a_model_is_on_trial_without_a_word_and_its_manifest_is_swapped_alone(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    """It is watched while it hears, not by what it publishes."""
    house.model("keyword")
    path = house.directory / "sound.wav"
    write_wav(path, bursts(1, seconds=3))
    broker = mosquitto()
    heard = subscriber(broker.port)
    config = house.configure(broker.port, ear("threshold = 1", realtime=True))
    config.write_text(config.read_text() + "\nloop = true")
    daemon = house.run()
    messages = heard.wait_for(lambda got: "accepted" in verdicts(got))
    assert verdicts(messages) == ["trial", "accepted"]
    assert not published(messages, "ear/result")

    manifest = house.models / "keyword.json"
    manifest.write_text(manifest.read_text().replace("Loud Noise", "Din"))
    config.write_text(config.read_text().replace("threshold = 1", ""))
    heard.wait_for(lambda got: verdicts(got).count("trial") == 2)
    daemon.signal(signal.SIGHUP)
    # What is known to be good may serve first where a pipeline is built anew.
    messages = heard.wait_for(lambda got: "Din" in words(got))
    hass = HomeAssistant()
    for message in messages:
        hass.hear(message.topic, message.payload)
    event = hass.event("ear-keyword")
    assert event is not None
    assert (event["event_type"], event["label"]) == ("heard", "Din")

    manifest.write_text("{")
    messages = heard.wait_for(lambda got: verdicts(got)[-1] == "refused")
    refused = [each for each in messages if each.topic.endswith(MODEL)][-1]
    assert "keyword.json: not JSON that can be read" in content(refused)["candidate"]["reason"]
    assert daemon.stop() == 0
