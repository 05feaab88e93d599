"""Hearing what others publish, from real brokers."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from listening import Ear, say
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from patience import PATIENCE_S

from edged.publish import Context, Received
from edged.publish.listeners import MAX_HEARD_BYTES, Listeners
from edged.publish.publisher import Publisher
from edged.publish.settings import MqttSettings, Version

Make = Callable[..., Any]
COMMAND, SUBSCRIBED = "edged/pi/set", "Sending SUBACK to edged-pi"


@pytest.fixture
def listening(context: Context) -> Iterator[Make]:
    """A publisher that listens: ``listening(port, {filter: ear}, first_version=...)``."""
    publishers: list[Publisher] = []

    def started(port: int, ears: dict[str, Any], **settings: Any) -> Publisher:
        sender = Publisher(MqttSettings("127.0.0.1", port, "edged-pi", **settings), context)
        publishers.append(sender)
        for topic_filter, ear in ears.items():
            sender.listen(topic_filter, ear)
        sender.start()
        return sender

    yield started
    for each in publishers:
        each.close(timeout_s=2)


@pytest.mark.parametrize("version", Version)
def test_what_others_publish_is_heard_by_whom_it_concerns(
    version: Version, mosquitto: Make, listening: Make
) -> None:
    broker = mosquitto()
    commands, wild = Ear(), Ear()
    listening(broker.port, {COMMAND: commands, "edged/pi/+/set": wild}, first_version=version)
    broker.wait_for_log(SUBSCRIBED)

    say(broker.port, (COMMAND, b"one"), ("edged/pi/front/set", b"two"), ("edged/pi/x", b"none"))
    say(broker.port, (COMMAND, b"three"))

    assert [each.payload for each in commands.wait_for(2)] == [b"one", b"three"]
    assert wild.wait_for(1) == [Received("edged/pi/front/set", b"two", False, None, None)]


def test_with_mqtt_5_where_to_answer_comes_along(mosquitto: Make, listening: Make) -> None:
    broker = mosquitto()
    ear = Ear()
    listening(broker.port, {COMMAND: ear})
    broker.wait_for_log(SUBSCRIBED)
    properties = Properties(PacketTypes.PUBLISH)
    properties.ResponseTopic = "answers/1"
    properties.CorrelationData = b"\x00\xff"

    say(broker.port, (COMMAND, b"?"), properties=properties)

    assert ear.wait_for(1) == [Received(COMMAND, b"?", False, "answers/1", b"\x00\xff")]


@pytest.mark.parametrize("version", Version)
def test_what_the_broker_has_kept_comes_as_retained(
    version: Version, mosquitto: Make, listening: Make
) -> None:
    broker = mosquitto()
    say(broker.port, (COMMAND, b"kept"), retain=True)
    ear = Ear()
    listening(broker.port, {COMMAND: ear}, first_version=version)

    assert ear.wait_for(1) == [Received(COMMAND, b"kept", True, None, None)]


def test_with_mqtt_5_what_is_published_to_be_kept_comes_as_retained_at_once(
    mosquitto: Make, listening: Make
) -> None:
    broker = mosquitto()
    ear = Ear()
    listening(broker.port, {COMMAND: ear})
    broker.wait_for_log(SUBSCRIBED)

    say(broker.port, (COMMAND, b"kept"), retain=True)

    assert ear.wait_for(1)[0].retained


@pytest.mark.parametrize("version", Version)
def test_a_new_connection_subscribes_again(
    version: Version, mosquitto: Make, listening: Make
) -> None:
    broker = mosquitto()
    ear = Ear()
    listening(broker.port, {COMMAND: ear}, first_version=version)
    broker.wait_for_log(SUBSCRIBED)

    broker.kill()
    broker.start()
    broker.wait_for_log(SUBSCRIBED)
    say(broker.port, (COMMAND, b"after"))

    assert [each.payload for each in ear.wait_for(1)] == [b"after"]


def test_one_that_listens_to_nothing_subscribes_to_nothing(
    mosquitto: Make, publisher: Make, told: Any
) -> None:
    broker = mosquitto()
    sender = publisher(broker.port)
    told.wait_for("Connected")
    sender.close(timeout_s=5)
    broker.wait_for_log("Received DISCONNECT")

    assert not any("SUBSCRIBE" in line for line in broker.log)


@pytest.mark.parametrize("version", Version)
def test_a_message_that_is_too_long_is_not_heard(
    version: Version, mosquitto: Make, listening: Make
) -> None:
    broker = mosquitto()
    ear = Ear()
    listening(broker.port, {COMMAND: ear}, first_version=version)
    broker.wait_for_log(SUBSCRIBED)
    longest = b"x" * MAX_HEARD_BYTES

    say(broker.port, (COMMAND, bytes(10_000_000)), (COMMAND, longest + b"x"), (COMMAND, longest))

    assert [each.payload for each in ear.wait_for(1)] == [longest]


def test_what_a_listener_raises_is_told_once_and_ends_nothing(
    mosquitto: Make, listening: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    ear = Ear()

    def fragile(message: Received) -> None:
        ear(message)
        raise RuntimeError("cannot")

    sender = listening(broker.port, {COMMAND: fragile})
    broker.wait_for_log(SUBSCRIBED)

    say(broker.port, (COMMAND, b"1"), (COMMAND, b"2"))
    ear.wait_for(2)
    sender.publish(a_result(0))

    assert sender.wait_delivered(PATIENCE_S)
    assert "cannot" in told.wait_for(f"Subscription {COMMAND}")
    assert len(told.lines) == 2  # the other is "Connected"


@pytest.fixture
def forbidding_broker() -> Iterator[int]:
    """The port of a listener that lets in, and refuses the first subscription: mosquitto's access
    lists are applied to messages only.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            connection.recv(4096)
            connection.sendall(b"\x20\x03\x00\x00\x00")  # CONNACK
            subscribe = b""
            while b"\x82" not in subscribe:
                subscribe += connection.recv(4096)
            identifier = subscribe[subscribe.index(b"\x82") + 2 :][:2]
            connection.sendall(b"\x90\x04" + identifier + b"\x00\x87")  # SUBACK: not authorised
            while connection.recv(4096):
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(PATIENCE_S)
    listener.close()


def test_a_subscription_that_the_broker_refuses_is_told(
    forbidding_broker: int, listening: Make, told: Any
) -> None:
    sender = listening(forbidding_broker, {COMMAND: Ear()})

    assert "Not authorized" in told.wait_for(f"Subscription {COMMAND}: The broker refuses it")
    sender.close(timeout_s=0.5)


def test_a_refused_subscription_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    listeners = Listeners()

    with caplog.at_level(logging.ERROR, "edged.publish"):
        for _ in range(3):
            listeners.tell("a/b", "The broker refuses it: Not authorized.")

    assert len(caplog.records) == 1
