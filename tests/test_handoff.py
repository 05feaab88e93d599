"""What hand-offs between threads guarantee."""

from __future__ import annotations

import threading
import time

import pytest

from edged.handoff import BoundedQueue, Closed, LatestSlot

BOUND_S = 5.0


def in_thread(work: object) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def test_the_newest_item_replaces_the_waiting_one_and_is_counted() -> None:
    slot: LatestSlot[int] = LatestSlot()
    for number in range(3):
        slot.put(number)
    assert slot.take(0) == 2
    assert slot.dropped == 2


def test_a_slot_with_more_places_keeps_the_order_and_drops_the_oldest() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.hold(3)
    for number in range(5):
        slot.put(number)
    assert [slot.take(0) for _ in range(4)] == [2, 3, 4, None]
    assert slot.dropped == 2


def test_a_slot_that_is_given_fewer_places_drops_what_has_none() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.hold(3)
    for number in range(3):
        slot.put(number)
    slot.hold(1)
    slot.put(3)
    assert slot.take(0) == 3
    assert slot.dropped == 3


def test_a_slot_tells_since_when_an_item_waits_though_a_newer_one_replaced_it() -> None:
    slot: LatestSlot[int] = LatestSlot()
    before_ns = time.monotonic_ns()
    slot.put(1)
    after_ns = time.monotonic_ns()
    slot.put(2)
    assert before_ns <= slot.wait() <= after_ns
    assert slot.take(0) == 2
    slot.put(3)
    assert slot.wait() >= after_ns


def test_what_waits_for_an_item_gets_the_last_ones_before_the_end() -> None:
    slot: LatestSlot[int] = LatestSlot()
    waited: list[int] = []
    waiter = in_thread(lambda: waited.append(slot.wait()))
    slot.put(1)
    slot.close()
    waiter.join(BOUND_S)
    assert waited == [slot.wait()]
    assert slot.take(0) == 1
    with pytest.raises(Closed):
        slot.wait()


def test_an_empty_slot_gives_none_when_the_time_is_over() -> None:
    assert LatestSlot[int]().take(0) is None


def test_a_giver_that_waits_drops_nothing() -> None:
    slot: LatestSlot[int] = LatestSlot()

    def give() -> None:
        for number in range(100):
            slot.put_wait(number)
        slot.close()

    giver = in_thread(give)
    taken = [slot.take(BOUND_S) for _ in range(100)]
    giver.join(BOUND_S)
    assert taken == list(range(100))
    with pytest.raises(Closed):
        slot.take(BOUND_S)
    assert slot.dropped == 0


def test_a_giver_sleeps_on_after_a_grab_until_it_is_let_give() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    giver = in_thread(lambda: slot.put_wait(2))
    deadline_s = time.monotonic() + BOUND_S
    while not slot._emptied._waiters:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline_s
        time.sleep(0.001)
    assert slot.grab() == 1
    assert slot._emptied._waiters  # type: ignore[attr-defined]  # nobody has woken it
    assert slot.grab() is None
    slot.let_give()
    giver.join(BOUND_S)
    assert slot.grab() == 2
    slot.let_give()  # nobody waits


def test_a_closed_slot_gives_what_is_there_and_then_closed() -> None:
    slot: LatestSlot[int] = LatestSlot()
    slot.put(1)
    slot.close()
    assert slot.take() == 1
    with pytest.raises(Closed):
        slot.take()
    with pytest.raises(Closed):
        slot.put(2)


def test_closing_lets_waiting_givers_and_takers_go() -> None:
    full: LatestSlot[int] = LatestSlot()
    full.put(1)
    empty: LatestSlot[int] = LatestSlot()
    ended = []

    def wait_with(call: object) -> None:
        try:
            call()  # type: ignore[operator]
        except Closed:
            ended.append(True)

    threads = [
        in_thread(lambda: wait_with(lambda: full.put_wait(2))),
        in_thread(lambda: wait_with(empty.take)),
    ]
    full.close()
    empty.close()
    for thread in threads:
        thread.join(BOUND_S)
    assert ended == [True, True]


def test_a_full_queue_drops_its_oldest_item_and_counts_it() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    for number in range(5):
        queue.put(number)
    assert [queue.take(0), queue.take(0), queue.take(0)] == [3, 4, None]
    assert queue.dropped == 3


def test_a_closed_queue_gives_what_is_there_and_then_closed() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    queue.put(1)
    queue.close()
    assert queue.take() == 1
    with pytest.raises(Closed):
        queue.take()
    with pytest.raises(Closed):
        queue.put(1)
