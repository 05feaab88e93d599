"""Objects that are tracked, as a subscriber sees them."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from household import RED, House, images, published

Make = Callable[..., Any]


def test_detections_carry_the_numbers_of_their_tracks_over_a_reload(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("detector_tf1")
    source = images(house.pictures(RED), "loop = true", "fps = 20")

    def eye(threshold: float) -> str:
        tracked = f"threshold = {threshold}\ntrack = {{lost_s = 30}}\n"
        return f'name = "eye"\nmodel = "detector_tf1"\n{tracked}{source}'

    house.configure(broker.port, eye(0.3))
    daemon = house.run()

    def numbers() -> list[list[int | None]]:
        results = published(list(heard.messages), "eye/result")
        return [[one.get("track") for one in result["detections"]] for result in results]

    heard.wait_for(lambda _: len(numbers()) >= 5)
    first = numbers()
    assert first[0]
    assert set(first[0]) == {None}
    assert sorted(first[1]) == list(range(1, len(first[1]) + 1))
    assert all(later == first[1] for later in first[2:])

    highest = max(map(int, first[1]))
    house.configure(broker.port, eye(0.31))
    daemon.signal(signal.SIGHUP)
    heard.wait_for(
        lambda _: any(max((n or 0 for n in each), default=0) > highest for each in numbers())
    )
    assert daemon.stop() == 0


def test_a_model_that_finds_no_objects_is_refused_where_they_are_to_be_tracked(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("classifier_uint8")
    eye = 'name = "eye"\nmodel = "classifier_uint8"\ntrack = {}\n'
    house.configure(broker.port, eye + images(house.pictures(RED), "loop = true", "fps = 5"))
    daemon = house.run()
    heard.wait_for(lambda got: published(got, "pi/eye/model"))
    (told, *_) = published(list(heard.messages), "pi/eye/model")
    assert told["candidate"]["verdict"] == "refused"
    assert "only the objects of a detection can be tracked" in told["candidate"]["reason"]
    assert daemon.stop() == 0
