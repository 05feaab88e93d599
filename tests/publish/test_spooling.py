"""The publisher with a spool, against real brokers that go away, stall and come back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from spools import (
    BOOT,
    EARLIER,
    PATIENCE_S,
    came,
    in_child,
    numbers_in,
    put,
    said,
    sequences,
    settings,
    wait_until_spooled,
)

from edged.publish import Context

Make = Callable[..., Any]


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
    assert sequences(tmp_path) == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_came_while_the_broker_was_away_is_spooled_and_then_delivered_in_order(
    qos: int, mosquitto: Make, publisher: Make, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port, qos=qos, spool=settings(tmp_path))
    put(sender, a_result, range(300))
    metrics = wait_until_spooled(sender, 300)
    assert (metrics.on_disk, metrics.trouble, metrics.dropped) == (True, None, 0)
    assert metrics.bytes > 0

    broker.start()
    put(sender, a_result, range(300, 320))

    assert sender.wait_delivered(PATIENCE_S)
    assert came(broker, 320) == list(range(320))
    received = [line for line in broker.log if "Received PUBLISH" in line and "/result'" in line]
    assert all(f" q{qos}, " in line for line in received)
    assert sender.close(timeout_s=5) == 0
    assert sequences(tmp_path) == []


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
    assert came(broker, 200) == list(range(200))
    assert broker.topics().count("edged/pi/status") == 1  # on the same connection
    assert sender.close(timeout_s=5) == 0
    assert sequences(tmp_path) == []


def test_a_broker_killed_in_the_middle_of_the_backlog_gets_the_rest_afterwards(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port, spool=settings(tmp_path))
    put(sender, a_result, range(600))
    wait_until_spooled(sender, 600)

    broker.start()
    broker.wait_for_topics(lambda topics: len(numbers_in(topics)) > 100)
    broker.kill()
    first = numbers_in(broker.topics())
    told.wait_for("the connection broke")
    broker.start()
    assert sender.wait_delivered(PATIENCE_S)

    again = came(broker, 600 - len(first))
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
    assert sequences(tmp_path) == list(range(500))

    after = publisher(broker.port, spool=settings(tmp_path))
    put(after, a_result, range(500, 510))
    wait_until_spooled(after, 510)
    broker.start()

    assert after.wait_delivered(PATIENCE_S)
    assert came(broker, 510) == list(range(510))
    assert after.metrics().depth == 0


def test_live_results_wait_for_a_long_backlog_for_a_while_and_then_go_beside_it(
    mosquitto: Make, publisher: Make, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port, capacity=5000, spool=settings(tmp_path, 64 * 2**20))
    put(sender, a_result, range(2000))
    wait_until_spooled(sender, 2000)

    broker.start()
    live = 2000
    while 1999 not in numbers_in(broker.topics()):
        put(sender, a_result, range(live, live + 1))
        live += 1
        sender.wait_delivered(timeout_s=0.05)
    assert sender.wait_delivered(PATIENCE_S)

    order = came(broker, live)
    assert [number for number in order if number < 2000] == list(range(2000))
    assert sorted(order) == list(range(live))
    beside = order[: order.index(1999)]
    assert next(place for place, number in enumerate(beside) if number >= 2000) > 50
    assert sum(number >= 2000 for number in beside) > 5


def test_what_a_killed_process_had_spooled_is_delivered_by_the_next(
    mosquitto: Make, publisher: Make, a_result: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    broker.kill()
    code = """
    from edged.clock import SystemClock
    from edged.publish import Context
    from edged.publish.settings import MqttSettings
    from edged.records.models import ModelRef
    from edged.records.results import Latency

    def a_result(number, pipeline):
        return Result(
            pipeline, number, time.monotonic_ns(), ModelRef("m", "e4b118e5e453"),
            Latency(0, 0, 0, 0, 0), "classification", (),
        )

    context = Context("edged", "pi", "earlier", 1, SystemClock(), "0")
    mqtt = MqttSettings("127.0.0.1", int(sys.argv[2]), "edged-pi")
    sender = Publisher(mqtt, context, spool=settings(Path(sys.argv[1])))
    sender.start()
    put(sender, a_result, range(50))
    wait_until_spooled(sender, 50)
    print("spooled", flush=True)
    number = 50
    while True:
        put(sender, a_result, range(number, number + 1))
        number += 1
        sender.wait_delivered(timeout_s=0.01)
    """
    with in_child(code, tmp_path, broker.port) as child:
        assert said(child) == "spooled"
        child.kill()

    sender = publisher(broker.port, spool=settings(tmp_path))
    broker.start()
    broker.wait_for_topics(lambda topics: len(numbers_in(topics)) >= 50)
    assert sender.wait_delivered(PATIENCE_S)

    order = came(broker, 50)
    assert order == list(range(len(order)))


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
