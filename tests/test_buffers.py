from __future__ import annotations

import threading

from edged.buffers import FramePool
from edged.handoff import LatestSlot
from edged.records.arrays import UInt8Array


def test_a_buffer_is_contiguous_bytes_of_the_shape() -> None:
    buffer = FramePool((4, 5, 3)).acquire()

    assert buffer.shape == (4, 5, 3)
    assert buffer.dtype == "uint8"
    assert buffer.flags.c_contiguous


def test_a_held_buffer_is_not_given_out_again() -> None:
    pool = FramePool((2, 2, 3))
    held = [pool.acquire() for _ in range(4)]

    assert len({id(buffer) for buffer in held}) == 4
    assert len(pool) == 4


def test_a_buffer_that_was_let_go_of_is_given_out_again() -> None:
    pool = FramePool((2, 2, 3))
    first = pool.acquire()
    address = id(first)
    del first

    assert id(pool.acquire()) == address
    assert len(pool) == 1


def test_a_view_keeps_its_buffer_busy() -> None:
    pool = FramePool((4, 4, 3))
    view = pool.acquire()[1:3].reshape(-1)[::7][:2]
    view[:] = 7

    pool.acquire()[:] = 0

    assert view.tolist() == [7, 7]
    assert len(pool) == 2


def test_three_buffers_serve_a_slot_and_a_slower_taker() -> None:
    pool = FramePool((2, 2, 3))
    slot: LatestSlot[UInt8Array] = LatestSlot()

    for number in range(50):
        slot.put(pool.acquire())
        if number % 3 == 0:
            taken = slot.take()
            assert taken is not None

    assert len(pool) == 3


def test_a_buffer_let_go_of_in_another_thread_is_free() -> None:
    pool = FramePool((2, 2, 3))
    slot: LatestSlot[UInt8Array] = LatestSlot()
    taker = threading.Thread(target=slot.take)
    taker.start()
    slot.put(pool.acquire())
    taker.join(5)

    pool.acquire()

    assert len(pool) == 1
