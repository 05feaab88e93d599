"""The daemon without a broker, from outside: nothing that was seen is lost when it stops."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from household import BLUE, GREEN, RED, Daemon, House, images, published

Make = Callable[..., Any]
EYE = 'name = "eye"\nmodel = "classifier_uint8"\n'


def run_of(daemon: Daemon) -> str:
    found = re.search("run ([0-9a-f]+)", daemon.wait_for_line(", run "))
    assert found is not None
    return found.group(1)


def test_what_waits_for_the_broker_outlasts_a_stop_and_comes_before_the_next_run_s(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    house.model("classifier_uint8")
    pictures = images(house.pictures(RED, GREEN, BLUE))
    house.configure(broker.port, EYE + pictures)
    first = house.run()
    first.wait_for_line("3 results wait for the broker; SIGTERM keeps them for the next start")
    assert first.stop() == 0
    first.wait_for_line("3 results are kept in the spool for the next start")

    second = house.run()
    second.wait_for_line("results wait for the broker")
    broker.start()
    heard = subscriber(broker.port, "edged/pi/eye/result")
    assert second.wait() == 0

    # The subscriber may have come later than the first of them; the broker has had all.
    assert len([topic for topic in broker.topics() if topic.endswith("/result")]) == 6
    results = published(heard.messages, "eye/result")
    order = [(result["run"], result["sequence"]) for result in results]
    expected = [(run_of(daemon), number) for daemon in (first, second) for number in range(3)]
    assert order == expected[6 - len(order) :]
