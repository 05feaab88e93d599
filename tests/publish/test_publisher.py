"""The publisher against real brokers on real sockets."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec import structs
from patience import PATIENCE_S

from edged.handoff import Closed
from edged.publish import Context
from edged.publish.publisher import Publisher
from edged.publish.settings import MqttSettings
from edged.publish.wire.kinds import schema
from edged.records.health import Health, HealthState, Metrics, SpoolMetrics
from edged.records.info import Info, PipelineInfo
from edged.records.models import ModelRef, ModelReport, ModelSpec
from edged.records.results import Detection

Make = Callable[..., Any]
RESULTS = "edged/pi/front/result"
STATUS = "edged/pi/status"
SPEC = ModelSpec("coco-ssd", "e4b118e5e453" + "0" * 52, 4_183_920, "detection", ("cat",))
RUNNING = Health("front", HealthState.RUNNING, None, 0)
REPORT = ModelReport("front", SPEC, None)
INFO = Info(
    "ai-edge-litert",
    "2.3.0",
    "pi",
    "Debian",
    (
        PipelineInfo(
            "front", "picamera2", "detection", ModelRef("coco-ssd", "e4b118e5e453"), ("cat",)
        ),
    ),
)
METRICS = Metrics(1.0, {}, SpoolMetrics(0, 0), 48.5, None, 90_000_000)


def sequences(messages: list[Any]) -> list[int]:
    return [json.loads(each.payload)["sequence"] for each in messages if each.topic == RESULTS]


def test_everything_is_published_on_its_topic_as_the_design_says(
    mosquitto: Make, subscriber: Make, publisher: Make, a_result: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    sender = publisher(broker.port)

    for record in (INFO, REPORT, RUNNING, METRICS, a_result(0)):
        sender.publish(record)
    assert sender.wait_delivered(PATIENCE_S)
    assert sender.connected
    assert sender.close(timeout_s=5) == 0

    messages = heard.wait_for(lambda all_: len(all_) >= 7)
    came = {(each.topic, each.retain, each.qos) for each in messages}
    assert came == {
        (STATUS, True, 1),
        ("edged/pi/info", True, 1),
        ("edged/pi/front/model", True, 1),
        ("edged/pi/front/health", True, 1),
        ("edged/pi/metrics", False, 1),
        (RESULTS, False, 1),
    }
    assert [each.payload for each in heard.on(STATUS)] == [b"online", b"offline"]
    for each in messages:
        if each.topic != STATUS:
            kind = each.topic.rsplit("/", 1)[-1]
            Draft202012Validator(schema(kind)).validate(json.loads(each.payload))
    assert any("(p5, c1, k30)" in line for line in broker.log)


def test_the_will_is_offline_retained_at_qos_1(mosquitto: Make, publisher: Make, told: Any) -> None:
    broker = mosquitto()
    publisher(broker.port)
    told.wait_for("Connected")

    broker.wait_for_log("Will message specified")
    broker.wait_for_log(f"\t{STATUS}")
    [will] = [line for line in broker.log if "Will message specified" in line]
    assert "(7 bytes) (r1, q1)" in will


def test_at_qos_0_results_count_as_delivered_when_they_are_written(
    mosquitto: Make, subscriber: Make, publisher: Make, a_result: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, RESULTS)
    sender = publisher(broker.port, qos=0)

    for number in range(200):
        sender.publish(a_result(number))

    assert sender.wait_delivered(PATIENCE_S)
    messages = heard.wait_for(lambda all_: len(all_) == 200)
    assert sequences(messages) == list(range(200))
    assert {each.qos for each in messages} == {0}


def test_without_a_broker_it_waits_and_connects_when_one_appears(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port)
    for number in range(30):
        sender.publish(a_result(number, pipeline=f"p{number}"))
    told.wait_for("refused")
    assert not sender.connected
    assert sender.metrics() == SpoolMetrics(depth=30, dropped=0, in_memory=30)
    assert not sender.wait_delivered(timeout_s=0)

    broker.start()

    assert sender.wait_delivered(PATIENCE_S)
    broker.wait_for_topics(lambda topics: len(topics) >= 31)
    assert broker.topics() == [STATUS] + [f"edged/pi/p{number}/result" for number in range(30)]
    assert len([line for line in told.lines if "refused" in line]) == 1


def test_after_a_broker_was_killed_everything_it_had_not_acknowledged_comes_in_order(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    sender = publisher(broker.port)
    for record in (INFO, REPORT, RUNNING, METRICS):
        sender.publish(record)
    assert sender.wait_delivered(PATIENCE_S)

    broker.freeze()
    for number in range(120):
        sender.publish(a_result(number, pipeline=f"p{number}"))
    sender.publish(Health("front", HealthState.SOURCE_LOST, "unplugged", 0))
    broker.kill()
    told.wait_for("the connection broke")
    assert sender.metrics() == SpoolMetrics(depth=120, dropped=0, in_memory=120)
    broker.start()

    assert sender.wait_delivered(PATIENCE_S)
    topics = broker.topics()
    assert topics[0] == STATUS
    assert set(topics[1:4]) == {
        f"edged/pi/{end}" for end in ("info", "front/model", "front/health")
    }
    assert topics[4:] == [f"edged/pi/p{number}/result" for number in range(120)]
    assert sender.metrics() == SpoolMetrics(depth=0, dropped=0)


def test_after_a_restart_the_broker_holds_the_newest_state(
    mosquitto: Make, subscriber: Make, publisher: Make, told: Any
) -> None:
    broker = mosquitto()
    sender = publisher(broker.port)
    for record in (INFO, REPORT, RUNNING):
        sender.publish(record)
    assert sender.wait_delivered(PATIENCE_S)

    broker.kill()
    told.wait_for("the connection broke")
    for state in (HealthState.SOURCE_LOST, HealthState.DEGRADED):
        sender.publish(Health("front", state, "unplugged", 0))
    broker.start()
    assert sender.wait_delivered(PATIENCE_S)

    messages = subscriber(broker.port).wait_for(lambda all_: len(all_) == 4)
    held = {each.topic: each.payload for each in messages}
    assert held[STATUS] == b"online"
    assert json.loads(held["edged/pi/front/health"])["state"] == "degraded"
    assert {"edged/pi/info", "edged/pi/front/model"} < held.keys()
    assert broker.topics().count("edged/pi/front/health") == 1


def test_a_process_that_is_killed_is_offline_by_its_will(mosquitto: Make, subscriber: Make) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, STATUS)
    script = f"""
from edged.clock import SystemClock
from edged.publish import Context
from edged.publish.settings import MqttSettings
from edged.publish.publisher import Publisher
settings = MqttSettings("127.0.0.1", {broker.port}, "edged-pi")
Publisher(settings, Context("edged", "pi", "run", 1, SystemClock(), "0")).start()
input()
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin:
        heard.wait_for(lambda all_: [each.payload for each in all_] == [b"online"])
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)

    heard.wait_for(lambda all_: [each.payload for each in all_] == [b"online", b"offline"])


def test_a_broker_that_stops_answering_is_left_and_what_it_did_not_acknowledge_kept(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    sender = publisher(broker.port, keepalive_s=1)
    told.wait_for("Connected")
    broker.freeze()
    sender.publish(a_result(0))

    told.wait_for("stopped answering")
    assert sender.metrics() == SpoolMetrics(depth=1, dropped=0, in_memory=1)
    broker.thaw()

    assert sender.wait_delivered(PATIENCE_S)


def test_a_broker_that_acknowledges_nothing_is_sent_no_more_than_it_asked_for(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto("allow_anonymous true", "max_inflight_messages 10")
    sender = publisher(broker.port, capacity=100)
    told.wait_for("Connected")
    assert sender.wait_delivered(PATIENCE_S)

    broker.freeze()
    for number in range(1000):
        sender.publish(a_result(number))

    assert not sender.wait_delivered(timeout_s=0.3)
    metrics = sender.metrics()
    assert metrics.dropped + metrics.depth == 1000
    assert 100 <= metrics.depth <= 110
    broker.thaw()
    assert sender.wait_delivered(PATIENCE_S)
    assert broker.topics().count(STATUS) == 1  # it had no reason to end the connection


def test_close_without_a_broker_takes_no_time_and_tells_what_is_left(
    mosquitto: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    broker.kill()
    sender = publisher(broker.port)
    sender.publish(a_result(0))
    told.wait_for("refused")

    began = time.monotonic()
    assert sender.close(timeout_s=10) == 1
    assert sender.close(timeout_s=10) == 1

    assert time.monotonic() - began < 5
    told.wait_for("1 results were not delivered")


def test_close_keeps_to_its_time_when_the_broker_is_frozen(
    mosquitto: Make, subscriber: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, STATUS)
    sender = publisher(broker.port)
    told.wait_for("Connected")
    heard.wait_for(lambda all_: len(all_) == 1)
    broker.freeze()
    for number in range(200):
        sender.publish(a_result(number))

    began = time.monotonic()
    left = sender.close(timeout_s=0.5)

    assert left == 200
    assert time.monotonic() - began < 3
    broker.thaw()
    heard.wait_for(lambda all_: all_[-1].payload == b"offline")


def test_what_was_handed_over_just_before_close_is_delivered(
    mosquitto: Make, subscriber: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    sender = publisher(broker.port)
    told.wait_for("Connected")

    for number in range(300):
        sender.publish(a_result(number))
    sender.publish(Health("front", HealthState.STOPPED, None, 0))
    assert sender.close(timeout_s=10) == 0

    messages = heard.wait_for(lambda all_: all_[-1].payload == b"offline")
    assert sequences(messages) == list(range(300))
    assert not sender.connected
    broker.wait_for_log("Received DISCONNECT from edged-pi")
    with pytest.raises(Closed):
        sender.publish(a_result(300))
    with pytest.raises(Closed):
        sender.publish(RUNNING)


def test_close_before_start_and_twice_does_no_harm(context: Context) -> None:
    sender = Publisher(MqttSettings("127.0.0.1", 1, "edged-pi"), context)
    assert sender.close(timeout_s=1) == 0
    assert sender.close(timeout_s=1) == 0


def test_what_must_not_leave_is_told_once_and_counted_and_the_rest_goes_on(
    mosquitto: Make, subscriber: Make, publisher: Make, told: Any, a_result: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port, RESULTS)
    sender = publisher(broker.port)
    good = a_result(3)
    nan = structs.replace(good, findings=(Detection("cat", math.nan, (0, 0, 1, 1)),))
    huge = structs.replace(good, findings=good.findings * 500)

    for record in (a_result(0), nan, huge, huge, good):
        sender.publish(record)

    assert sender.wait_delivered(PATIENCE_S)
    assert sequences(heard.wait_for(lambda all_: len(all_) == 2)) == [0, 3]
    assert sender.metrics() == SpoolMetrics(depth=0, dropped=0, refused=3)
    assert len([line for line in told.lines if "was not sent" in line]) == 1
