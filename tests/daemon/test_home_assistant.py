"""The real daemon, a real broker, and what a Home Assistant on it ends up with."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from home_assistant import HomeAssistant
from household import House, at_least, published
from paho.mqtt import publish as mqtt_publish

from edged.announcer import FILE_NAME

Make = Callable[..., Any]
SYNTHETIC = '[pipelines.source]\nkind = "synthetic"'
EYE = f'name = "eye"\nmodel = "classifier_uint8"\n{SYNTHETIC}'
FINDER = f'name = "finder"\nmodel = "detector_tf1"\nthreshold = 0\n{SYNTHETIC}'
CONFIG = "homeassistant/device/pi/config"
OF_DEVICE = {"temperature", "waiting"}
KINDS = ("health", "model", "rate", "latency")


def entities(**summaries: str) -> set[str]:
    """The component ids of pipelines, each with its kind of summary."""
    keys = {f"{name}-{kind}" for name, summary in summaries.items() for kind in (summary, *KINDS)}
    return keys | OF_DEVICE


BOTH = entities(eye="class", finder="objects")


def shown(messages: list[Any]) -> HomeAssistant:
    """A Home Assistant that was there from the beginning of these messages."""
    hass = HomeAssistant()
    for message in messages:
        hass.hear(message.topic, message.payload)
    return hass


def shows(keys: set[str]) -> Callable[[list[Any]], bool]:
    return lambda messages: shown(messages).entities.keys() == keys


def announcements(messages: list[Any]) -> list[bytes]:
    return [message.payload for message in messages if message.topic == CONFIG]


@pytest.fixture
def home(house: House) -> House:
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    house.model("detector_tf1")
    return house


def test_home_assistant_shows_the_pipelines_with_their_values(
    home: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    home.configure(broker.port, EYE, FINDER)
    daemon = home.run()
    heard.wait_for(shows(BOTH))
    messages = heard.wait_for(
        lambda got: at_least(1, "eye/result")(got) and at_least(1, "finder/result")(got)
    )
    hass = shown(messages)
    assert hass.device is not None
    assert hass.device["name"] == "pi"
    assert hass.state("eye-class") in ("red", "green", "blue", None)
    assert int(hass.state("finder-objects") or "") >= 0
    assert hass.state("eye-health") == "running"
    assert re.fullmatch("[0-9a-f]{12}", hass.state("eye-model") or "")
    assert hass.attributes("eye-model")["verdict"] in ("accepted", "trial")
    assert hass.available("eye-class")
    assert daemon.stop() == 0
    hass = shown(heard.wait_for(lambda got: got[-1].payload == b"offline"))
    assert not hass.available("eye-class")
    assert hass.entities.keys() == BOTH, "a stop takes nothing away"
    assert float(hass.state("eye-rate") or "") >= 0
    assert hass.removed == []


def test_it_is_announced_again_when_home_assistant_comes_up(
    home: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    home.configure(broker.port, EYE)
    daemon = home.run()
    heard.wait_for(shows(entities(eye="class")))
    before = announcements(heard.messages)
    broker.wait_for_log("homeassistant/status")  # it has subscribed
    mqtt_publish.single("homeassistant/status", "online", hostname="127.0.0.1", port=broker.port)
    messages = heard.wait_for(lambda got: len(announcements(got)) > len(before))
    assert announcements(messages)[-1] == before[-1]
    assert daemon.stop() == 0


def test_a_pipeline_taken_out_at_a_reload_is_taken_out_of_home_assistant(
    home: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    home.configure(broker.port, EYE, FINDER)
    daemon = home.run()
    heard.wait_for(shows(BOTH))
    home.configure(broker.port, EYE)
    daemon.signal(signal.SIGHUP)
    heard.wait_for(shows(entities(eye="class")))
    # First by what names them as gone, then by one that has no word of them.
    messages = heard.wait_for(lambda got: b"finder" not in announcements(got)[-1])
    with_gone, without = announcements(messages)[-2:]
    assert json.loads(with_gone)["components"]["finder-objects"] == {"platform": "sensor"}
    assert json.loads(without)["components"].keys() == entities(eye="class")
    assert daemon.stop() == 0


@pytest.mark.parametrize("killed", [False, True])
def test_a_pipeline_taken_out_between_two_runs_is_taken_out_of_home_assistant(
    home: House, mosquitto: Make, subscriber: Make, killed: bool
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    home.configure(broker.port, EYE, FINDER)
    daemon = home.run()
    heard.wait_for(shows(BOTH))
    if killed:
        daemon.kill()
    else:
        assert daemon.stop() == 0
    home.configure(broker.port, FINDER)
    daemon = home.run()
    messages = heard.wait_for(shows(entities(finder="objects")))
    assert set(shown(messages).removed) == entities(eye="class") - OF_DEVICE
    assert daemon.stop() == 0


def test_a_restart_takes_nothing_away(home: House, mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    home.configure(broker.port, EYE, FINDER)
    daemon = home.run()
    heard.wait_for(shows(BOTH))
    assert daemon.stop() == 0
    before = len(announcements(heard.messages))
    results = len(published(heard.messages, "finder/result"))
    daemon = home.run()
    messages = heard.wait_for(at_least(results + 1, "finder/result"))
    assert shown(messages).removed == []
    assert len(announcements(messages)) > before
    for payload in announcements(messages)[before:]:
        assert json.loads(payload)["components"].keys() == BOTH, "also while no model serves yet"
    assert daemon.stop() == 0


@pytest.mark.parametrize("off", ["home_assistant = false", 'home_assistant_prefix = ""'])
def test_switched_off_the_device_is_taken_out_of_home_assistant(
    home: House, mosquitto: Make, subscriber: Make, off: str
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    config = home.configure(broker.port, EYE)
    daemon = home.run()
    heard.wait_for(shows(entities(eye="class")))
    assert daemon.stop() == 0
    config.write_text(config.read_text().replace("[mqtt]", f"[mqtt]\n{off}"))
    daemon = home.run()
    messages = heard.wait_for(lambda got: announcements(got)[-1] == b"")
    assert shown(messages).entities == {}
    daemon.wait_for_line("Home Assistant is told to remove the device pi")
    daemon.wait_for_line("The broker has what Home Assistant is to remove")
    assert daemon.stop() == 0
    assert not (home.directory / "state" / FILE_NAME).exists()
    late = subscriber(broker.port, "homeassistant/#")
    mqtt_publish.single("homeassistant/x", "end", hostname="127.0.0.1", port=broker.port)
    assert late.wait_for(lambda got: bool(got))[0].topic == "homeassistant/x", "nothing is retained"


def test_switched_off_from_the_start_nothing_of_home_assistant_is_touched(
    home: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    config = home.configure(broker.port, EYE)
    config.write_text(config.read_text().replace("[mqtt]", "[mqtt]\nhome_assistant = false"))
    daemon = home.run()
    heard.wait_for(at_least(2, "eye/result"))
    assert daemon.stop() == 0
    messages = heard.wait_for(lambda got: got[-1].payload == b"offline")
    assert {message.topic.split("/")[0] for message in messages} == {"edged"}
    assert not any("homeassistant" in line for line in broker.log)
    assert not (home.directory / "state" / FILE_NAME).exists()


def test_a_model_of_another_task_changes_what_home_assistant_shows(
    home: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    home.configure(broker.port, EYE)
    daemon = home.run()
    heard.wait_for(shows(entities(eye="class")))
    home.configure(broker.port, EYE.replace("classifier_uint8", "detector_tf1"))
    daemon.signal(signal.SIGHUP)
    messages = heard.wait_for(shows(entities(eye="objects")))
    assert shown(messages).removed == ["eye-class"]
    assert daemon.stop() == 0


def test_a_broker_that_comes_late_or_forgets_gets_the_announcement(
    home: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    home.configure(broker.port, EYE)
    daemon = home.run()
    daemon.wait_for_line("serves classification")
    for _ in range(2):
        broker.start()  # nothing is remembered
        heard = subscriber(broker.port, "homeassistant/#")
        heard.wait_for(shows(entities(eye="class")))
        broker.kill()
    assert daemon.stop() == 0
