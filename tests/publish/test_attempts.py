from __future__ import annotations

from edged.publish.attempts import FIRST_PAUSE_S, LONGEST_PAUSE_S, Attempts
from edged.publish.losses import BrokerLost, HungUp, NoAnswer, ProtocolRefused
from edged.publish.mqtt import Version

REFUSED = BrokerLost("the connection was refused")


def pauses(attempts: Attempts, count: int) -> list[float]:
    return [attempts.pause_after_s(REFUSED, connected_s=0) for _ in range(count)]


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

    assert attempts.pause_after_s(REFUSED, connected_s=3600) <= FIRST_PAUSE_S


def test_a_connection_that_broke_at_once_does_not() -> None:
    attempts = Attempts(Version.V5)
    pauses(attempts, 8)

    assert attempts.pause_after_s(REFUSED, connected_s=0.5) >= LONGEST_PAUSE_S / 2


def test_a_broker_that_refuses_mqtt_5_is_asked_at_once_for_3_1_1() -> None:
    attempts = Attempts(Version.V5)

    assert attempts.pause_after_s(ProtocolRefused(), connected_s=0) == 0
    assert attempts.version is Version.V3_1_1


def test_one_that_does_not_answer_too() -> None:
    attempts = Attempts(Version.V5)

    assert attempts.pause_after_s(NoAnswer(), connected_s=0) == 0
    assert attempts.version is Version.V3_1_1


def test_one_that_hangs_up_is_asked_twice_and_then_for_3_1_1_and_then_for_5_again() -> None:
    attempts = Attempts(Version.V5)

    seen = []
    for _ in range(4):
        seen.append(attempts.version)
        paused = attempts.pause_after_s(HungUp(), connected_s=0) > 0
        assert paused == (seen[-1] is Version.V3_1_1)

    assert seen == [Version.V5, Version.V5, Version.V3_1_1, Version.V5]


def test_another_reason_in_between_makes_hanging_up_a_first_time_again() -> None:
    attempts = Attempts(Version.V5)
    attempts.pause_after_s(HungUp(), connected_s=0)
    attempts.pause_after_s(REFUSED, connected_s=0)
    attempts.pause_after_s(HungUp(), connected_s=0)

    assert attempts.version is Version.V5


def test_what_has_once_worked_is_used_again() -> None:
    attempts = Attempts(Version.V5)
    attempts.pause_after_s(ProtocolRefused(), connected_s=0)

    pauses(attempts, 3)

    assert attempts.version is Version.V3_1_1
