"""The publisher when its spool cannot be used: it says so once, goes on in memory, and recovers."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spools import (
    PATIENCE_S,
    came,
    in_child,
    mounted,
    numbers_in,
    put,
    row,
    said,
    sequences,
    settings,
    wait_for_metrics,
    wait_until_spooled,
)

from edged.publish import Context
from edged.publish.spool import Spool

Make = Callable[..., Any]


def absent(mosquitto: Make) -> Any:
    """A broker that is not there yet."""
    broker = mosquitto()
    broker.kill()
    return broker


def lines(told: Any, text: str) -> int:
    return sum(text in line for line in told.lines)


def test_on_a_full_disk_it_goes_on_in_memory_and_spools_again_when_there_is_room(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    with mounted(tmp_path / "disk", "2m") as disk:
        sender = publisher(broker.port, spool=settings(disk.path))
        put(sender, a_result, range(10))
        wait_until_spooled(sender, 10)
        disk.fill()
        put(sender, a_result, range(10, 210))

        told.wait_for("cannot be used: the disk is full")
        metrics = sender.metrics()
        assert (metrics.on_disk, metrics.trouble) == (False, "the disk is full")
        put(sender, a_result, range(210, 220))
        disk.free()
        told.wait_for("can be used again")
        wait_until_spooled(sender, 220)

        assert sender.metrics().on_disk
        assert sender.metrics().trouble is None
        broker.start()
        assert sender.wait_delivered(PATIENCE_S)
        assert sender.close(timeout_s=5) == 0
    assert came(broker, 220) == list(range(220))
    assert lines(told, "cannot be used") == 1


def test_a_broker_that_comes_back_while_the_disk_is_full_gets_everything_in_order(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    with mounted(tmp_path / "disk", "2m") as disk:
        sender = publisher(broker.port, spool=settings(disk.path))
        put(sender, a_result, range(100))
        wait_until_spooled(sender, 100)
        disk.fill()
        put(sender, a_result, range(100, 300))
        told.wait_for("the disk is full")

        broker.start()

        assert sender.wait_delivered(PATIENCE_S)
        assert came(broker, 300) == list(range(300))
        disk.free()
        assert sender.close(timeout_s=5) == 0
        assert sequences(disk.path) == []


def test_in_memory_the_oldest_results_are_dropped_counted_and_told_once(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    (tmp_path / "state").write_text("a file where a directory should be")
    sender = publisher(broker.port, capacity=10, spool=settings(tmp_path / "state"))
    told.wait_for("cannot be used")

    put(sender, a_result, range(50))

    metrics = sender.metrics()
    assert (metrics.depth, metrics.in_memory, metrics.dropped) == (10, 10, 40)
    assert lines(told, "the oldest make room") == 1
    broker.start()
    assert sender.wait_delivered(PATIENCE_S)
    assert came(broker, 10) == list(range(40, 50))


def test_with_a_read_only_state_directory_it_runs_without_and_begins_when_it_can_be_written(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    with mounted(tmp_path / "disk", "2m") as disk:
        disk.make_read_only()
        sender = publisher(broker.port, spool=settings(disk.path))
        told.wait_for("read-only")
        put(sender, a_result, range(10))
        assert sender.wait_delivered(PATIENCE_S)
        assert not sender.metrics().on_disk
        broker.kill()
        put(sender, a_result, range(10, 20))

        disk.make_writable()

        told.wait_for("can be used again")
        wait_until_spooled(sender, 10)
        assert lines(told, "cannot be used") == 1
        assert sender.close(timeout_s=5) == 0
        assert sequences(disk.path) == list(range(10, 20))


def test_a_spool_that_another_edged_has_is_told_and_taken_over_when_that_ends(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    code = "spool = opened(sys.argv[1]); print('open', flush=True); input()"
    with in_child(code, tmp_path) as other:
        assert said(other) == "open"
        sender = publisher(broker.port, spool=settings(tmp_path))
        put(sender, a_result, range(5))
        told.wait_for("another process has it open")
        assert sender.metrics().in_memory == 5
        other.kill()

    told.wait_for("can be used again")
    wait_until_spooled(sender, 5)


def test_a_damaged_file_is_moved_aside_and_what_comes_is_spooled_in_a_new_one(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    (tmp_path / "spool.db").write_bytes(b"damaged " * 1000)

    sender = publisher(broker.port, spool=settings(tmp_path))
    put(sender, a_result, range(5))

    told.wait_for("was moved to spool.db.corrupt")
    assert wait_until_spooled(sender, 5).trouble is None
    assert (tmp_path / "spool.db.corrupt").read_bytes() == b"damaged " * 1000
    assert sender.close(timeout_s=5) == 0
    assert sequences(tmp_path) == list(range(5))


def test_damage_found_while_running_costs_what_was_in_the_file_and_is_counted(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    sender = publisher(broker.port, capacity=9000, spool=settings(tmp_path, 64 * 2**20))
    put(sender, a_result, range(6000))
    wait_until_spooled(sender, 6000)
    with (tmp_path / "spool.db").open("r+b") as file:
        file.seek(2 * 4096)
        file.write(random.Random(1).randbytes(400 * 4096))

    broker.start()
    told.wait_for("was moved to spool.db.corrupt")
    put(sender, a_result, range(6000, 6010))
    assert sender.wait_delivered(PATIENCE_S)

    metrics = sender.metrics()
    order = came(broker, 6010 - metrics.dropped)
    assert metrics.dropped > 0
    assert order[-10:] == list(range(6000, 6010))
    assert len(set(order)) == 6010 - metrics.dropped
    assert metrics.on_disk


def test_a_spool_that_is_full_drops_the_oldest_results_counts_them_and_tells_once(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    limits = settings(tmp_path, max_bytes=2**20)
    spool = Spool(limits)
    spool.open()
    while not spool.commit([row(0, size=400)] * 50, frozenset(), None, 0).for_bytes:
        pass
    rows = spool.rows
    spool.close()

    sender = publisher(broker.port, spool=limits)
    put(sender, a_result, range(100))
    metrics = wait_for_metrics(sender, lambda spool: spool.depth > 0 and spool.in_memory == 0)

    assert metrics.bytes <= 2**20
    assert metrics.dropped > 0
    assert metrics.depth == rows + 100 - metrics.dropped
    told.wait_for("spool.max_bytes")
    assert lines(told, "spool.max_bytes") == 1


def test_results_that_have_become_too_old_are_dropped_and_counted(
    context: Context, mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    before = publisher(broker.port, spool=settings(tmp_path, max_age_s=60))
    put(before, a_result, range(5))
    assert before.close(timeout_s=5) == 0
    clock: Any = context.clock

    clock.now_ns = 61 * 10**9
    sender = publisher(broker.port, spool=settings(tmp_path, max_age_s=60))

    wait_for_metrics(sender, lambda spool: spool.dropped == 5)
    assert sender.metrics().depth == 0
    told.wait_for("spool.max_age_s")


def test_what_somebody_has_written_into_the_file_does_not_leave_the_device(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = absent(mosquitto)
    with in_child("write(opened(sys.argv[1]), row(0)); print('ok')", tmp_path) as other:
        assert said(other) == "ok"
        other.wait(PATIENCE_S)
    sender = publisher(broker.port, spool=settings(tmp_path))

    broker.start()

    wait_for_metrics(sender, lambda spool: spool.refused == 1)
    told.wait_for("A result in the spool was not sent")
    assert numbers_in(broker.topics()) == []
    assert sender.close(timeout_s=5) == 0
    assert sequences(tmp_path) == []
