from __future__ import annotations

from collections.abc import Callable

import pytest

from edged.handoff import Closed
from edged.publish import Stored
from edged.publish.outbox import Outbox
from edged.records.health import Health, HealthState, Metrics, SpoolMetrics
from edged.records.published import Record
from edged.records.results import Result

HEALTH = "edged/pi/front/health"
METRICS = Metrics(1.0, {}, SpoolMetrics(0, 0), None, None, 1)
RUNNING = Health("front", HealthState.RUNNING, None, 0)
LOST = Health("front", HealthState.SOURCE_LOST, "unplugged", 0)

Make = Callable[..., Result]


def taken(outbox: Outbox) -> list[Record | Stored]:
    """All that can be taken now."""
    return [parcel.content for parcel in iter(outbox.take, None)]


def filled(results: list[Result], capacity: int = 10) -> Outbox:
    outbox = Outbox(capacity)
    for result in results:
        outbox.put("edged/pi/front/result", result)
    return outbox


def test_results_leave_in_order_and_stay_until_they_are_acknowledged(a_result: Make) -> None:
    results = [a_result(number) for number in range(3)]
    outbox = filled(results)

    parcels = list(iter(outbox.take, None))

    assert [parcel.content for parcel in parcels] == results
    assert outbox.metrics() == SpoolMetrics(depth=3, dropped=0, in_memory=3)
    for parcel in parcels:
        assert not outbox.empty()
        assert outbox.settle(parcel.number, refused=False) is parcel
    assert outbox.empty()
    assert outbox.metrics() == SpoolMetrics(depth=0, dropped=0)


def test_when_full_the_oldest_results_are_dropped_and_counted(a_result: Make) -> None:
    results = [a_result(number) for number in range(5)]
    outbox = filled(results, capacity=2)

    assert outbox.metrics() == SpoolMetrics(depth=2, dropped=3, in_memory=2)
    assert taken(outbox) == results[3:]


def test_what_was_sent_and_not_acknowledged_comes_again_before_the_rest(a_result: Make) -> None:
    results = [a_result(number) for number in range(5)]
    outbox = filled(results)
    first, *_ = (outbox.take() for _ in range(3))
    assert first is not None
    outbox.settle(first.number, refused=False)

    outbox.rewind()
    again = [outbox.take(), outbox.take()]
    outbox.rewind()

    assert [parcel and parcel.content for parcel in again] == results[1:3]
    assert taken(outbox) == results[1:]


def test_a_late_acknowledgement_of_a_broken_connection_settles_nothing(a_result: Make) -> None:
    outbox = filled([a_result(0)])
    before = outbox.take()
    assert before is not None
    outbox.rewind()
    again = outbox.take()
    assert again is not None

    assert outbox.settle(before.number, refused=False) is None
    assert not outbox.empty()
    assert outbox.settle(again.number, refused=False) is again


def test_of_state_only_the_newest_waits_and_it_goes_before_results(a_result: Make) -> None:
    outbox = filled([a_result(0)])
    outbox.put(HEALTH, RUNNING)
    outbox.put(HEALTH, LOST)

    assert taken(outbox) == [LOST, a_result(0)]


def test_on_a_new_connection_retained_state_comes_again_and_metrics_do_not() -> None:
    outbox = Outbox(10)
    outbox.put(HEALTH, RUNNING)
    outbox.put("edged/pi/metrics", METRICS)
    for parcel in iter(outbox.take, None):
        outbox.settle(parcel.number, refused=False)

    outbox.rewind()

    assert taken(outbox) == [RUNNING]


def test_metrics_that_were_not_acknowledged_come_again() -> None:
    outbox = Outbox(10)
    outbox.put("edged/pi/metrics", METRICS)
    assert taken(outbox) == [METRICS]

    outbox.rewind()

    assert taken(outbox) == [METRICS]


def test_state_that_changed_while_the_older_was_on_its_way_is_not_overtaken_by_it() -> None:
    outbox = Outbox(10)
    outbox.put(HEALTH, RUNNING)
    assert taken(outbox) == [RUNNING]
    outbox.put(HEALTH, LOST)

    outbox.rewind()

    assert taken(outbox) == [LOST]


def test_what_was_refused_is_counted_as_such(a_result: Make) -> None:
    outbox = filled([a_result(0)])
    parcel = outbox.take()
    assert parcel is not None

    outbox.settle(parcel.number, refused=True)

    assert outbox.metrics() == SpoolMetrics(depth=0, dropped=0, refused=1)


def test_waiting_ends_when_the_results_so_far_are_settled_whatever_comes_later(
    a_result: Make,
) -> None:
    outbox = filled([a_result(0), a_result(1)], capacity=1)
    assert not outbox.wait_settled(timeout_s=0)
    parcel = outbox.take()
    assert parcel is not None
    assert not outbox.wait_settled(timeout_s=0)

    outbox.settle(parcel.number, refused=False)

    assert outbox.wait_settled(timeout_s=0)


def test_waiting_includes_state() -> None:
    outbox = Outbox(1)
    outbox.put(HEALTH, RUNNING)
    assert not outbox.wait_settled(timeout_s=0)
    parcel = outbox.take()
    assert parcel is not None
    assert not outbox.wait_settled(timeout_s=0)

    outbox.settle(parcel.number, refused=False)

    assert outbox.wait_settled(timeout_s=0)


def test_after_close_nothing_is_taken_in_and_the_rest_still_comes_out(a_result: Make) -> None:
    outbox = filled([a_result(0)])
    outbox.close()

    for record in (a_result(1), RUNNING):
        with pytest.raises(Closed):
            outbox.put(HEALTH, record)
    assert taken(outbox) == [a_result(0)]
