"""State that flickers: the newest is told, and never more than so many messages an hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.handoff import Closed
from edged.publish.steady import BURST, PER_S, Steady
from edged.records.health import Health, HealthState
from edged.records.published import Record


def health(number: int) -> Health:
    return Health("front", HealthState.DEGRADED, f"reason {number}", number)


class Way:
    """What was handed on, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.out: list[tuple[str, Record]] = []
        self.steady = Steady(lambda *each: self.out.append(each), lambda: self.now_s)


def test_what_changes_now_and_then_goes_at_once() -> None:
    way = Way()
    for number in range(10_000):
        way.now_s += 1 / PER_S
        way.steady.put("a", health(number))
        assert way.out[-1] == ("a", health(number))


def test_of_what_flickers_the_newest_goes_when_its_time_has_come() -> None:
    way = Way()
    for number in range(BURST + 50):
        way.steady.put("a", health(number))
    way.steady.release()
    assert len(way.out) == BURST
    way.now_s += 1 / PER_S
    way.steady.release()
    way.steady.release()
    assert way.out[BURST:] == [("a", health(BURST + 49))]


def test_one_topic_does_not_hold_back_another() -> None:
    way = Way()
    for number in range(2 * BURST):
        way.steady.put("a", health(number))
    way.steady.put("b", health(0))
    assert way.out[-1] == ("b", health(0))


def test_a_newer_one_is_never_followed_by_an_older_one() -> None:
    way = Way()
    for number in range(BURST + 1):
        way.steady.put("a", health(number))
    way.now_s += 10
    way.steady.put("a", health(BURST + 1))
    way.steady.release()
    assert [record for _, record in way.out] == [*map(health, range(BURST)), health(BURST + 1)]


def test_at_the_end_the_last_state_is_told_and_then_everything() -> None:
    way = Way()
    for number in range(2 * BURST):
        way.steady.put("a", health(number))
    way.steady.open()
    assert way.out[-1] == ("a", health(2 * BURST - 1))
    way.steady.put("a", health(7))
    assert way.out[-1] == ("a", health(7))


def test_a_closed_way_out_is_told_to_who_comes_too_late() -> None:
    def closed(topic: str, record: Record) -> None:
        raise Closed

    with pytest.raises(Closed):
        Steady(closed).put("a", health(0))


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 300)), max_size=30))
def test_an_hour_is_never_exceeded(bursts: list[tuple[float, int]]) -> None:
    way = Way()
    for pause_s, count in bursts:
        way.now_s += pause_s
        for number in range(count):
            way.steady.put("a", health(number))
        way.steady.release()
    assert len(way.out) <= BURST + PER_S * way.now_s + 1e-6
