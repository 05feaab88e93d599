"""A chaos run is judged by this: what it would find, were it there."""

from __future__ import annotations

import pytest
from deliveries import Allowed, Delivered, Listening, Run, judge
from witness import Sent, Talk

ALLOWED = Allowed(window=5, slack_s=0.5)


def a_run(results: int, *, killed: bool = False, name: str = "a") -> Run:
    """Ten pictures a second, from 0 s on, and the end right after the last."""
    return Run(name, [n / 10 for n in range(results + 2)], (results + 2) / 10, killed)


def sent(*numbers: int, at_s: float = 0.0, connection: int = 0) -> list[Sent]:
    """Acknowledged at once; one a millisecond."""
    times = [at_s + n / 1000 for n in range(len(numbers))]
    return [Sent("a", n, s, connection, s) for n, s in zip(numbers, times, strict=True)]


def judged(run: Run, came: list[Sent], *heard: Listening) -> Delivered:
    talks = [Talk(0, accepted_s=0.0), Talk(1, accepted_s=100.0)]
    return judge([run], came, talks, heard, ALLOWED)


def heard(*numbers: int) -> Listening:
    return Listening(-1.0, 1000.0, [("a", n) for n in numbers])


def test_all_that_came_in_order_and_was_handed_on_is_well() -> None:
    told = judged(a_run(50), sent(*range(50)), heard(*range(50)))
    assert told.broken == []
    assert (told.made, told.arrived, told.unheard, told.sent_again) == (52, 50, 0, 0)


def test_a_result_that_never_came_is_found_after_a_peaceful_end() -> None:
    told = judged(a_run(50), sent(*range(49)), heard(*range(49)))
    assert told.broken == ["run a: result 49 was lost, of 0.3 s before the daemon's own end"]


def test_a_hole_is_found_and_so_is_a_run_of_which_nothing_came() -> None:
    assert "result 7 was lost" in judged(a_run(50), sent(*range(7), *range(8, 50))).broken[0]
    assert len(judged(a_run(3), []).broken) == 3


def test_a_kill_may_take_the_last_second_and_no_more() -> None:
    lost_ten = judged(a_run(50, killed=True), sent(*range(40)))
    assert (lost_ten.lost_at_kills, lost_ten.oldest_lost_s) == (10, pytest.approx(1.2))
    assert not [told for told in lost_ten.broken if "lost" in told]
    lost_twenty = judged(a_run(50, killed=True), sent(*range(30)))
    assert "run a: result 30 was lost, of 2.2 s before the KILL" in lost_twenty.broken


def test_a_result_without_an_acknowledgement_has_not_come() -> None:
    came = sent(*range(50))
    came[7].acknowledged_s = None
    assert "result 7 was lost" in judged(a_run(50), came).broken[0]


def test_newer_results_may_go_first_when_the_rows_took_five_seconds() -> None:
    late = [*sent(0, 1, 2), *sent(20, 3, 21, 4, at_s=106.0, connection=1)]
    rest = sent(*range(5, 20), *range(22, 50), at_s=107.0, connection=1)
    told = judged(a_run(50), late + rest, heard(*range(50)))
    assert told.broken == []
    assert told.overtaken == 17


def test_newer_results_that_go_first_too_soon_are_found() -> None:
    came = [*sent(0, 1, 2), *sent(20, *range(3, 20), *range(21, 50), at_s=101.0, connection=1)]
    assert judged(a_run(50), came).broken[0] == "run a: 20 went first 1.0 s after connecting"


def test_spooled_results_out_of_their_own_order_are_found() -> None:
    came = sent(0, 1, 20, 4, 3, 2, *range(5, 20), *range(21, 50), at_s=106.0, connection=1)
    assert "run a: 3 came after a later one, itself late" in judged(a_run(50), came).broken


def test_repetitions_without_a_reason_are_found() -> None:
    came = [*sent(*range(50)), *sent(*range(11), at_s=101.0, connection=1)]
    told = judged(a_run(50), came, heard(*range(50)))
    assert (told.sent_again, told.duplicates, told.most_sent_again) == (11, 11, 10)
    assert told.broken == ["11 sendings were repeated, where 10 had a reason"]


def test_what_a_living_broker_did_not_hand_on_is_found() -> None:
    told = judged(a_run(50), sent(*range(50)), heard(*range(49)))
    assert told.broken == ["run a: 49 was acknowledged and not handed on"]
    died = Listening(-1.0, 1.0, [("a", n) for n in range(49)])
    assert judged(a_run(50), sent(*range(50)), died).unheard == 1
    assert judged(a_run(50), sent(*range(50)), died).broken == []
