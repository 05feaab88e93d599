"""A witness between edged and its broker: which results were sent, and which were acknowledged.

It passes on every byte as it comes, and reads along. It stands on the broker's side of the
network, so that what a bad network does happens between edged and the witness.

What it proves: a result counts as delivered when the real broker's PUBACK to it was read here. So
a result that never counts was lost by edged, whatever became of the broker, and one that was sent
again after it counted is a duplicate of edged's making. What it does not prove: that a broker
which was killed had handed on what it acknowledged; a subscriber beside it tells that.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from select import POLLIN, poll
from typing import Any

from mqtt_packets import Kind, Packet, Packets
from ports import free_port

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: RST in place of FIN


@dataclass(slots=True)
class Sent:
    """A result on its way to the broker. Times are of the monotonic clock.

    ``acknowledged_s`` stays None where the connection ended before the broker's PUBACK.
    """

    run: str
    sequence: int
    sent_s: float
    connection: int
    acknowledged_s: float | None = None


@dataclass(slots=True)
class Talk:
    """One connection. ``accepted_s``: when the broker said yes to CONNECT, None if it never did."""

    number: int
    accepted_s: float | None = None
    level: int = 0
    under_way: dict[int, Sent] = field(default_factory=dict)  # by packet identifier


class Witness:
    """``start``, then let edged connect to ``port``. The lists grow while it runs.

    ``sent``: results in the order in which they came here; ``metrics``: what ``P/metrics`` told;
    ``broken``: what was no MQTT, which nobody should ever see. While ``withholds`` is set, what the
    broker says ends here; ``hang_up`` must follow, since no connection survives a gap.
    """

    def __init__(self, broker_port: int, host: str = "127.0.0.1") -> None:
        self.sent: list[Sent] = []
        self.talks: list[Talk] = []
        self.metrics: list[dict[str, Any]] = []
        self.broken: list[str] = []
        self.withholds = False
        self._broker = ("127.0.0.1", broker_port)
        self._address = (host, free_port())
        self._door: socket.socket | None = None
        self._pairs: dict[int, tuple[socket.socket, socket.socket]] = {}
        self._changed = threading.Condition()

    @property
    def port(self) -> int:
        return self._address[1]

    def open_door(self) -> None:
        """Let edged in."""
        if self._door is None:
            self._door = socket.create_server(self._address)
            threading.Thread(target=self._welcome, args=(self._door,), daemon=True).start()

    def close_door(self) -> None:
        """From now on connections are refused, as where no broker listens; those there go on."""
        door, self._door = self._door, None
        if door is not None:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            door.close()

    def hang_up(self) -> None:
        """Break off all connections between two bytes."""
        with self._changed:
            for pair in self._pairs.values():
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                        end.shutdown(socket.SHUT_RDWR)

    def wait_for(self, holds: Callable[[list[Sent]], bool], timeout_s: float) -> bool:
        """Wait until what was sent so far satisfies ``holds``; whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: holds(self.sent), timeout_s)

    def close(self) -> None:
        self.close_door()
        self.hang_up()

    # ---- a thread for the door, and one for each connection --------------------------------------

    def _welcome(self, door: socket.socket) -> None:
        while True:
            try:
                edged, _ = door.accept()
            except OSError:  # the door is closed
                return
            threading.Thread(target=self._carry, args=(edged,), daemon=True).start()

    def _carry(self, edged: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),  # either side may break off at any time
            edged,
            socket.create_connection(self._broker) as broker,
        ):
            for end in (edged, broker):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                talk = Talk(len(self.talks))
                self.talks.append(talk)
                self._pairs[talk.number] = (edged, broker)
            try:
                self._pass_on(edged, broker, talk)
            finally:
                with self._changed:
                    del self._pairs[talk.number]

    def _pass_on(self, edged: socket.socket, broker: socket.socket, talk: Talk) -> None:
        ways = {
            edged.fileno(): _Way(edged, broker, self._note_edged),
            broker.fileno(): _Way(broker, edged, self._note_broker),
        }
        waiting = poll()
        for ready in ways:
            waiting.register(ready, POLLIN)
        while True:
            for ready, _ in waiting.poll():
                way = ways[ready]
                data = way.source.recv(65536)
                if not data:
                    return
                # Noted before it goes on: so no answer comes before its question.
                self._read(way, data, talk)
                if way.target is broker or not self.withholds:
                    way.target.sendall(data)

    def _read(self, way: _Way, data: bytes, talk: Talk) -> None:
        with self._changed:
            try:
                for packet in way.packets.feed(data):
                    way.note(packet, talk)
            except (IndexError, KeyError, ValueError) as error:
                self.broken.append(f"{error!r} at {data[:60]!r}")
            self._changed.notify_all()

    def _note_edged(self, packet: Packet, talk: Talk) -> None:
        if packet.kind == Kind.CONNECT:
            talk.level = packet.level()
        if packet.kind != Kind.PUBLISH:
            return
        number, payload = packet.published(talk.level)
        content = json.loads(payload) if payload.startswith(b"{") else {}
        schema = content.get("schema", "")
        if schema.startswith("edged.metrics/"):
            self.metrics.append(content)
        elif schema.startswith("edged.result/"):
            sent = Sent(content["run"], content["sequence"], time.monotonic(), talk.number)
            talk.under_way[number] = sent
            self.sent.append(sent)

    def _note_broker(self, packet: Packet, talk: Talk) -> None:
        if packet.kind == Kind.CONNACK and packet.accepted():
            talk.accepted_s = time.monotonic()
        elif packet.kind == Kind.PUBACK:
            sent = talk.under_way.pop(packet.number(), None)
            if sent is not None and packet.accepted():
                sent.acknowledged_s = time.monotonic()


@dataclass(frozen=True, slots=True)
class _Way:
    """One direction of a connection."""

    source: socket.socket
    target: socket.socket
    note: Callable[[Packet, Talk], None]
    packets: Packets = field(default_factory=Packets)
