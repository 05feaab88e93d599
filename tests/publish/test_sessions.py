"""What MQTT 5 is told of a connection and of each message, and what a session is good for."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from listening import Ear, say
from msgspec import structs
from msgspec.structs import replace
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from patience import PATIENCE_S

from edged.publish import Context
from edged.publish.publisher import Publisher
from edged.publish.settings import MqttSettings, Version

Make = Callable[..., Any]
COMMAND, RESULT, STATUS = "edged/pi/set", "edged/pi/front/result", "edged/pi/status"
SUBSCRIBED = "Sending SUBACK to edged-pi"


class Wire:
    """A loopback port whose connections lead to a broker, and can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open: list[socket.socket] = []
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._is_up = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def cut(self) -> None:
        """End what stands, and let nothing through until ``mend``."""
        with self._changed:
            self._is_up = False
            for end in self._open:
                end.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def mend(self) -> None:
        with self._changed:
            self._is_up = True
            self._changed.notify_all()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        self.mend()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:  # closed
                return
            with self._changed:
                self._changed.wait_for(lambda: self._is_up, PATIENCE_S)
                try:
                    far = socket.create_connection(("127.0.0.1", self._to))
                except OSError:
                    near.close()
                    continue
                self._open += [near, far]
                self._start(self._carry, near, far)
                self._start(self._carry, far, near)

    def _carry(self, of: socket.socket, to: socket.socket) -> None:
        try:
            while data := of.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        with self._changed:
            for end in (of, to):
                if end in self._open:
                    end.shutdown(socket.SHUT_RDWR)
                    self._open.remove(end)
        of.close()


@pytest.fixture
def wire() -> Iterator[Callable[[int], Wire]]:
    wires: list[Wire] = []

    def laid(port: int) -> Wire:
        wires.append(Wire(port))
        return wires[-1]

    yield laid
    for each in wires:
        each.close()


@pytest.fixture
def messages_on() -> Iterator[Callable[[int], Callable[[int], list[MQTTMessage]]]]:
    """Subscribes to all of a broker with MQTT 5; gives a function that waits for so many."""
    clients: list[Client] = []

    def subscribed(port: int) -> Callable[[int], list[MQTTMessage]]:
        came: list[MQTTMessage] = []
        changed, ready = threading.Condition(), threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)

        def take(_: Client, __: object, message: MQTTMessage) -> None:
            with changed:
                came.append(message)
                changed.notify_all()

        def wait(count: int) -> list[MQTTMessage]:
            with changed:
                assert changed.wait_for(lambda: len(came) >= count, PATIENCE_S)
                return list(came)

        client.on_connect = lambda *_: client.subscribe("#", 1)
        client.on_subscribe = lambda *_: ready.set()
        client.on_message = take
        client.connect("127.0.0.1", port)
        client.loop_start()
        clients.append(client)
        assert ready.wait(PATIENCE_S)
        return wait

    yield subscribed
    for client in clients:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def sender(context: Context) -> Iterator[Make]:
    """A publisher that may listen: ``sender(port, ear, message_expiry_s=None, **settings)``."""
    publishers: list[Publisher] = []

    def started(
        port: int, ear: Ear | None = None, message_expiry_s: float | None = None, **settings: Any
    ) -> Publisher:
        mqtt = MqttSettings("127.0.0.1", port, "edged-pi", **settings)
        made = Publisher(mqtt, replace(context, message_expiry_s=message_expiry_s))
        publishers.append(made)
        if ear is not None:
            made.listen(COMMAND, ear)
        made.start()
        return made

    yield started
    for each in publishers:
        each.close(timeout_s=2)


def connects(broker: Any) -> list[str]:
    """How each connection of ours has begun: ``c1`` with a clean session, ``c0`` without."""
    found = [re.search(r"as edged-pi \(p\d, (c\d)", line) for line in broker.log]
    return [match[1] for match in found if match]


# ---- what a message says of itself --------------------------------------------------------------


def test_every_message_says_what_it_is(
    mosquitto: Make, messages_on: Make, sender: Make, a_result: Make
) -> None:
    broker = mosquitto()
    wait = messages_on(broker.port)
    publisher = sender(broker.port)
    publisher.publish(a_result(0))
    assert publisher.wait_delivered(PATIENCE_S)
    publisher.close(timeout_s=5)

    said = {}
    for message in wait(3):
        properties = message.properties
        assert properties.PayloadFormatIndicator == 1
        assert not hasattr(properties, "MessageExpiryInterval")
        said[message.topic] = properties.ContentType
    assert said == {STATUS: "text/plain", RESULT: "application/json"}


def test_the_will_says_what_it_is_too(mosquitto: Make, messages_on: Make, wire: Make) -> None:
    broker = mosquitto()
    line = wire(broker.port)
    wait = messages_on(broker.port)
    publisher = Publisher(
        MqttSettings("127.0.0.1", line.port, "edged-pi"),
        Context("edged", "pi", "c0ffee12", 1, None, "0.1.0"),  # type: ignore[arg-type]
    )
    publisher.start()
    wait(1)

    line.cut()

    will = wait(2)[1]
    assert (will.topic, will.payload) == (STATUS, b"offline")
    assert will.properties.ContentType == "text/plain"
    assert will.properties.PayloadFormatIndicator == 1
    publisher.close(timeout_s=0)


def test_a_result_expires_so_long_after_its_capture(
    mosquitto: Make, messages_on: Make, sender: Make, a_result: Make
) -> None:
    """The context's clock is at 0 and stays there."""
    broker = mosquitto()
    wait = messages_on(broker.port)
    publisher = sender(broker.port, message_expiry_s=60)

    publisher.publish(structs.replace(a_result(0), captured_ns=-10_000_000_000))

    result = wait(2)[1]
    assert result.topic == RESULT
    assert 0 < result.properties.MessageExpiryInterval <= 50


def test_one_that_has_expired_before_it_was_sent_is_dropped_and_counted(
    mosquitto: Make, messages_on: Make, sender: Make, a_result: Make, told: Any
) -> None:
    broker = mosquitto()
    wait = messages_on(broker.port)
    publisher = sender(broker.port, message_expiry_s=60)

    for age_s in (60, 61, 1):
        publisher.publish(structs.replace(a_result(age_s), captured_ns=-age_s * 10**9))

    assert publisher.wait_delivered(PATIENCE_S)
    assert b'"sequence":1,' in wait(2)[1].payload
    assert publisher.metrics().dropped == 2
    told.wait_for("older than 60 s")


# ---- sessions -----------------------------------------------------------------------------------


def test_what_is_commanded_while_the_connection_is_lost_is_heard_afterwards(
    mosquitto: Make, wire: Make, sender: Make, told: Any
) -> None:
    broker = mosquitto()
    line = wire(broker.port)
    ear = Ear()
    sender(line.port, ear, session_expiry_s=300)
    broker.wait_for_log(SUBSCRIBED)

    line.cut()
    told.wait_for("No connection")
    say(broker.port, (COMMAND, b"meanwhile"))
    line.mend()

    assert [each.payload for each in ear.wait_for(1)] == [b"meanwhile"]
    assert connects(broker) == ["c1", "c0"]


@pytest.mark.parametrize(
    "settings",
    [{"session_expiry_s": 0}, {"session_expiry_s": 300, "first_version": Version.V3_1_1}],
)
def test_without_a_session_it_is_not(
    settings: dict[str, Any], mosquitto: Make, wire: Make, sender: Make, told: Any
) -> None:
    broker = mosquitto()
    line = wire(broker.port)
    ear = Ear()
    sender(line.port, ear, **settings)
    broker.wait_for_log(SUBSCRIBED)

    line.cut()
    told.wait_for("No connection")
    say(broker.port, (COMMAND, b"meanwhile"))
    line.mend()
    broker.wait_for_log(SUBSCRIBED, times=2)
    say(broker.port, (COMMAND, b"after"))

    assert [each.payload for each in ear.wait_for(1)] == [b"after"]
    assert connects(broker) == ["c1", "c1"]


def test_a_new_process_hears_nothing_that_was_meant_for_the_one_before(
    mosquitto: Make, sender: Make
) -> None:
    broker = mosquitto()
    before, after = Ear(), Ear()
    publisher = sender(broker.port, before, session_expiry_s=300)
    broker.wait_for_log(SUBSCRIBED)
    publisher.close(timeout_s=5)
    broker.wait_for_log("Client edged-pi disconnected")
    say(broker.port, (COMMAND, b"between"))

    sender(broker.port, after, session_expiry_s=300).wait_delivered(0)
    broker.wait_for_log("as edged-pi", times=2)
    broker.wait_for_log(SUBSCRIBED, times=2)
    say(broker.port, (COMMAND, b"after"))

    assert [each.payload for each in after.wait_for(1)] == [b"after"]
    assert before.heard == []


# ---- others with the same id --------------------------------------------------------------------


def test_another_client_with_the_same_id_is_told(mosquitto: Make, sender: Make, told: Any) -> None:
    """In other words where the broker, as mosquitto 2.0.11, ends the older connection without the
    word that MQTT 5 has for it.
    """
    broker = mosquitto()
    sender(broker.port)
    told.wait_for("Connected")

    sender(broker.port)

    told.wait_for("the same device id")


def test_where_the_broker_says_so_the_other_client_is_left_alone_at_once(
    scripted: Make, publisher: Make, told: Any
) -> None:
    taken_over = b"\x20\x03\x00\x00\x00" + b"\xe0\x01\x8e"  # CONNACK, DISCONNECT
    broker = scripted(taken_over, taken_over)

    sender = publisher(broker.port)

    told.wait_for("another client with the same device id took the connection over")
    sender.close(timeout_s=1)
    assert len(broker.levels) == 1


# ---- several brokers ----------------------------------------------------------------------------


def test_of_several_brokers_the_first_that_can_be_reached_is_taken_at_once(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker, absent = mosquitto(), mosquitto()
    absent.kill()
    sender = publisher(absent.port, others=(at(broker.port),))

    sender.publish(a_result(0))

    assert sender.wait_delivered(PATIENCE_S)
    assert told.lines == [
        f"No connection to the MQTT broker at 127.0.0.1:{absent.port}: the connection was refused "
        "(does a broker listen on that port?)",
        f"Connected to the MQTT broker at 127.0.0.1:{broker.port} with MQTT 5",
    ]


def test_when_one_is_lost_the_next_takes_over_and_nothing_is_lost(
    mosquitto: Make, subscriber: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    first, second = mosquitto(), mosquitto()
    heard = subscriber(second.port, "edged/#")
    sender = publisher(first.port, others=(at(second.port),))
    told.wait_for("Connected")

    first.freeze()
    for number in range(20):
        sender.publish(a_result(number))
    first.kill()

    assert sender.wait_delivered(PATIENCE_S)
    told.wait_for(f"Connected to the MQTT broker at 127.0.0.1:{second.port}")
    heard.wait_for(lambda all_: sum(each.topic == RESULT for each in all_) == 20)


def at(port: int) -> Any:
    from edged.publish.settings import Address

    return Address("127.0.0.1", port)
