from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edged.publish.attempts import (
    FIRST_PAUSE_S,
    FIRST_SLOW_PAUSE_S,
    LONGEST_PAUSE_S,
    LONGEST_SLOW_PAUSE_S,
    Attempts,
    most_connections_per_hour,
)
from edged.publish.losses import (
    Broken,
    BrokerLost,
    HungUp,
    NoAnswer,
    ProtocolRefused,
    TakenOver,
    Unwelcome,
)
from edged.publish.settings import Version

REFUSED = BrokerLost("the connection was refused")
FOR_LONG_S = 3600


def pauses(attempts: Attempts, count: int, error: BrokerLost = REFUSED) -> list[float]:
    return [attempts.pause_s(error, connected_s=0) for _ in range(count)]


def test_pauses_grow_from_a_second_to_a_minute_and_are_jittered() -> None:
    bounds = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (bounds[0], bounds[-1]) == (FIRST_PAUSE_S, LONGEST_PAUSE_S)

    first, second = (pauses(Attempts(Version.V5), len(bounds)) for _ in range(2))

    for pause_s, bound_s in zip(first, bounds, strict=True):
        assert bound_s / 2 <= pause_s <= bound_s
    assert first != second


def test_a_connection_that_held_begins_the_pauses_anew() -> None:
    attempts = Attempts(Version.V5)
    pauses(attempts, 8)

    assert attempts.pause_s(REFUSED, connected_s=FOR_LONG_S) <= FIRST_PAUSE_S


def test_a_connection_that_broke_at_once_does_not() -> None:
    attempts = Attempts(Version.V5)
    pauses(attempts, 8)

    assert attempts.pause_s(REFUSED, connected_s=0.5) >= LONGEST_PAUSE_S / 2


# ---- who is not welcome -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unwelcome(), TakenOver()])
def test_one_who_is_not_welcome_asks_again_after_a_minute_and_up_to_some(error: BrokerLost) -> None:
    bounds = [60, 120, 240, 300, 300]
    assert (bounds[0], bounds[-1]) == (FIRST_SLOW_PAUSE_S, LONGEST_SLOW_PAUSE_S)

    first, second = (pauses(Attempts(Version.V5), len(bounds), error) for _ in range(2))

    for pause_s, bound_s in zip(first, bounds, strict=True):
        assert bound_s <= pause_s <= 1.5 * bound_s
    assert first != second


def test_two_that_take_the_connection_from_each_other_do_so_ever_more_slowly() -> None:
    attempts = Attempts(Version.V5)
    held_s = 0.0
    for _ in range(5):  # the other one pauses as this one does, and this one holds for as long
        held_s = attempts.pause_s(TakenOver(), connected_s=held_s)

    assert held_s >= LONGEST_SLOW_PAUSE_S


def test_connections_that_break_soon_one_after_the_other_are_explained() -> None:
    attempts = Attempts(Version.V5)
    broken = Broken("the connection broke")

    assert attempts.understood(broken, connected_s=FOR_LONG_S) is broken
    assert attempts.understood(broken, connected_s=1) is broken
    assert "same device id" in str(attempts.understood(broken, connected_s=1))
    assert attempts.understood(REFUSED, connected_s=0) is REFUSED
    assert attempts.understood(broken, connected_s=1) is broken


# ---- several brokers ----------------------------------------------------------------------------


def test_the_next_broker_is_tried_at_once_and_a_pause_comes_after_each_round() -> None:
    attempts = Attempts(Version.V5, brokers=3)

    tried = []
    for _ in range(6):
        broker = attempts.broker
        tried.append((broker, attempts.pause_s(REFUSED, connected_s=0)))

    assert [broker for broker, _ in tried] == [0, 1, 2, 0, 1, 2]
    assert [pause_s > 0 for _, pause_s in tried] == [False, False, True, False, False, True]
    assert tried[2][1] <= FIRST_PAUSE_S <= tried[5][1]


def test_when_a_connection_is_lost_the_next_broker_is_tried_at_once() -> None:
    attempts = Attempts(Version.V5, brokers=2)
    pauses(attempts, 1)

    assert attempts.pause_s(REFUSED, connected_s=FOR_LONG_S) == 0
    assert attempts.broker == 0


def test_brokers_that_all_let_in_and_hang_up_are_not_hammered() -> None:
    attempts = Attempts(Version.V5, brokers=2)

    paused = [attempts.pause_s(REFUSED, connected_s=0.01) for _ in range(20)]

    assert sum(paused) > 100


def test_a_round_in_which_one_broker_did_not_want_us_is_followed_by_a_long_pause() -> None:
    attempts = Attempts(Version.V5, brokers=2)

    assert attempts.pause_s(Unwelcome(), connected_s=0) == 0
    assert attempts.pause_s(REFUSED, connected_s=0) >= FIRST_SLOW_PAUSE_S
    assert pauses(attempts, 2)[1] <= FIRST_PAUSE_S


def test_whoever_took_the_connection_over_is_not_followed_to_the_next_broker_at_once() -> None:
    attempts = Attempts(Version.V5, brokers=2)

    assert attempts.pause_s(TakenOver(), connected_s=FOR_LONG_S) >= FIRST_SLOW_PAUSE_S


# ---- versions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ProtocolRefused(), NoAnswer()])
def test_a_broker_that_refuses_mqtt_5_or_keeps_silent_is_asked_at_once_for_3_1_1(
    error: BrokerLost,
) -> None:
    attempts = Attempts(Version.V5)

    assert attempts.in_other_words(error)
    assert attempts.version is Version.V3_1_1


def test_one_that_hangs_up_is_asked_twice_and_then_for_3_1_1_and_then_for_5_again() -> None:
    attempts = Attempts(Version.V5)

    seen = []
    for _ in range(4):
        seen.append(attempts.version)
        again = attempts.in_other_words(HungUp())
        assert again == (seen[-1] is Version.V5)

    assert seen == [Version.V5, Version.V5, Version.V3_1_1, Version.V5]


def test_another_reason_in_between_makes_hanging_up_a_first_time_again() -> None:
    attempts = Attempts(Version.V5)
    for error in (HungUp(), REFUSED, HungUp()):
        attempts.in_other_words(error)

    assert attempts.version is Version.V5


def test_what_has_once_worked_is_used_again() -> None:
    attempts = Attempts(Version.V5)
    attempts.in_other_words(ProtocolRefused())

    assert not attempts.in_other_words(REFUSED)
    pauses(attempts, 3)

    assert attempts.version is Version.V3_1_1


def test_each_broker_is_spoken_to_in_its_own_version() -> None:
    attempts = Attempts(Version.V5, brokers=2)
    attempts.in_other_words(ProtocolRefused())

    versions = []
    for _ in range(4):
        versions.append(attempts.version)
        pauses(attempts, 1)

    assert versions == [Version.V3_1_1, Version.V5] * 2


@example(4, [1.01, 0.0, 0.0], False)
@given(
    st.integers(1, 4),
    st.lists(st.sampled_from([0.0, 0.5, 1.01, 2.01, 4.01, 8.01, 130.0]), min_size=1, max_size=6),
    st.booleans(),
)
def test_however_connections_are_broken_an_hour_has_only_so_many(
    brokers: int, held_s: list[float], is_told: bool
) -> None:
    attempts = Attempts(Version.V5, brokers)
    error = BrokerLost("the broker ended the connection") if is_told else Broken("it broke")
    now_s, made = 0.0, 0
    for connected_s in itertools.cycle(held_s):
        made += 1
        now_s += connected_s + attempts.pause_s(error, connected_s)
        if now_s >= 3600:
            break
    assert made <= most_connections_per_hour(brokers)
