"""One connection to an MQTT broker, from CONNECT to its end; for every attempt a new one.

paho-mqtt speaks the protocol; outside of this package nothing imports it. It runs without its own
thread: the publisher's thread does all the work in ``step``, so no callback meets another thread.
What was not acknowledged is sent again by the outbox, so of a session that the broker keeps only
the other direction matters: the subscriptions, and what came for them meanwhile.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
import time
from collections.abc import Callable

import msgspec
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from . import Message, Received, losses, properties
from .listeners import Listeners
from .losses import BrokerLost, HungUp, NoAnswer
from .settings import MqttSettings, Version
from .tls import TlsSocket
from .wake import Wake

CONNECT_TIMEOUT_S = 5.0
WINDOW = 50  # messages under way at once, unless the broker wants fewer
_HEARING_QOS = 1
_ANSWER_STEP_S = 1.0


_PROTOCOLS = {
    Version.V5: MQTTProtocolVersion.MQTTv5,
    Version.V3_1_1: MQTTProtocolVersion.MQTTv311,
}


class Greeting(msgspec.Struct, frozen=True):
    """How a connection begins: what CONNECT says beside who we are.

    ``resume`` (MQTT 5): go on with the session that the broker may have kept.
    """

    version: Version
    will: Message | None = None
    resume: bool = False


class Connection:
    """A connection. ``acknowledged`` is called from ``send`` and ``step`` with a message's number
    and, where the broker refused it, the reason; ``listeners`` hear from ``step``.
    """

    def __init__(
        self,
        settings: MqttSettings,
        tls: ssl.SSLContext | None,
        greeting: Greeting,
        acknowledged: Callable[[int, str | None], None],
        listeners: Listeners,
    ) -> None:
        self.established = False
        self._settings = settings
        self._greeting = greeting
        self._version = greeting.version
        self._acknowledged = acknowledged
        self._listeners = listeners
        self._numbers: dict[int, int] = {}  # by packet identifier
        self._window = WINDOW
        self._hint = "does that port want TLS?" if tls is None else "it may want a certificate"
        self._failure: BrokerLost | None = None
        self._socket: object = None
        client = Client(
            CallbackAPIVersion.VERSION2, settings.client_id, protocol=_PROTOCOLS[greeting.version]
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages = WINDOW
        client.username_pw_set(settings.username, settings.password)
        if (will := greeting.will) is not None:
            about = properties.of_will(will) if greeting.version is Version.V5 else None
            client.will_set(will.topic, will.payload, will.qos, will.retain, about)
        if tls is not None:
            client.tls_set_context(tls)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client

    def open(self) -> None:
        """Reach the broker and send CONNECT; ``step`` then brings the answer. Raises BrokerLost.

        Blocks for at most CONNECT_TIMEOUT_S for each address of the host, and again for TLS; the
        look-up of the host's name has the system's own bounds.
        """
        to = self._settings
        try:
            if self._version is Version.V5:
                about = properties.of_connect(to.session_expiry_s)
                clean = not self._greeting.resume
                self._client.connect(
                    to.host, to.port, to.keepalive_s, clean_start=clean, properties=about
                )
            else:
                self._client.connect(to.host, to.port, to.keepalive_s)
        except (OSError, ValueError) as error:
            raise losses.unreached(error, to.host) from error

    def await_answer(self, wake: Wake, deadline_s: Callable[[], float] = lambda: math.inf) -> None:
        """Wait for the answer to CONNECT, as long as the settings say, and until ``deadline_s``
        (monotonic), which may come nearer meanwhile. Raises BrokerLost.
        """
        patience_s = time.monotonic() + self._settings.answer_timeout_s
        while not self.established:
            wake.clear()  # before it looks at the deadline, or it would miss one that comes nearer
            left_s = min(patience_s, deadline_s()) - time.monotonic()
            if left_s <= 0:
                raise NoAnswer("something listens there, but it does not answer as a broker would")
            self.step(wake.fd, min(left_s, _ANSWER_STEP_S))

    @property
    def has_room(self) -> bool:
        """Whether another message may be sent before one is acknowledged."""
        return len(self._numbers) < self._window

    @property
    def idle(self) -> bool:
        """Whether all that was sent is acknowledged."""
        return not self._numbers

    def send(self, message: Message, number: int) -> None:
        """Send a message; at QoS 0 it counts as acknowledged once it is written.

        Raises BrokerLost when the connection has ended.
        """
        about = properties.of_message(message) if self._version is Version.V5 else None
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.retain, about
        )
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._failure or BrokerLost("the connection broke")
        if message.qos == 0 and info.is_published():
            self._acknowledged(number, None)
        else:
            self._numbers[info.mid] = number

    def step(self, wake_fd: int, timeout_s: float) -> None:
        """Wait for the broker, for ``wake_fd`` or for the time, and do what there is to do.

        Raises BrokerLost when the connection has ended.
        """
        client, sock = self._client, self._client.socket()
        if sock is not None:
            buffered = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            poll = select.poll()
            poll.register(wake_fd, select.POLLIN)
            poll.register(sock, select.POLLIN | (select.POLLOUT if client.want_write() else 0))
            ready = dict(poll.poll(0 if buffered else timeout_s * 1000))
            events = ready.get(sock.fileno(), 0)
            if buffered or events & ~select.POLLOUT:
                client.loop_read()
            if events & select.POLLOUT:
                client.loop_write()
            client.loop_misc()
        if client.socket() is None:
            raise self._failure or BrokerLost("the connection was closed")

    def say_goodbye(self) -> None:
        """Send DISCONNECT, which makes the broker forget the will and the session."""
        about = properties.of_farewell() if self._version is Version.V5 else None
        self._client.disconnect(properties=about)

    def close(self) -> None:
        """Let go of the socket. Without ``say_goodbye`` the broker publishes the will."""
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def _on_socket_open(self, _: Client, __: object, sock: object) -> None:
        self._socket = sock
        if isinstance(sock, socket.socket):
            # Nagle's algorithm would hold a small message back until the one before is acknowledged
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(
        self,
        _: Client,
        __: object,
        ___: ConnectFlags,
        reason: ReasonCode,
        about: Properties | None,
    ) -> None:
        if not reason.is_failure:
            self.established = True
            self._window = min(WINDOW, getattr(about, "ReceiveMaximum", WINDOW))
            self._subscribe()
        else:
            self._failure = losses.refused(reason)

    def _on_disconnect(
        self,
        _: Client,
        __: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        ___: Properties | None,
    ) -> None:
        if self._failure is not None:
            return
        alert = self._socket.failure if isinstance(self._socket, TlsSocket) else None
        if flags.is_disconnect_packet_from_server:
            self._failure = losses.refused(reason)
        elif alert is not None:
            self._failure = losses.tls_ended(alert)
        elif self.established:
            self._failure = losses.broken(reason)
        else:
            self._failure = HungUp(f"the broker hung up without an answer ({self._hint})")

    def _on_publish(
        self, _: Client, __: object, packet: int, reason: ReasonCode, ___: Properties | None
    ) -> None:
        number = self._numbers.pop(packet, None)
        if number is not None:  # None: at QoS 0, still inside of send
            self._acknowledged(number, str(reason) if reason.is_failure else None)

    def _subscribe(self) -> None:
        """A new session has no subscriptions, so after each CONNACK."""
        filters = self._listeners.filters
        if not filters:
            return
        if self._version is Version.V5:
            options = properties.of_subscription(_HEARING_QOS)
            self._client.subscribe([(each, options) for each in filters])
        else:
            self._client.subscribe([(each, _HEARING_QOS) for each in filters])

    def _on_subscribe(
        self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: Properties | None
    ) -> None:
        for topic_filter, reason in zip(self._listeners.filters, reasons, strict=False):
            if reason.is_failure:
                self._listeners.tell(topic_filter, f"The broker refuses it: {reason}.")

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # no topic of MQTT
            return
        about = message.properties
        self._listeners.hear(
            Received(
                topic,
                bytes(message.payload),
                message.retain,
                getattr(about, "ResponseTopic", None),
                getattr(about, "CorrelationData", None),
            )
        )
