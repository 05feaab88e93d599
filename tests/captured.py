"""What was captured of a network, taken apart: packets, the streams in them, and MQTT in those.

Sources: pcap-savefile(5); the link type LINUX_SLL2 of tcpdump.org; MQTT 5.0, section 2.
"""

from __future__ import annotations

import ipaddress
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SLL2_BYTES = 20
_TCP, _ICMPV6, _HOP_BY_HOP = 6, 58, 0


@dataclass(frozen=True, slots=True)
class Packet:
    """``kind``: "tcp", "arp", "icmpv6 135" or the like. ``data`` of TCP alone."""

    kind: str
    source: str = ""
    target: str = ""
    sequence: int = 0
    is_first: bool = False
    data: bytes = b""

    def __str__(self) -> str:
        return f"{self.kind} {self.source} > {self.target}"


def read_capture(path: Path) -> list[Packet]:
    """All packets in a file of tcpdump's, captured on all interfaces at once."""
    data = path.read_bytes()
    order = "<" if data[:4] == b"\xd4\xc3\xb2\xa1" else ">"
    link = struct.unpack_from(f"{order}I", data, 20)[0]
    assert link == 276, f"link type {link} is not LINUX_SLL2"
    packets, at = [], 24
    while at + 16 <= len(data):
        kept, length = struct.unpack_from(f"{order}8xII", data, at)
        assert kept == length, "a packet was cut"
        if at + 16 + kept > len(data):  # it is just being written
            break
        packets.append(_packet(data[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return packets


def _packet(frame: bytes) -> Packet:
    kind, body = struct.unpack_from("!H", frame)[0], frame[_SLL2_BYTES:]
    if kind == 0x0806:
        return Packet("arp")
    if kind == 0x0800:
        end = struct.unpack_from("!H", body, 2)[0]
        begin = (body[0] & 0xF) * 4
        return _inside(body[9], body[12:16], body[16:20], body[begin:end])
    if kind == 0x86DD:
        end = 40 + struct.unpack_from("!H", body, 4)[0]
        upper, inner = body[6], body[40:end]
        if upper == _HOP_BY_HOP:  # as reports of multicast listeners have it
            upper, inner = inner[0], inner[8 + 8 * inner[1] :]
        return _inside(upper, body[8:24], body[24:40], inner)
    return Packet(f"ethertype {kind:#06x}")


def _inside(upper: int, source: bytes, target: bytes, inner: bytes) -> Packet:
    ends = [str(ipaddress.ip_address(end)) for end in (source, target)]
    if upper == _ICMPV6:
        return Packet(f"icmpv6 {inner[0]}", *ends)
    if upper != _TCP:
        ports = struct.unpack_from("!HH", inner)
        return Packet(f"ip protocol {upper} port {ports[1]}", *ends)
    ports = struct.unpack_from("!HH", inner)
    begin, flags = (inner[12] >> 4) * 4, inner[13]
    named = [f"{end}:{port}" for end, port in zip(ends, ports, strict=True)]
    sequence = struct.unpack_from("!I", inner, 4)[0]
    return Packet("tcp", *named, sequence, bool(flags & 2), inner[begin:])


def streams(packets: Sequence[Packet]) -> dict[tuple[str, str], bytes]:
    """The bytes of each direction of each TCP connection, by its two ends."""
    starts: dict[tuple[str, str], int] = {}
    pieces: defaultdict[tuple[str, str], dict[int, bytes]] = defaultdict(dict)
    for packet in packets:
        ends = (packet.source, packet.target)
        if packet.kind != "tcp":
            continue
        if packet.is_first:
            starts[ends] = packet.sequence + 1
        if packet.data:
            place = (packet.sequence - starts[ends]) % 2**32
            if len(packet.data) > len(pieces[ends].get(place, b"")):
                pieces[ends][place] = packet.data
    return {ends: _joined(found) for ends, found in pieces.items()}


def _joined(pieces: dict[int, bytes]) -> bytes:
    whole = b""
    for place, data in sorted(pieces.items()):
        assert place <= len(whole), "bytes are missing in the capture"
        whole += data[len(whole) - place :]
    return whole


# ---- MQTT ---------------------------------------------------------------------------------------

CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 3, 4, 5, 6, 7
SUBSCRIBE, PINGREQ, DISCONNECT = 8, 12, 14
HOUSEKEEPING = (PUBACK, PUBREC, PUBREL, PUBCOMP, PINGREQ, DISCONNECT)


@dataclass(frozen=True, slots=True)
class Published:
    """A PUBLISH, or the will in a CONNECT; ``size`` is that of all its bytes."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    size: int


@dataclass(frozen=True, slots=True)
class Control:
    """A packet of MQTT: ``kind`` is its number, ``flags`` and ``body`` as the standard has them."""

    kind: int
    flags: int
    body: bytes
    size: int


def controls(stream: bytes) -> Iterator[Control]:
    """All packets in a stream, to its last byte."""
    at = 0
    while at < len(stream):
        length, begin = _number(stream, at + 1)
        end = begin + length
        assert end <= len(stream), "a packet is cut off"
        yield Control(stream[at] >> 4, stream[at] & 0xF, stream[begin:end], end - at)
        at = end


def published(control: Control) -> Published:
    """Of a PUBLISH of MQTT 5."""
    topic, at = _text(control.body, 0)
    qos = control.flags >> 1 & 3
    at += 2 if qos else 0
    length, at = _number(control.body, at)
    return Published(
        topic.decode(), control.body[at + length :], qos, bool(control.flags & 1), control.size
    )


def will(control: Control) -> Published:
    """Of a CONNECT of MQTT 5 that has one and no user."""
    body = control.body
    name, at = _text(body, 0)
    assert (name, body[at]) == (b"MQTT", 5)
    flags = body[at + 1]
    length, at = _number(body, at + 4)
    _client, at = _text(body, at + length)
    assert flags & 0b0000_0100, "there is no will"
    length, at = _number(body, at)
    topic, at = _text(body, at + length)
    payload, at = _text(body, at)
    assert at == len(body), "there is more than a will"
    return Published(topic.decode(), payload, flags >> 3 & 3, bool(flags & 32), control.size)


def filters(control: Control) -> list[str]:
    """Of a SUBSCRIBE of MQTT 5."""
    length, at = _number(control.body, 2)
    at += length
    found = []
    while at < len(control.body):
        topic, at = _text(control.body, at)
        found.append(topic.decode())
        at += 1
    return found


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    length = struct.unpack_from("!H", data, at)[0]
    return data[at + 2 : at + 2 + length], at + 2 + length


def _number(data: bytes, at: int) -> tuple[int, int]:
    """One of variable length, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at
