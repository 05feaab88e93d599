"""The connection to the broker, in a thread of its own: it subscribes, and sends nothing else."""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Callable
from datetime import datetime

import msgspec

from ..handoff import BoundedQueue
from ..publish import Received
from ..publish.attempts import Attempts
from ..publish.listeners import Listeners
from ..publish.losses import BrokerLost, Unwelcome
from ..publish.mqtt import Connection, Greeting
from ..publish.settings import MqttSettings, Version
from ..publish.tls import tls_context
from ..publish.wake import Wake
from .payloads import MAX_BYTES, Arrival

CAPACITY = 4000
_LONGEST_PAUSE_S = 10.0  # somebody is waiting
_STEP_S = 1.0


class Link(msgspec.Struct, frozen=True):
    """The state of the connection. ``trouble`` None: it stands."""

    trouble: BrokerLost | None

    @property
    def hopeless(self) -> bool:
        """Whether the broker is there and does not let us in."""
        return isinstance(self.trouble, Unwelcome)


class Notice(msgspec.Struct, frozen=True):
    """Something that the user should know, and that is no message."""

    text: str


News = Arrival | Link | Notice


class _Ear(Listeners):
    """Hands on all that comes, of a payload that is far too long the beginning."""

    def __init__(self, topic_filter: str, hand_on: Callable[[News], None]) -> None:
        super().__init__()
        self._hand_on = hand_on
        self.add(topic_filter, lambda _: None)

    def hear(self, message: Received) -> None:
        now = datetime.now().astimezone()
        payload = message.payload[: MAX_BYTES + 1]
        self._hand_on(Arrival(message.topic, payload, message.retained, time.monotonic(), now))

    def tell(self, topic_filter: str, reason: str) -> None:
        self._hand_on(Notice(f"subscription {topic_filter}: {reason}"))


class Feed:
    """``start`` once, ``take`` what comes, ``close``."""

    def __init__(self, settings: MqttSettings, topic_filter: str) -> None:
        """The client id in ``settings`` must be nobody else's."""
        self._settings = settings
        self._queue: BoundedQueue[News] = BoundedQueue(CAPACITY)
        self._ear = _Ear(topic_filter, self._queue.put)
        self._tls: ssl.SSLContext | None = None
        self._wake = Wake()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edged-watch", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once. Raises ConfigError for TLS files that are no use."""
        if self._settings.tls is not None:
            self._tls = tls_context(self._settings.tls)
        self._wake.open()
        self._thread.start()

    def take(self, timeout_s: float) -> News | None:
        """What came next; None where nothing came in time."""
        return self._queue.take(timeout_s)

    @property
    def broker(self) -> str:
        """Which one, in words."""
        return str(self._settings)

    @property
    def dropped(self) -> int:
        """What had to make room because nobody took it in time."""
        return self._queue.dropped

    def close(self, timeout_s: float = 1.0) -> None:
        """Leave the broker. A connection that is just being made is not waited for longer."""
        self._closing.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # ---- the feed's own thread from here on -----------------------------------------------------

    def _run(self) -> None:
        brokers = self._settings.each()
        attempts = Attempts(self._settings.first_version, len(brokers))
        while not self._closing.is_set():
            connected_s, error = self._attempt(brokers[attempts.broker], attempts.version)
            if error is None:
                break
            if not attempts.in_other_words(error):
                self._queue.put(Link(error))
                pause_s = attempts.pause_s(error, connected_s)
                self._closing.wait(min(pause_s, _LONGEST_PAUSE_S))
        self._wake.close()

    def _attempt(self, broker: MqttSettings, version: Version) -> tuple[float, BrokerLost | None]:
        """One connection: how many seconds it held, and what ended it (None: ``close``)."""
        connection = Connection(broker, self._tls, Greeting(version), lambda *_: None, self._ear)
        since_s: float | None = None
        error: BrokerLost | None = None
        try:
            connection.open()
            connection.await_answer(self._wake, self._deadline_s)
            since_s = time.monotonic()
            self._queue.put(Link(None))
            while True:
                self._wake.clear()  # before it looks, or it would miss one that closes it just then
                if self._closing.is_set():
                    break
                connection.step(self._wake.fd, _STEP_S)
            connection.say_goodbye()
        except BrokerLost as lost:
            error = lost
        except Exception as broken:
            # Whatever a strange broker makes paho raise, the view goes on.
            error = BrokerLost(f"the MQTT client failed: {broken!r}")
        finally:
            connection.close()
        return (0.0 if since_s is None else time.monotonic() - since_s), error

    def _deadline_s(self) -> float:
        """Until when the broker's answer is waited for."""
        return -math.inf if self._closing.is_set() else math.inf
