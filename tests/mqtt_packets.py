"""MQTT as it goes over the wire, as far as a witness must read it (versions 3.1.1 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

MQTT_5 = 5  # the level of the protocol in CONNECT


class Kind(IntEnum):
    """The packets that matter to a witness; all others are passed over."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4


@dataclass(frozen=True, slots=True)
class Packet:
    """``flags`` are the lower half of the first byte; ``body`` is all after the length."""

    kind: int
    flags: int
    body: bytes

    def level(self) -> int:
        """Of a CONNECT: 4 is MQTT 3.1.1."""
        return self.body[2 + int.from_bytes(self.body[:2])]

    def accepted(self) -> bool:
        """Of a CONNACK or PUBACK: whether the broker said yes. A short PUBACK says so."""
        at = 1 if self.kind == Kind.CONNACK else 2  # where the reason code stands
        return len(self.body) <= at or self.body[at] < 0x80

    def number(self) -> int:
        """Of a PUBACK: which PUBLISH it answers."""
        return int.from_bytes(self.body[:2])

    def published(self, level: int) -> tuple[int, bytes]:
        """Of a PUBLISH: its packet identifier (0 at QoS 0) and its payload."""
        at = 2 + int.from_bytes(self.body[:2])
        number = 0
        if self.flags & 0b0110:
            number = int.from_bytes(self.body[at : at + 2])
            at += 2
        if level >= MQTT_5:
            length, at = _length(self.body, at) or (0, at)
            at += length
        return number, self.body[at:]


class Packets:
    """Cuts one direction of a connection into packets, whatever pieces it comes in."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are whole now."""
        self._held += data
        while len(self._held) >= 2:
            found = _length(self._held, 1)
            if found is None or len(self._held) < sum(found):
                return
            length, begin = found
            first, body = self._held[0], bytes(self._held[begin : begin + length])
            del self._held[: begin + length]
            yield Packet(first >> 4, first & 0xF, body)


def _length(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A number of variable length, and where it ends; None where it is not whole yet."""
    value = 0
    for place, byte in enumerate(data[at : at + 4]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    return None
