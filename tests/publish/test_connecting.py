"""Brokers that refuse, hang up, keep silent, speak an older MQTT or want TLS."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from patience import PATIENCE_S
from ports import free_port

from edged.publish import losses
from edged.publish.settings import MqttSettings, Version

Make = Callable[..., Any]
MQTT_5, MQTT_3_1_1 = 5, 4  # the protocol level in CONNECT


# ---- logging in ---------------------------------------------------------------------------------


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    """One user, `edged`, with the password `right`."""
    path = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(path), "edged", "right"],
        check=True,
        capture_output=True,
    )
    return path


def test_the_right_password_opens_the_door(
    mosquitto: Make, publisher: Make, told: Any, password_file: Path
) -> None:
    broker = mosquitto("allow_anonymous false", f"password_file {password_file}")

    publisher(broker.port, username="edged", password="right")

    assert "with MQTT 5" in told.wait_for("Connected")


@pytest.mark.parametrize("login", [{"username": "edged", "password": "wrong"}, {}])
def test_a_refused_login_is_told_once_and_without_the_password(
    login: dict[str, str], mosquitto: Make, publisher: Make, told: Any, password_file: Path
) -> None:
    broker = mosquitto("allow_anonymous false", f"password_file {password_file}")

    sender = publisher(broker.port, **login)

    line = told.wait_for("No connection")
    assert "the login" in line
    assert "username and password_file" in line
    assert "wrong" not in line
    assert not sender.connected
    sender.close(timeout_s=1)
    assert len(told.lines) == 1


@pytest.mark.parametrize(
    ("version", "answer", "words"),
    [
        (Version.V5, b"\x20\x03\x00\x85\x00", "refused the client id"),
        (Version.V5, b"\x20\x03\x00\x86\x00", "refused the user name or the password"),
        (Version.V5, b"\x20\x03\x00\x87\x00", "refused the login: not authorised"),
        (Version.V5, b"\x20\x03\x00\x8a\x00", "has banned this client"),
        (Version.V3_1_1, b"\x20\x02\x00\x02", "refused the client id"),
        (Version.V3_1_1, b"\x20\x02\x00\x04", "refused the user name or the password"),
        (Version.V3_1_1, b"\x20\x02\x00\x05", "refused the login: not authorised"),
    ],
)
def test_one_who_is_not_let_in_says_why_and_does_not_ask_again_soon(
    version: Version, answer: bytes, words: str, scripted: Make, publisher: Make, told: Any
) -> None:
    broker = scripted(answer, answer)

    sender = publisher(broker.port, first_version=version)

    told.wait_for(words)
    sender.close(timeout_s=1)
    assert len(broker.levels) == 1
    assert isinstance(losses.refused(reason_of(answer)), losses.Unwelcome)


def reason_of(connack: bytes) -> ReasonCode:
    """As paho gives it: a code of MQTT 5."""
    of_3_1_1 = {2: 133, 4: 134, 5: 135}
    return ReasonCode(PacketTypes.CONNACK, identifier=of_3_1_1.get(connack[3], connack[3]))


def test_a_password_is_not_in_the_settings_text() -> None:
    settings = MqttSettings("h", 1883, "c", username="edged", password="secret")

    assert "secret" not in f"{settings!r} {settings}"


def test_each_new_reason_is_told_once(
    mosquitto: Make, scripted: Make, publisher: Make, told: Any
) -> None:
    busy = b"\x20\x03\x00\x89\x00"  # CONNACK: server busy
    banned = b"\x20\x03\x00\x8a\x00"
    broker = scripted(busy, busy, banned)

    publisher(broker.port)

    told.wait_for("banned")
    assert [re.sub(".*: ", "", line) for line in told.lines] == [
        "the broker says that it is too busy",
        "the broker has banned this client",
    ]


def test_messages_that_the_broker_does_not_allow_are_counted_and_told_once(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic write edged/pi/status\n")
    broker = mosquitto("allow_anonymous true", f"acl_file {rules}")
    sender = publisher(broker.port)

    for number in range(3):
        sender.publish(a_result(number))

    assert sender.wait_delivered(PATIENCE_S)
    assert sender.metrics().refused == 3
    assert "Not authorized" in told.wait_for("edged/pi/front/result")
    assert len([line for line in told.lines if "front/result" in line]) == 1


def test_a_device_that_comes_back_before_the_broker_missed_it_stays_online(
    mosquitto: Make, subscriber: Make, publisher: Make, told: Any
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, "edged/pi/status")
    # The connection of the run before, which the broker believes to be alive.
    stale = Client(CallbackAPIVersion.VERSION2, "edged-pi", protocol=MQTTProtocolVersion.MQTTv5)
    stale.will_set("edged/pi/status", b"offline", qos=1, retain=True)
    stale.connect("127.0.0.1", broker.port)
    stale.loop_read()
    publisher(broker.port)
    told.wait_for("Connected")

    heard.wait_for(lambda all_: len(all_) >= 2)
    assert [each.payload for each in heard.messages] == [b"offline", b"online"]
    stale.disconnect()


# ---- no good answer, or an older MQTT -----------------------------------------------------------

UNSUPPORTED = b"\x20\x02\x00\x01"  # CONNACK of MQTT 3.1.1: unacceptable protocol version


def test_a_broker_that_refuses_mqtt_5_is_asked_for_3_1_1(scripted: Make, publisher: Make) -> None:
    broker = scripted(UNSUPPORTED, b"")

    publisher(broker.port)

    broker.wait_for_connections(2)
    assert broker.levels == [MQTT_5, MQTT_3_1_1]


def test_a_broker_that_hangs_up_twice_is_asked_for_3_1_1(scripted: Make, publisher: Make) -> None:
    broker = scripted(b"", b"", b"")

    publisher(broker.port)

    broker.wait_for_connections(3)
    assert broker.levels == [MQTT_5, MQTT_5, MQTT_3_1_1]


def test_a_broker_that_keeps_silent_is_asked_for_3_1_1(
    scripted: Make, publisher: Make, told: Any
) -> None:
    broker = scripted(None, None)

    publisher(broker.port, answer_timeout_s=0.1)

    broker.wait_for_connections(2)
    assert broker.levels == [MQTT_5, MQTT_3_1_1]
    told.wait_for("does not answer as a broker would")


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x7f\x00",
        b"\x20\x02\x00\x2a",
        b"\x20\x03\x00\x00\xff",
        b"\x40\x02\x00\x01",
        b"\xff\xff\xff\xff\xff\xff",
    ],
)
def test_nonsense_from_the_broker_is_no_reason_to_stop_trying(
    nonsense: bytes, scripted: Make, publisher: Make
) -> None:
    broker = scripted(nonsense, nonsense, nonsense)

    publisher(broker.port)

    broker.wait_for_connections(2)


def test_close_keeps_to_its_time_when_the_broker_never_answers(
    scripted: Make, publisher: Make, a_result: Make
) -> None:
    broker = scripted(None)
    sender = publisher(broker.port)
    sender.publish(a_result(0))
    broker.wait_for_connections(1)

    began = time.monotonic()
    assert sender.close(timeout_s=0.3) == 1

    assert time.monotonic() - began < 3


def test_close_keeps_to_its_time_while_tcp_connects(publisher: Make, a_result: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # takes the only place
            sender = publisher(port)
            sender.publish(a_result(0))

            began = time.monotonic()
            assert sender.close(timeout_s=0.3) == 1

            assert time.monotonic() - began < 3


AMQTT = """
import asyncio, sys
from amqtt.broker import Broker

async def serve(port):
    plugin = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    listener = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    broker = Broker({"listeners": {"default": listener}, "plugins": plugin})
    await broker.start()
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(serve(int(sys.argv[1])))
"""


@pytest.fixture
def amqtt_port() -> Iterator[int]:
    """A real broker that speaks MQTT 3.1.1 only and leaves a CONNECT of MQTT 5 unanswered."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", AMQTT, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield port
        process.kill()


@pytest.mark.parametrize("first", Version)
def test_results_reach_a_broker_of_mqtt_3_1_1(
    first: Version, amqtt_port: int, subscriber: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    heard = subscriber(amqtt_port, "edged/#", MQTTProtocolVersion.MQTTv311)
    sender = publisher(amqtt_port, answer_timeout_s=0.5, first_version=first)

    for number in range(100):
        sender.publish(a_result(number))

    assert sender.wait_delivered(PATIENCE_S)
    # amqtt 0.12 loses what it has acknowledged and not passed on when the sender goes.
    messages = heard.wait_for(lambda all_: len(all_) == 101)
    assert sender.close(timeout_s=5) == 0
    heard.wait_for(lambda all_: all_[-1].payload == b"offline")
    results = [json.loads(each.payload) for each in messages if each.topic.endswith("/result")]
    assert [each["sequence"] for each in results] == list(range(100))
    assert told.lines == [f"Connected to the MQTT broker at 127.0.0.1:{amqtt_port} with MQTT 3.1.1"]


def test_a_name_that_no_host_has_is_told(publisher: Make, told: Any) -> None:
    publisher(1883, host="no such host")

    told.wait_for("the host's name cannot be resolved")
