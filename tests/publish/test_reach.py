"""Trying a broker once, as ``edged check`` does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edged.publish.losses import BrokerLost
from edged.publish.reach import reach
from edged.publish.settings import MqttSettings, Version

Make = Callable[..., Any]
REFUSED_VERSION, ACCEPTED = b"\x20\x02\x00\x01", b"\x20\x02\x00\x00"


@pytest.fixture
def old_broker() -> Iterator[int]:
    """The port of a listener that answers CONNECT as a broker without MQTT 5 does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    level = connection.recv(4096)[8]
                    connection.sendall(ACCEPTED if level == 4 else REFUSED_VERSION)
                    connection.recv(4096)
        except OSError:
            pass  # the test is over

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def settings(port: int, **more: Any) -> MqttSettings:
    return MqttSettings("127.0.0.1", port, "edged-pi", **more)


def test_a_broker_that_lets_edged_in_is_reached_and_left_without_a_word(
    mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    assert reach(settings(broker.port)) is Version.V5
    broker.wait_for_log("edged-pi-check disconnected")
    assert heard.messages == []


def test_an_older_broker_is_reached_with_mqtt_3_1_1(old_broker: int) -> None:
    assert reach(settings(old_broker)) is Version.V3_1_1


def test_a_broker_that_is_not_there_is_told() -> None:
    with pytest.raises(BrokerLost, match="refused"):
        reach(settings(1))


def test_a_login_that_is_refused_is_told(mosquitto: Make) -> None:
    broker = mosquitto("allow_anonymous false")
    with pytest.raises(BrokerLost, match="password"):
        reach(settings(broker.port))


def test_a_listener_that_is_no_broker_is_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(BrokerLost, match="does not answer as a broker"),
    ):
        reach(settings(silent.getsockname()[1], answer_timeout_s=0.1))
