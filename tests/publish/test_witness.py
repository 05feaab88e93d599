"""The witness of chaos runs: it sees what is sent and what the broker acknowledges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Mosquitto
from hypothesis import given
from hypothesis import strategies as st
from mqtt_packets import Packets
from patience import PATIENCE_S
from witness import Sent, Witness

from edged.publish.mqtt import Version
from edged.publish.publisher import Publisher
from edged.records.results import Result


@pytest.fixture
def broker(mosquitto: Callable[..., Mosquitto]) -> Mosquitto:
    return mosquitto()


@pytest.fixture
def witness(broker: Mosquitto) -> Iterator[Witness]:
    made = Witness(broker.port)
    made.open_door()
    yield made
    made.close()


def acknowledged(sent: list[Sent]) -> list[int]:
    return [each.sequence for each in sent if each.acknowledged_s is not None]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_it_sees_results_and_what_the_broker_acknowledges(
    witness: Witness,
    publisher: Callable[..., Publisher],
    a_result: Callable[..., Result],
    version: str,
) -> None:
    mine = publisher(witness.port, first_version=Version(version))
    for number in range(100):
        mine.publish(a_result(number))
    assert mine.wait_delivered(PATIENCE_S)
    assert acknowledged(witness.sent) == list(range(100))
    assert {each.run for each in witness.sent} == {"c0ffee12"}
    assert witness.talks[0].accepted_s is not None
    assert witness.broken == []


def test_what_is_acknowledged_and_never_heard_of_is_sent_again(
    witness: Witness,
    publisher: Callable[..., Publisher],
    a_result: Callable[..., Result],
) -> None:
    mine = publisher(witness.port)
    mine.publish(a_result(0))
    assert mine.wait_delivered(PATIENCE_S)
    witness.withholds = True
    mine.publish(a_result(1))
    assert witness.wait_for(lambda sent: acknowledged(sent) == [0, 1], PATIENCE_S)
    witness.hang_up()
    witness.withholds = False
    assert mine.wait_delivered(PATIENCE_S)
    assert acknowledged(witness.sent) == [0, 1, 1]


def test_a_closed_door_refuses_and_an_open_one_lets_in_again(
    witness: Witness,
    publisher: Callable[..., Publisher],
    a_result: Callable[..., Result],
    told: Any,
) -> None:
    witness.close_door()
    mine = publisher(witness.port)
    mine.publish(a_result(0))
    told.wait_for("refused")
    assert witness.sent == []
    witness.open_door()
    assert mine.wait_delivered(PATIENCE_S)
    assert acknowledged(witness.sent) == [0]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_packets_are_cut_alike_whatever_pieces_they_come_in(
    bodies: list[bytes], piece: int
) -> None:
    stream = b"".join(b"\x30" + length(len(body)) + body for body in bodies)
    packets = Packets()
    cut = [
        packet
        for start in range(0, len(stream), piece)
        for packet in packets.feed(stream[start : start + piece])
    ]
    assert [packet.body for packet in cut] == bodies


def length(value: int) -> bytes:
    """As MQTT writes it."""
    head, tail = value & 0x7F, value >> 7
    return bytes([head | 0x80]) + length(tail) if tail else bytes([head])
