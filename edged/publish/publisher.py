"""The only way out of the device: one thread that carries records to the broker."""

from __future__ import annotations

import logging
import math
import ssl
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from ..errors import MessageExpired, MessageRefused
from ..log_fields import Event, about
from ..records.health import SpoolMetrics
from ..records.published import Answer, Queued, Record
from . import Context, Message, SpoolSettings, Stored
from .attempts import Attempts
from .listeners import Heard, Listeners
from .losses import BrokerLost, TakenOver
from .messages import OFFLINE, ONLINE, encode, encode_stored, status, topic_of
from .mqtt import Connection, Greeting
from .outbox import Outbox
from .refusals import Refusals
from .settings import MqttSettings, Version
from .steady import Steady
from .tls import tls_context
from .waiting import Parcel
from .wake import Wake

if TYPE_CHECKING:
    from .spooling import Spooling  # SQLite is imported only where there is a spool

CAPACITY = 10_000
_STEP_S = 1.0
_SHORTEST_STEP_S = 0.02  # rows of the spool leave some at a time
_NO_PARCEL = 0  # the number of a message that the outbox does not know
_MOST_ANSWERS = 32

log = logging.getLogger("edged.publish")


class Publisher:
    """Publishes records over MQTT and tries for ever to reach the broker.

    ``start`` once, ``publish`` from any thread, ``close``. Records handed over before ``start``
    or while the broker is away wait: results in the spool, or the newest ``capacity``
    of them in memory where there is none (``spool`` None, or in trouble), and of each kind of state
    the newest.
    """

    def __init__(
        self,
        settings: MqttSettings,
        context: Context,
        capacity: int = CAPACITY,
        spool: SpoolSettings | None = None,
    ) -> None:
        self._settings = settings
        self._brokers = settings.each()
        self._resume = False
        self._context = context
        self._capacity = capacity
        self._spool = spool
        self._spooling: Spooling | None = None
        self._outbox = Outbox(capacity)
        self._steady = Steady(self._outbox.put)
        self._listeners = Listeners()
        self._answers: deque[Answer] = deque(maxlen=_MOST_ANSWERS)
        self.connected = False
        """Whether the broker has accepted the connection and it has not ended since."""
        self._tls: ssl.SSLContext | None = None
        self._wake = Wake()
        self._closing = threading.Event()
        self._farewell_at_s = self._deadline_s = math.inf
        self._told: dict[str, str] = {}  # by broker: why there is no connection
        self._failures = 0  # to connect, since it last did
        self._refusals = Refusals()
        self._thread = threading.Thread(target=self._run, name="edged-publish", daemon=True)

    def listen(self, topic_filter: str, heard: Heard) -> None:
        """Hear what others publish, from each connection on; before ``start`` only.

        ``heard`` is called on the publisher's thread: it must only hand on, and what it raises is
        logged. A message may come twice, and a retained one comes again with each connection.
        """
        self._listeners.add(topic_filter, heard)

    def start(self) -> None:
        """Begin to connect; returns at once. Raises ConfigError for TLS files that are no use."""
        if self._settings.tls is not None:
            self._tls = tls_context(self._settings.tls)
        self._wake.open()
        if self._spool is not None:
            from .spooling import Spooling

            self._spooling = Spooling(
                self._spool, self._outbox, self._context, self._refusals, self._wake
            )
            self._spooling.start()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs, as it does from ``start`` on."""
        return self._thread.is_alive()

    def publish(self, record: Record, *, later: bool = False) -> None:
        """Hand a record over. Never blocks; callable from any thread. ``later``: it may lie until
        ``send`` is called.

        Raises Closed after ``close``, and MessageRefused for anything that is no record. A record
        whose content must not leave the device is refused later, by the publisher's thread: it is
        logged once for its topic and counted as dropped.
        """
        topic = topic_of(record, self._context)
        if not isinstance(record, Queued):
            self._steady.put(topic, record)
        elif self._outbox.put(topic, record):
            log.warning(
                "%d results wait in memory: the oldest make room for new ones and are lost",
                self._capacity,
                extra=about(Event.SPOOL),
            )
        if not later:
            self.send()

    def send(self) -> None:
        """Let the publisher's thread work on what was handed over; from any thread."""
        if self.connected:
            self._wake.set()

    def publish_kept(self, stored: Stored) -> None:
        """Hand over an event that a run before has kept. As ``publish``."""
        self._outbox.put_stored(stored)
        if self.connected:
            self._wake.set()

    def kept_before_s(self) -> float:
        """Results and events handed over before this time (``time.monotonic``) outlast a kill."""
        return self._outbox.kept_before_s()

    def answer(self, answer: Answer) -> None:
        """Hand over what became of a command; never blocks. It is sent once or not at all: of more
        than a few that wait the oldest is dropped. Raises MessageRefused for its topic.
        """
        topic_of(answer, self._context)
        self._answers.append(answer)
        self.send()

    def wait_delivered(self, timeout_s: float) -> bool:
        """Wait until the broker has acknowledged all that was handed over so far.

        True as soon as that is so; what was dropped and counted is not waited for.
        """
        return self._outbox.wait_settled(timeout_s)

    def metrics(self) -> SpoolMetrics:
        """Results that wait or are unacknowledged, where, and what was lost since the start."""
        found, spooling = self._outbox.metrics(), self._spooling
        if spooling is None:
            return found
        return msgspec.structs.replace(
            found, bytes=spooling.bytes, on_disk=spooling.on_disk, trouble=spooling.trouble
        )

    def close(self, timeout_s: float) -> int:
        """Deliver what is left, say `offline`, disconnect, and spool the rest; how many results
        are lost: those that could be neither delivered nor spooled.

        Takes at most ``timeout_s``, and no time when no connection stands or is just being made.
        """
        self._steady.open()
        self._outbox.close()
        now_s = time.monotonic()
        # The disk gets its share of the time.
        broker_s = timeout_s if self._spooling is None else 0.6 * timeout_s
        self._farewell_at_s = now_s + 0.8 * broker_s
        self._deadline_s = now_s + 0.95 * broker_s
        self._closing.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(broker_s)
        if self._spooling is not None:
            self._spooling.close(now_s + 0.95 * timeout_s - time.monotonic())
        left = self._outbox.metrics()
        kept, lost = left.depth - left.in_memory, left.in_memory
        if kept:
            text = "%d results are kept in the spool for the next start"
            log.info(text, kept, extra=about(Event.SPOOL))
        if lost:
            why = "; ".join(self._told.values()) or "no time was left"
            fields = about(Event.BROKER)
            log.warning("%d results were not delivered: %s", lost, why, extra=fields)
        self._refusals.sum_up()
        return lost

    # ---- the publisher's own thread from here on ------------------------------------------------

    def _run(self) -> None:
        attempts = Attempts(self._settings.first_version, len(self._brokers))
        while not self._closing.is_set():
            broker = self._brokers[attempts.broker]
            connected_s, error = self._attempt(broker, attempts.version)
            self._outbox.rewind()
            if error is None:
                break
            if not attempts.in_other_words(error):
                self._failures += 1
                self._tell(broker, str(attempts.understood(error, connected_s)))
                self._closing.wait(attempts.pause_s(error, connected_s))
        self._wake.close()

    def _attempt(self, broker: MqttSettings, version: Version) -> tuple[float, BrokerLost | None]:
        """One connection from beginning to end.

        Gives how many seconds it held, and what ended it: None when all is done.
        """
        greeting = Greeting(version, status(self._context, OFFLINE), self._resume)
        connection = Connection(broker, self._tls, greeting, self._acknowledged, self._listeners)
        since_s: float | None = None
        error: BrokerLost | None = None
        try:
            connection.open()
            connection.await_answer(self._wake, lambda: self._deadline_s)
            since_s = time.monotonic()
            self._told.clear()
            self.connected = True
            log.info(
                "Connected to %s with MQTT %s%s",
                broker,
                version.value,
                f", after {self._failures} failures" if self._failures > 1 else "",
                extra=about(Event.BROKER),
            )
            self._failures = 0
            # What came for a process before this one is not for this one. Nor is what came while
            # MQTT 3.1.1 was spoken, where a session does not end by itself.
            self._resume = version is Version.V5 and self._settings.session_expiry_s > 0
            self._serve(connection)
            self._say_farewell(connection)
        except BrokerLost as lost:
            error = lost
            self._resume = self._resume and not isinstance(lost, TakenOver)
        except Exception as broken:
            # Whatever a strange broker makes paho raise, the only way out must not die of it; nor
            # must what made it raise be sent again, so the session is not resumed.
            log.debug("The MQTT client failed", exc_info=True)
            self._resume = False
            error = BrokerLost(f"the MQTT client failed: {broken!r}")
        finally:
            self.connected = False
            connection.close()
        return (0.0 if since_s is None else time.monotonic() - since_s), error

    def _serve(self, connection: Connection) -> None:
        """Carry records until there is nothing left to do or no time left for it."""
        connection.send(status(self._context, ONLINE), _NO_PARCEL)
        while True:
            self._wake.clear()
            self._steady.release()
            while connection.has_room and self._answers:
                connection.send(encode(self._answers.popleft(), self._context), _NO_PARCEL)
            while connection.has_room and (parcel := self._outbox.take()) is not None:
                self._send(parcel, connection)
            if self._closing.is_set():
                left_s = self._farewell_at_s - time.monotonic()
                if left_s <= 0 or self._outbox.empty():
                    return
                connection.step(self._wake.fd, min(left_s, _STEP_S))
            else:
                pause_s = self._outbox.pause_s(_STEP_S) if connection.has_room else _STEP_S
                connection.step(self._wake.fd, max(pause_s, _SHORTEST_STEP_S))

    def _send(self, parcel: Parcel, connection: Connection) -> None:
        try:
            message = self._encoded(parcel.content)
        except MessageRefused as error:
            expired = isinstance(error, MessageExpired)
            self._outbox.settle(parcel.number, refused=not expired, expired=expired)
            self._refusals.tell(parcel.name, str(error))
        else:
            connection.send(message, parcel.number)

    def _encoded(self, content: Record | Stored) -> Message:
        if isinstance(content, Stored):
            return encode_stored(content, self._context, self._spool.boot if self._spool else "")
        return encode(content, self._context)

    def _say_farewell(self, connection: Connection) -> None:
        """Say `offline` ourselves; without an acknowledgement the will says it for us."""
        connection.send(status(self._context, OFFLINE), _NO_PARCEL)
        while not connection.idle:
            left_s = self._deadline_s - time.monotonic()
            if left_s <= 0:
                raise BrokerLost("no acknowledgement in the time to stop")
            connection.step(self._wake.fd, min(left_s, _STEP_S))
        connection.say_goodbye()

    def _acknowledged(self, number: int, refusal: str | None) -> None:
        parcel = self._outbox.settle(number, refused=refusal is not None)
        if parcel is not None and refusal is not None:
            self._refusals.tell(parcel.name, f"The broker refuses messages: {refusal}.")

    def _tell(self, broker: MqttSettings, reason: str) -> None:
        """Log why there is no connection, when the reason is another than before."""
        if reason != self._told.get(str(broker)):
            fields = about(Event.BROKER)
            log.warning("No connection to %s: %s", broker, reason, extra=fields)
            self._told[str(broker)] = reason
