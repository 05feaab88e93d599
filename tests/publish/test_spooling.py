"""The publisher with a spool, against real brokers that go away, stall and come back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from spools import BOOT, EARLIER, settings

from edged.publish import Context
from edged.publish.publisher import Publisher
from edged.publish.spool import Spool

Make = Callable[..., Any]
PATIENCE_S = 30.0
RESULTS = "edged/pi/front/result"


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """For states that nobody announces."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def wait_until_spooled(sender: Publisher, count: int) -> None:
    """Until so many results are on the disk and nowhere else."""
    wait_until(
        lambda: sender._outbox.in_memory() == 0 and sender.metrics().depth == count,
        f"{count} results were not spooled: {sender.metrics()}",
    )


def rows_in(directory: Path) -> list[int]:
    """The sequences in a spool that nobody has open."""
    spool = Spool(settings(directory))
    spool.open()
    found = [json.loads(stored.payload)["sequence"] for _, stored in spool.read(0, 100_000)]
    spool.close()
    return found


def test_with_a_broker_that_acknowledges_nothing_is_written(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    sender = publisher(broker.port, spool=settings(tmp_path))
    told.wait_for("Connected")

    for number in range(300):
        sender.publish(a_result(number))
    assert sender.wait_delivered(PATIENCE_S)

    assert sender.close(timeout_s=5) == 0
    assert rows_in(tmp_path) == []


def put(sender: Publisher, a_result: Make, numbers: range) -> None:
    """Results that a broker's log can tell apart: each of a pipeline of its own."""
    for number in numbers:
        sender.publish(a_result(number, pipeline=f"p{number}"))


def came(broker: Any) -> list[int]:
    """Which of these the broker has received since its start, in order."""
    return [int(topic.split("/")[2][1:]) for topic in broker.topics() if topic.endswith("/result")]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_came_while_the_broker_was_away_is_spooled_and_then_delivered_in_order(
    qos: int, mosquitto: Make, subscriber: Make, publisher: Make, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port, qos=qos, spool=settings(tmp_path))
    put(sender, a_result, range(300))
    wait_until_spooled(sender, 300)
    metrics = sender.metrics()
    assert (metrics.on_disk, metrics.trouble, metrics.dropped) == (True, None, 0)
    assert metrics.bytes > 0

    broker.start()
    heard = subscriber(broker.port)
    put(sender, a_result, range(300, 320))

    assert sender.wait_delivered(PATIENCE_S)
    heard.wait_for(lambda all_: any(each.topic == "edged/pi/p319/result" for each in all_))
    wait_until(lambda: len(came(broker)) == 320, "the broker did not get them all")
    assert came(broker) == list(range(320))
    assert {each.qos for each in heard.messages if each.topic.endswith("/result")} == {qos}
    assert sender.close(timeout_s=5) == 0
    assert rows_in(tmp_path) == []


def test_what_a_stalled_broker_does_not_acknowledge_is_spooled_and_delivered_when_it_goes_on(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    sender = publisher(broker.port, spool=settings(tmp_path))
    told.wait_for("Connected")
    broker.freeze()
    put(sender, a_result, range(200))
    wait_until_spooled(sender, 200)

    broker.thaw()

    assert sender.wait_delivered(PATIENCE_S)
    assert came(broker) == list(range(200))
    assert broker.topics().count("edged/pi/status") == 1  # on the same connection
    assert sender.close(timeout_s=5) == 0
    assert rows_in(tmp_path) == []


def test_a_broker_killed_in_the_middle_of_the_backlog_gets_the_rest_afterwards(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port, spool=settings(tmp_path))
    put(sender, a_result, range(600))
    wait_until_spooled(sender, 600)

    broker.start()
    wait_until(lambda: len(came(broker)) > 100, "nothing came")
    broker.kill()
    first = came(broker)
    told.wait_for("the connection broke")
    broker.start()
    assert sender.wait_delivered(PATIENCE_S)

    again = came(broker)
    assert first == list(range(len(first)))
    assert again == list(range(again[0], 600))
    assert len(first) - 300 < again[0] <= len(first)  # few come twice: those of the last second


def test_results_are_kept_over_the_end_of_the_daemon_and_delivered_by_the_next(
    mosquitto: Make, publisher: Make, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    before = publisher(broker.port, spool=settings(tmp_path))
    put(before, a_result, range(500))
    assert before.close(timeout_s=5) == 0
    assert rows_in(tmp_path) == list(range(500))

    after = publisher(broker.port, spool=settings(tmp_path))
    put(after, a_result, range(500, 510))
    wait_until_spooled(after, 510)
    broker.start()

    assert after.wait_delivered(PATIENCE_S)
    assert came(broker) == list(range(510))
    assert after.metrics().depth == 0


def test_results_go_before_the_live_ones_for_a_while_and_then_beside_them(
    mosquitto: Make, publisher: Make, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port, capacity=5000, spool=settings(tmp_path))
    put(sender, a_result, range(3000))
    wait_until_spooled(sender, 3000)

    broker.start()
    live = 3000
    while len(came(broker)) < 2000:
        put(sender, a_result, range(live, live + 1))
        live += 1
        time.sleep(0.02)
    assert sender.wait_delivered(PATIENCE_S)

    order = came(broker)
    assert sorted(order) == list(range(live))
    assert [number for number in order if number < 3000] == list(range(3000))
    overtaking = order[: order.index(2999)]
    first_new = next(place for place, number in enumerate(overtaking) if number >= 3000)
    assert 300 < first_new < 2000
    assert sum(number >= 3000 for number in overtaking) > 20


def test_a_result_of_before_the_clock_was_set_is_put_right_when_it_is_sent(
    context: Context,
    mosquitto: Make,
    subscriber: Make,
    publisher: Make,
    a_result: Make,
    tmp_path: Path,
) -> None:
    broker = mosquitto()
    broker.kill()
    clock: Any = context.clock
    right = clock.zero
    clock.zero, clock.is_synced = right - timedelta(days=300), False
    for boot in (EARLIER, BOOT):
        sender = publisher(broker.port, spool=settings(tmp_path, boot=boot))
        sender.publish(a_result(0, pipeline="earlier" if boot is EARLIER else "this"))
        if boot is EARLIER:
            assert sender.close(timeout_s=5) == 0
    wait_until_spooled(sender, 2)

    clock.zero, clock.is_synced = right, True
    broker.start()
    heard = subscriber(broker.port, "edged/pi/+/result")
    assert sender.wait_delivered(PATIENCE_S)

    messages = heard.wait_for(lambda all_: len(all_) == 2)
    results = {json.loads(each.payload)["pipeline"]: json.loads(each.payload) for each in messages}
    assert results["this"]["captured_at"] == "2026-11-22T06:24:00.123Z"
    assert results["this"]["clock_synced"] is True
    assert results["earlier"]["captured_at"] == "2026-01-26T06:24:00.123Z"
    assert results["earlier"]["clock_synced"] is False
