from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import structs
from msgspec.structs import replace

from edged.clock import SystemClock
from edged.errors import MessageRefused
from edged.publish import Context
from edged.publish.messages import OFFLINE, encode, status, topic_of
from edged.publish.wire.kinds import KINDS, schema
from edged.records.frames import Frame, PixelOrder
from edged.records.health import (
    Health,
    HealthState,
    Metrics,
    Percentiles,
    PipelineMetrics,
    SpoolMetrics,
    StageLatency,
)
from edged.records.info import AnomalyInfo, Info, PipelineInfo
from edged.records.models import Candidate, ModelRef, ModelReport, ModelSpec, Verdict
from edged.records.poses import KEYPOINTS, MOST_PEOPLE
from edged.records.published import Record
from edged.records.results import (
    Anomaly,
    ClassScore,
    CropOf,
    Detection,
    Keypoint,
    Latency,
    Person,
    Region,
    Result,
    Value,
)

SHA256 = "e4b118e5e453" + "0" * 52
STAGE = Percentiles(1.0, 2.0, 3.00049)
METRICS = Metrics(
    uptime_s=30.04,
    pipelines={
        "front": PipelineMetrics(
            450,
            440,
            440,
            0,
            10,
            0,
            0,
            14.999,
            14.667,
            StageLatency(STAGE, STAGE, STAGE, STAGE, STAGE),
        ),
        "back": PipelineMetrics(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, None),
    },
    spool=SpoolMetrics(3, 0),
    cpu_temperature_c=48.512,
    throttling=None,
    memory_bytes=90_000_000,
)


def info(*pipelines: PipelineInfo) -> Info:
    return Info("ai-edge-litert", "2.3.0", "garden-pi", "Debian GNU/Linux 12", pipelines)


def pipeline_info(*labels: str, name: str = "front") -> PipelineInfo:
    return PipelineInfo(
        name, "picamera2", "detection", ModelRef("coco-ssd", "e4b118e5e453"), labels, threshold=0.5
    )


VALIDATORS = {kind: Draft202012Validator(schema(kind)) for kind in KINDS}


def decoded(record: Record, context: Context) -> dict[str, Any]:
    """The message's payload, valid against the schema of its kind."""
    message = encode(record, context)
    payload: dict[str, Any] = json.loads(message.payload)
    VALIDATORS[message.topic.rsplit("/", 1)[-1]].validate(payload)  # type: ignore[index]
    return payload


def test_a_detection_result_is_the_one_of_the_design(context: Context) -> None:
    result = Result(
        pipeline="front",
        sequence=4711,
        captured_ns=123_456_789,
        model=ModelRef("coco-ssd", "e4b118e5e453"),
        latency_ms=Latency(0.3, 0.21, 12.90049, 0.06, 13.5),
        task="detection",
        findings=(Detection("cat", 0.730004, (0.07124, 0.131, 0.7181, 0.97699)),),
    )

    message = encode(result, context)

    assert (message.topic, message.qos, message.retain) == ("edged/pi/front/result", 1, False)
    assert message.payload == (
        b'{"schema":"edged.result/1","device":"pi","pipeline":"front",'
        b'"run":"c0ffee12","sequence":4711,'
        b'"captured_at":"2026-11-22T06:24:00.123Z","clock_synced":true,'
        b'"model":{"name":"coco-ssd","version":"e4b118e5e453"},'
        b'"latency_ms":{"wait":0.3,"preprocess":0.21,"inference":12.9,"decode":0.06,"total":13.5},'
        b'"task":"detection",'
        b'"detections":[{"label":"cat","score":0.73,"box":[0.0712,0.131,0.7181,0.977]}]}'
    )


def test_a_detection_with_a_track_tells_its_number(
    context: Context, a_result: Callable[..., Result]
) -> None:
    box = (0.0, 0.0, 0.5, 0.5)
    found = (Detection("cat", 0.75, box, 7), Detection("cat", 0.5, box))
    payload = decoded(structs.replace(a_result(0), findings=found), context)
    assert [each.get("track") for each in payload["detections"]] == [7, None]
    assert "track" not in payload["detections"][1]
    for number in (0, 2**53):
        wrong = structs.replace(a_result(0), findings=(Detection("cat", 0.75, box, number),))
        with pytest.raises(MessageRefused):
            encode(wrong, context)


def test_a_classification_result_has_classes(
    context: Context, a_result: Callable[..., Result]
) -> None:
    result = structs.replace(
        a_result(0),
        task="classification",
        findings=(ClassScore("Egyptian cat", 0.53125), ClassScore("tabby", 1 / 3)),
    )

    payload = decoded(result, context)

    assert payload["task"] == "classification"
    assert payload["classes"] == [
        {"label": "Egyptian cat", "score": 0.5312},
        {"label": "tabby", "score": 0.3333},
    ]
    assert "detections" not in payload


def test_a_word_that_is_heard_is_a_class(context: Context, a_result: Callable[..., Result]) -> None:
    heard = structs.replace(
        a_result(0), task="keyword", findings=(ClassScore("Okay Nabu", 0.973_828),)
    )
    payload = decoded(heard, context)
    assert (payload["task"], payload["classes"]) == (
        "keyword",
        [{"label": "Okay Nabu", "score": 0.9738}],
    )
    with pytest.raises(MessageRefused):  # nothing is published where nothing is heard
        encode(structs.replace(heard, findings=()), context)


def test_a_result_of_regression_has_numbers_by_their_names(
    context: Context, a_result: Callable[..., Result]
) -> None:
    numbers = {"a": 21.49999, "b": -3.4e38, "c": 0.0, "d": 1 / 3e30, "e": 123456789.0}
    result = structs.replace(
        a_result(0),
        task="regression",
        findings=tuple(Value(name, value) for name, value in numbers.items()),
    )

    payload = decoded(result, context)

    assert payload["task"] == "regression"
    assert payload["values"] == {
        "a": 21.5,
        "b": -3.4e38,
        "c": 0.0,
        "d": 3.33333e-31,
        "e": 123457000.0,
    }
    assert decoded(structs.replace(result, findings=()), context)["values"] == {}


def test_regions_and_people_are_told(context: Context, a_result: Callable[..., Result]) -> None:
    regions = (Region("bird", 0.123456), Region("background", 0.1))
    result = structs.replace(a_result(0), task="segmentation", findings=regions)
    assert decoded(result, context)["regions"] == [
        {"label": "bird", "fraction": 0.1235},
        {"label": "background", "fraction": 0.1},
    ]
    person = Person(0.56789, (Keypoint("left knee", 0.1, 0.2, 0.33333),))
    result = structs.replace(a_result(0), task="pose", findings=(person,))
    assert decoded(result, context)["people"] == [
        {
            "score": 0.5679,
            "keypoints": [{"name": "left knee", "x": 0.1, "y": 0.2, "score": 0.3333}],
        }
    ]


def test_the_most_people_fit_into_a_message(
    context: Context, a_result: Callable[..., Result]
) -> None:
    person = Person(0.1234, tuple(Keypoint(name, 0.1234, 0.1234, 0.1234) for name in KEYPOINTS))
    result = structs.replace(a_result(0), task="pose", findings=(person,) * MOST_PEOPLE)
    assert len(decoded(result, context)["people"]) == MOST_PEOPLE


@pytest.mark.parametrize(
    ("anomaly", "values"),
    [
        (Anomaly(0.1234567, 2.0, unusual=True), {"error": 0.123457, "score": 2.0}),
        (Anomaly(0.5, None, unusual=False), {"error": 0.5}),
        (Anomaly(None, 0.25, unusual=False), {"score": 0.25}),
        (Anomaly(None, None, unusual=True), {}),
    ],
)
def test_a_result_of_an_anomaly_detector_has_an_error_and_a_score(
    anomaly: Anomaly, values: dict[str, float], context: Context, a_result: Callable[..., Result]
) -> None:
    result = structs.replace(a_result(0), task="anomaly", findings=(anomaly,))
    assert decoded(result, context)["values"] == values


@pytest.mark.parametrize(
    ("task", "findings"),
    [
        ("regression", (ClassScore("cat", 0.5),)),
        ("keyword", (Value("a", 1.0),)),
        ("regression", (Value("a", math.nan),)),
        ("regression", (Value("a", "pixels"),)),  # type: ignore[arg-type]
        ("anomaly", (Value("a", 1.0),)),
        ("anomaly", ()),
        ("anomaly", (Anomaly(math.inf, 1.0, unusual=True),)),
        ("anomaly", (Anomaly(-1.0, 1.0, unusual=True),)),
        ("classification", (Value("a", 1.0),)),
        ("detection", (Anomaly(1.0, 1.0, unusual=True),)),
        ("segmentation", (ClassScore("cat", 0.5),)),
        ("segmentation", (Region("cat", 1.5),)),
        ("pose", (ClassScore("cat", 0.5),)),
        ("pose", (Person(0.5, (Keypoint("nose", 0.5, math.nan, 0.5),)),)),
        ("pose", (Person(0.5, (Keypoint("a face", 0.5, 0.5, 0.5),)),)),  # type: ignore[arg-type]
        ("pose", (Person(0.5, ()),) * (MOST_PEOPLE + 1)),
    ],
)
def test_findings_of_another_kind_or_that_are_no_numbers_are_refused(
    task: str, findings: Any, context: Context, a_result: Callable[..., Result]
) -> None:
    with pytest.raises(MessageRefused):
        encode(structs.replace(a_result(0), task=task, findings=findings), context)


def test_info_tells_what_an_anomaly_detector_has_learnt_or_until_when_it_learns(
    context: Context,
) -> None:
    def told(anomaly: AnomalyInfo | None, threshold: float | None = None) -> dict[str, Any]:
        pipeline = replace(pipeline_info(), threshold=threshold, anomaly=anomaly)
        payload: dict[str, Any] = decoded(info(pipeline), context)["pipelines"][0]
        return payload

    assert told(None)["anomaly"] is None
    assert told(AnomalyInfo(0.0000123456789))["anomaly"] == {
        "threshold": 0.0000123457,
        "learning_until": None,
    }
    assert told(AnomalyInfo(None, 600 * 10**9))["anomaly"] == {
        "threshold": None,
        "learning_until": "2026-11-22T06:34:00.000Z",
    }
    # One that is given may be over 1, and is told in its own place alone.
    given = told(AnomalyInfo(7.5), threshold=7.5)
    assert (given["threshold"], given["anomaly"]["threshold"]) == (None, 7.5)


def test_a_frame_in_which_nothing_was_found_is_a_result_too(
    context: Context, a_result: Callable[..., Result]
) -> None:
    assert decoded(structs.replace(a_result(0), findings=()), context)["detections"] == []


def test_the_time_of_a_result_is_what_the_wall_clock_says_when_it_is_sent(
    context: Context, a_result: Callable[..., Result]
) -> None:
    context.clock.is_synced = False  # type: ignore[attr-defined]
    before = decoded(a_result(0), context)
    context.clock.zero = context.clock.zero.replace(year=2027)  # type: ignore[attr-defined]
    context.clock.is_synced = True  # type: ignore[attr-defined]
    after = decoded(a_result(0), context)

    assert (before["captured_at"], before["clock_synced"]) == ("2026-11-22T06:24:00.123Z", False)
    assert (after["captured_at"], after["clock_synced"]) == ("2027-11-22T06:24:00.123Z", True)


def test_a_model_report_names_what_serves_and_what_became_of_the_candidate(
    context: Context,
) -> None:
    report = ModelReport(
        "front",
        ModelSpec("coco-ssd", SHA256, 4_183_920, "detection", ("person", "cat")),
        Candidate("coco-ssd", None, Verdict.REFUSED, "truncated: 200,000 of 525,598 bytes", 10**9),
    )

    message = encode(report, context)

    assert (message.topic, message.qos, message.retain) == ("edged/pi/front/model", 1, True)
    assert list(decoded(report, context).items()) == [
        ("schema", "edged.model/1"),
        ("device", "pi"),
        ("pipeline", "front"),
        (
            "active",
            {
                "name": "coco-ssd",
                "version": "e4b118e5e453",
                "sha256": SHA256,
                "size_bytes": 4_183_920,
                "task": "detection",
            },
        ),
        (
            "candidate",
            {
                "name": "coco-ssd",
                "version": None,
                "verdict": "refused",
                "reason": "truncated: 200,000 of 525,598 bytes",
                "at": "2026-11-22T06:24:01.000Z",
            },
        ),
    ]


def test_without_a_model_and_a_candidate_both_are_null(context: Context) -> None:
    payload = decoded(ModelReport("front", None, None), context)

    assert (payload["active"], payload["candidate"]) == (None, None)


@pytest.mark.parametrize("state", HealthState)
def test_health_tells_state_reason_and_since_when(state: HealthState, context: Context) -> None:
    record = Health("front", state, "no camera", 2 * 10**9)

    message = encode(record, context)

    assert (message.topic, message.qos, message.retain) == ("edged/pi/front/health", 1, True)
    assert decoded(record, context) == {
        "schema": "edged.health/1",
        "device": "pi",
        "pipeline": "front",
        "state": state.value,
        "reason": "no camera",
        "since": "2026-11-22T06:24:02.000Z",
    }


def test_a_long_reason_is_shortened_and_one_of_broken_unicode_mended(context: Context) -> None:
    payload = decoded(Health("front", HealthState.DEGRADED, "\udcff" + "x" * 5000, 0), context)

    assert payload["reason"].startswith("?xxx")
    assert payload["reason"].endswith("x…")
    assert len(payload["reason"]) == 1000


def test_info_tells_the_device_and_its_pipelines(context: Context) -> None:
    message = encode(info(pipeline_info("person", "cat")), context)

    assert (message.topic, message.qos, message.retain) == ("edged/pi/info", 1, True)
    assert decoded(info(pipeline_info("person", "cat")), context) == {
        "schema": "edged.info/1",
        "device": "pi",
        "version": "0.1.0",
        "runtime": "ai-edge-litert",
        "runtime_version": "2.3.0",
        "host": "garden-pi",
        "os": "Debian GNU/Linux 12",
        "pipelines": [
            {
                "name": "front",
                "source": "picamera2",
                "task": "detection",
                "model": {"name": "coco-ssd", "version": "e4b118e5e453"},
                "labels": ["person", "cat"],
                "enabled": True,
                "threshold": 0.5,
                "anomaly": None,
            }
        ],
    }


def test_a_pipeline_without_a_model_is_told_as_such(context: Context) -> None:
    payload = decoded(info(PipelineInfo("front", "v4l2", None, None, ())), context)

    assert payload["pipelines"][0]["task"] is None
    assert payload["pipelines"][0]["model"] is None


@pytest.mark.parametrize(("count", "told"), [(100, list), (101, int)])
def test_more_than_100_labels_are_told_as_a_number(
    count: int, told: type, context: Context
) -> None:
    labels = decoded(info(pipeline_info(*map(str, range(count)))), context)["pipelines"][0][
        "labels"
    ]

    assert isinstance(labels, told)
    assert labels == count or len(labels) == count


def test_labels_that_would_make_info_too_long_are_told_as_numbers(context: Context) -> None:
    long = [f"{number} {'very ' * 30}long" for number in range(50)]

    payload = decoded(
        info(*(pipeline_info(*long, name=f"p{number}") for number in range(4))), context
    )

    assert [each["labels"] for each in payload["pipelines"]] == [50, 50, 50, 50]


def test_an_address_is_no_kind_of_source(context: Context) -> None:
    secret = replace(pipeline_info(), source="rtsp://user:password@camera/")

    with pytest.raises(MessageRefused, match="source"):
        encode(info(secret), context)


def test_metrics_are_rounded_and_not_retained(context: Context) -> None:
    message = encode(METRICS, context)

    assert (message.topic, message.qos, message.retain) == ("edged/pi/metrics", 1, False)
    payload = decoded(METRICS, context)
    assert payload["uptime_s"] == 30.0
    assert payload["cpu_temperature_c"] == 48.5
    assert payload["throttled"] is None
    assert payload["throttling"] is None
    assert payload["spool"] == {
        "depth": 3,
        "in_memory": 0,
        "dropped": 0,
        "refused": 0,
        "bytes": 0,
        "storage": "memory",
        "trouble": None,
    }
    assert payload["pipelines"]["back"]["latency_ms"] is None
    front = payload["pipelines"]["front"]
    assert (front["frame_rate_hz"], front["inference_rate_hz"]) == (15.0, 14.67)
    assert front["latency_ms"]["total"] == {"p50": 1.0, "p95": 2.0, "p99": 3.0}


def test_status_is_plain_text(context: Context) -> None:
    message = status(replace(context, qos=0), OFFLINE)

    assert (message.topic, message.payload) == ("edged/pi/status", b"offline")
    assert (message.qos, message.retain) == (1, True)


# ---- what must not leave ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_and_never_written_as_null(
    number: float, context: Context, a_result: Callable[..., Result]
) -> None:
    good = a_result(0)
    latency = Latency(number, 0, 0, 0, 0)
    for record in (
        structs.replace(good, latency_ms=latency),
        structs.replace(good, findings=(Detection("cat", number, (0, 0, 1, 1)),)),
        structs.replace(good, findings=(Detection("cat", 0.5, (0, 0, number, 1)),)),
        replace(METRICS, cpu_temperature_c=number),
    ):
        with pytest.raises(MessageRefused, match=str(number)):
            encode(record, context)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"findings": (Detection("cat", 1.1, (0, 0, 1, 1)),)}, "score"),
        ({"findings": (Detection("cat", 0.5, (-0.2, 0, 1, 1)),)}, "box"),
        ({"findings": (ClassScore("cat", 0.5),)}, "no boxes"),
        ({"sequence": -1}, "sequence"),
        ({"task": "depth", "findings": ()}, "depth"),
        ({"model": ModelRef("coco-ssd", "latest")}, "version"),
        ({"pipeline": b"pixels"}, "pipeline"),
        ({"findings": (ClassScore(b"pixels", 0.5),), "task": "classification"}, "bytes is no text"),
        ({"findings": (Detection(bytearray(9), 0.5, (0, 0, 1, 1)),)}, "bytearray is no text"),
        ({"sequence": object()}, "object"),
        ({"latency_ms": None}, "wait"),
        ({"captured_ns": 10**30}, "out of range|too large|days"),
        ({"findings": (Detection("cat", 0.5, (0, 0, 1)),)}, "unpack"),
    ],
)
def test_what_the_schema_forbids_is_refused(
    change: dict[str, Any], what: str, context: Context, a_result: Callable[..., Result]
) -> None:
    with pytest.raises(MessageRefused, match=what):
        encode(structs.replace(a_result(0), **change), context)


def test_a_frame_is_no_record(context: Context) -> None:
    frame = Frame(0, 0, 0, np.zeros((2, 2, 3), np.uint8), PixelOrder.RGB)

    with pytest.raises(MessageRefused, match="A Frame was not sent"):
        topic_of(frame, context)  # type: ignore[arg-type]


def test_a_message_over_16_kib_is_refused(
    context: Context, a_result: Callable[..., Result]
) -> None:
    good = a_result(0, label="cat")
    long = a_result(0, label="猫" * 100)

    encode(structs.replace(good, findings=good.findings * 100), context)
    with pytest.raises(MessageRefused, match="16,384 bytes"):
        encode(structs.replace(long, findings=long.findings * 100), context)
    with pytest.raises(MessageRefused, match="<= 100"):
        encode(structs.replace(good, findings=good.findings * 101), context)


# ---- the schemas --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_is_valid_and_closed(kind: Any) -> None:
    made = schema(kind)

    Draft202012Validator.check_schema(made)
    objects = [made, *made["$defs"].values()]
    assert all(
        "oneOf" in each or "$ref" in each or each["additionalProperties"] is False
        for each in objects
    )


def test_the_schema_of_a_kind_that_is_not_published_names_those_that_are() -> None:
    with pytest.raises(
        ValueError, match="'frame'; there are result, event, counts, info, model, health, metrics"
    ):
        schema("frame")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"image": "aGVsbG8="},
        {"classes": [{"label": "cat", "score": 0.5}]},
        {"task": "classification"},
        {"sequence": -1},
        {"sequence": 0.5},
        {"captured_at": "yesterday"},
        {"detections": [{"label": "cat", "score": 1.5, "box": [0, 0, 1, 1]}]},
        {"detections": [{"label": "cat", "score": 0.5, "box": [0, 0, 1]}]},
        {"detections": [{"label": "cat", "score": 0.5, "box": [0, 0, 1, 1, 1]}]},
    ],
)
def test_the_schema_of_a_result_refuses_anything_else(
    change: dict[str, Any], context: Context, a_result: Callable[..., Result]
) -> None:
    payload = decoded(a_result(0), context)

    assert not Draft202012Validator(schema("result")).is_valid(payload | change)


@given(
    label=st.text(max_size=300),
    score=st.floats(),
    box=st.tuples(*[st.floats()] * 4),
    wait=st.floats(),
    sequence=st.integers(),
)
def test_whatever_comes_is_either_valid_or_refused(
    label: str,
    score: float,
    box: tuple[float, float, float, float],
    wait: float,
    sequence: int,
) -> None:
    result = Result(
        "front",
        sequence,
        0,
        ModelRef("coco-ssd", "e4b118e5e453"),
        Latency(wait, 0, 0, 0, 0),
        "detection",
        (Detection(label, score, box),),
    )
    context = Context("edged", "pi", "c0ffee12", 1, SystemClock(), "0.1.0")
    try:
        decoded(result, context)
    except MessageRefused:
        numbers = (score, *box)
        fine = all(0 <= number <= 1 for number in numbers) and 0 <= wait <= 1e9
        assert not (fine and 0 <= sequence < 2**63)


def test_a_result_of_a_crop_tells_what_was_looked_at(
    context: Context, a_result: Callable[..., Result]
) -> None:
    of = CropOf("front", 12, "bird", 0.812_349, (0.1, 0.2, 0.3, 1 / 3), 7)
    result = msgspec.structs.replace(
        a_result(0), task="classification", findings=(ClassScore("kite", 0.5),), crop=of
    )
    assert decoded(result, context)["crop"] == {
        "pipeline": "front",
        "label": "bird",
        "score": 0.8123,
        "box": [0.1, 0.2, 0.3, 0.3333],
        "track": 7,
        "sequence": 12,
    }
    without = msgspec.structs.replace(of, track=None, sequence=None)
    told = decoded(msgspec.structs.replace(result, crop=without), context)["crop"]
    assert sorted(told) == ["box", "label", "pipeline", "score"]
    assert "crop" not in decoded(msgspec.structs.replace(result, crop=None), context)


@pytest.mark.parametrize(
    "wrong",
    [
        {"box": (0.0, 0.0, 1.5, 1.0)},
        {"box": (0.0, 0.0, math.nan, 1.0)},
        {"box": (0.0, 0.0, 1.0)},
        {"score": 1.5},
        {"score": np.zeros(1)},
        {"track": 0},
        {"sequence": -1},
        {"pipeline": b"\xff\xd8"},
        {"pipeline": "front\x1b[2J"},
        {"label": b"\xff\xd8"},
    ],
)
def test_what_is_no_crop_does_not_leave(
    context: Context, a_result: Callable[..., Result], wrong: dict[str, Any]
) -> None:
    of = CropOf("front", 12, "bird", 0.8, (0.1, 0.2, 0.3, 0.4), 7)
    with pytest.raises(MessageRefused):
        encode(
            msgspec.structs.replace(a_result(0), crop=msgspec.structs.replace(of, **wrong)), context
        )
