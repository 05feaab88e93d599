"""Events and counts over the wire, through restarts and kills."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

from household import GREEN, RED, House, at_least, images, published

Make = Callable[..., Any]
EYE = 'name = "eye"\nmodel = "classifier_uint8"\nthreshold = 0.6\npublish = "events"\n'
LIVE = ("loop = true", "fps = 30")


def types(messages: Any) -> list[tuple[str, str]]:
    return [(each["type"], each["label"]) for each in published(messages, "eye/event")]


def lay_out(
    house: House, port: int, *colours: Any, more: tuple[str, ...] = (), **tables: str
) -> None:
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    house.configure(port, EYE + images(house.pictures(*colours), *more))


def test_a_recording_s_events_begin_and_end_and_nothing_else_is_told(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    lay_out(house, broker.port, *[RED] * 5, *[GREEN] * 15)
    assert house.run().wait() == 0
    events = published(heard.wait_for(at_least(4, "eye/event")), "eye/event")
    assert types(heard.messages) == [
        ("started", "red"),
        ("started", "green"),
        ("ended", "red"),
        ("ended", "green"),
    ]
    assert [each["sequence"] for each in events] == [0, 1, 2, 3]
    assert events[0]["id"] == events[2]["id"] != events[1]["id"] == events[3]["id"]
    assert events[2]["started_at"] <= events[2]["ended_at"]
    assert (events[0]["track"], events[0]["zone"], events[0]["box"]) == (None, None, None)
    assert published(heard.messages, "eye/result") == []
    assert (house.directory / "state" / "events.json").read_text() == "[]"


def test_what_had_begun_before_a_kill_ends_after_it_once(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    lay_out(house, broker.port, RED, more=LIVE)
    first = house.run()
    (started,) = published(heard.wait_for(at_least(1, "eye/event")), "eye/event")
    first.kill()
    second = house.run()
    messages = heard.wait_for(at_least(3, "eye/event"))
    assert second.stop() == 0
    ended, again = published(messages, "eye/event")[1:3]
    assert (ended["type"], ended["id"]) == ("ended", started["id"])
    assert ended["started_at"][:19] == started["started_at"][:19]
    assert ended["run"] != started["run"]
    assert (again["type"], again["sequence"]) == ("started", 1)
    assert again["id"] != started["id"]
    last = published(heard.wait_for(at_least(4, "eye/event")), "eye/event")[-1]
    assert (last["type"], last["id"]) == ("ended", again["id"])
    assert json.loads((house.directory / "state" / "events.json").read_text()) == []


def test_an_end_that_waits_for_the_broker_outlasts_a_stop(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    lay_out(house, broker.port, RED, more=LIVE)
    first = house.run()
    first.wait_for_line("serves classification")
    state = house.directory / "state" / "events.json"
    first.wait_for_line("No connection")
    while not state.exists():
        assert first.process.poll() is None
    assert first.stop() == 0
    broker.start()
    heard = subscriber(broker.port)
    house.configure(broker.port, EYE + images(house.pictures(GREEN, name="other"), *LIVE))
    second = house.run()
    messages = heard.wait_for(at_least(3, "eye/event"))
    assert types(messages)[:3] == [("started", "red"), ("ended", "red"), ("started", "green")]
    assert second.stop() == 0


def test_a_pipeline_that_is_taken_out_ends_its_events(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    lay_out(house, broker.port, RED, more=LIVE)
    daemon = house.run()
    heard.wait_for(at_least(1, "eye/event"))
    house.configure(broker.port, EYE.replace("eye", "nose") + images(house.directory / "pictures"))
    daemon.signal(signal.SIGHUP)
    messages = heard.wait_for(at_least(2, "eye/event"))
    assert types(messages) == [("started", "red"), ("ended", "red")]
    daemon.stop()
