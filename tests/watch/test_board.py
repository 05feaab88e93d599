"""What the board makes of messages, edged's and others'."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watching import Feeder, a_model, a_result, metrics


def test_a_result_is_told_with_all_that_was_found_the_best_first(feeder: Feeder) -> None:
    found = [("dog", 0.4), ("cat", 0.73), ("dog", 0.81)]
    told = a_result(4711, detections=[{"label": one, "score": score} for one, score in found])
    assert feeder.texts("pi/front/result", told) == ["#4711 13.5 ms  dog 0.81 x2, cat 0.73"]
    [front] = feeder.board.pipelines
    assert front.last is not None
    assert (front.last.sequence, feeder.board.results) == (4711, 1)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"classes": [{"label": "tabby", "score": 0.5}]}, "tabby 0.50"),
        ({"regions": [{"label": "road", "fraction": 0.25}]}, "road 25.0%"),
        ({"people": [{"score": 0.9, "keypoints": []}, {"score": 0.8}]}, "person 0.90 x2"),
        ({"values": {"anomaly": 0.123456}}, "anomaly 0.1235"),
        ({}, "nothing"),
    ],
)
def test_results_of_every_task_are_told(feeder: Feeder, more: dict[str, Any], text: str) -> None:
    told = a_result(0, detections=[]) | more
    assert feeder.texts("pi/front/result", told) == [f"#0 13.5 ms  {text}"]


def test_a_result_that_comes_late_is_told_with_the_time_of_its_capture(feeder: Feeder) -> None:
    feeder.at_s += 3600
    [text] = feeder.texts("pi/front/result", a_result(1))
    assert text == "#1 13.5 ms  cat 0.73  (captured 06:24:00)"


def test_a_hole_in_the_sequence_is_grave(feeder: Feeder) -> None:
    feeder.result(0)
    hole, _ = feeder.result(4)
    assert hole.text == "3 missing in the sequence: #1 to #3"
    assert hole.grave
    assert feeder.board.events[0] == hole


def test_a_new_run_is_told_and_starts_a_new_sequence(feeder: Feeder) -> None:
    feeder.result(100)
    restarted, _ = feeder.result(0, run="beef")
    assert restarted.text == "results of another run: beef"
    assert not restarted.grave


def test_rate_and_latency_are_of_the_last_half_minute(feeder: Feeder) -> None:
    for number in range(100):
        feeder.at_s += 0.1
        feeder.result(number, latency_ms={"total": float(number + 1)})
    [front] = feeder.board.pipelines
    pace = front.pace(feeder.at_s)
    assert pace.rate_hz == pytest.approx(10, rel=0.05)
    assert (pace.p50_ms, pace.p95_ms) == (51, 95)
    assert front.pace(feeder.at_s + 15).rate_hz == pytest.approx(4, rel=0.05)
    silent = front.pace(feeder.at_s + 60)
    assert (silent.rate_hz, silent.p50_ms, silent.p95_ms) == (0, None, None)


def test_a_rate_beyond_what_is_kept_is_still_right(feeder: Feeder) -> None:
    for number in range(3000):
        feeder.at_s += 0.005
        feeder.result(number)
    [front] = feeder.board.pipelines
    assert front.pace(feeder.at_s).rate_hz == pytest.approx(200, rel=0.05)


def test_what_the_broker_keeps_is_told_once_and_changes_are_notable(feeder: Feeder) -> None:
    assert [event.notable for event in feeder.health("running")] == [False]
    assert feeder.health("running") == []
    [lost] = feeder.health("source-lost", reason="the camera is gone")
    assert lost.text == "source-lost since 06:20:00: the camera is gone"
    assert (lost.notable, lost.grave) == (True, True)
    [back] = feeder.health("running")
    assert (back.notable, back.grave) == (True, False)


def test_a_trouble_that_is_there_from_the_beginning_is_notable(feeder: Feeder) -> None:
    assert [event.grave for event in feeder.health("stopped")] == [True]
    [offline] = feeder.take("pi/status", b"offline")
    assert (offline.text, offline.notable, offline.grave) == ("offline", True, True)
    assert feeder.board.devices["pi"].offline
    assert [event.text for event in feeder.take("pi/status", b"online")] == ["online"]


def test_a_swap_and_the_verdicts_on_candidates_are_told(feeder: Feeder) -> None:
    told = feeder.texts("pi/front/model", a_model())
    assert told == ["coco-ssd e4b118e5e453 serves"]
    told = feeder.texts("pi/front/model", a_model("999999999999", "trial"))
    assert told == [
        "coco-ssd 999999999999 serves instead of e4b118e5e453; "
        "candidate coco-ssd 999999999999 on trial"
    ]
    told = feeder.texts("pi/front/model", a_model("999999999999", "accepted"))
    assert told == ["candidate coco-ssd 999999999999 accepted"]
    [refused] = feeder.take("pi/front/model", a_model("999999999999", "refused", "truncated"))
    assert refused.text == "candidate coco-ssd 999999999999 refused: truncated"
    assert refused.grave


def test_metrics_are_told_and_what_was_dropped_is_grave(feeder: Feeder) -> None:
    [told] = feeder.take("pi/metrics", metrics(depth=12))
    assert told.text == "spool 12, dropped 0, 47 °C, 104 MB, up 3 h 12 min"
    assert not told.notable
    [dropped] = feeder.take("pi/metrics", metrics(dropped=7, throttled=True))
    assert dropped.text.startswith("the device had to drop 7 more results; THROTTLED, spool 0")
    assert dropped.grave


def test_a_spool_that_is_not_on_the_disk_is_told_once(feeder: Feeder) -> None:
    spool = {"depth": 3, "dropped": 0, "storage": "memory", "trouble": "the disk is full"}
    [told] = feeder.take("pi/metrics", metrics(spool=spool))
    assert told.text.startswith(
        "the spool is not on the disk: the disk is full; spool 3 in memory, dropped 0"
    )
    assert told.grave
    [again] = feeder.take("pi/metrics", metrics(spool=spool))
    assert not again.notable


def test_a_pipeline_that_is_withdrawn_is_gone(feeder: Feeder) -> None:
    feeder.health("running")
    feeder.take("pi/front/model", a_model())
    assert feeder.texts("pi/front/health", b"") == ["health withdrawn"]
    assert feeder.texts("pi/front/model", b"") == ["model withdrawn"]
    assert list(feeder.board.pipelines) == []
    assert feeder.take("pi/front/model", b"") == []


def test_a_newer_daemon_may_tell_more(feeder: Feeder) -> None:
    feeder.result(0, mood="good", latency_ms={"total": 2.0, "postprocess": 1.0})
    [front] = feeder.board.pipelines
    assert front.last is not None


# ---- what is not edged's -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "payload", "text"),
    [
        ("pi/front/result", b"{", "not understood, Input data was truncated: {"),
        ("pi/front/result", b"[]", "not understood, Expected `object`, got `array`: []"),
        (
            "pi/front/result",
            b'{"run": "a", "sequence": -1}',
            'not understood, Expected `int` >= 0 - at `$.sequence`: {"run": "a", "sequence": -1}',
        ),
        ("pi/status", b"asleep", "not understood, neither online nor offline: asleep"),
        ("pi/front/mood", b"1", "not understood, not known to edged watch: 1"),
        ("a/b/c/d", b"1", "not understood, no topic of edged: 1"),
        ("//", b"", "not understood, no topic of edged: "),
    ],
)
def test_what_is_not_understood_is_told(
    feeder: Feeder, topic: str, payload: bytes, text: str
) -> None:
    [event] = feeder.take(topic, payload)
    assert event.text == text
    assert event.notable
    assert not list(feeder.board.pipelines)


def test_a_payload_of_megabytes_is_not_looked_at(feeder: Feeder) -> None:
    [text] = feeder.texts("pi/front/result", b"[" * 5_000_000)
    assert text.startswith("not understood, over 65,536 bytes, which edged never sends: [[[")
    assert len(text) < 200


def test_who_floods_a_topic_does_not_drive_the_rest_from_the_screen(feeder: Feeder) -> None:
    feeder.health("stopped", reason="remember me")
    for number in range(1000):
        feeder.take("pi/front/mood", str(number).encode())
    assert [event.where for event in feeder.board.events] == ["edged/pi/front/mood", "pi/front"]


def test_devices_and_pipelines_without_end_take_bounded_memory(feeder: Feeder) -> None:
    for number in range(1200):
        feeder.health("running", f"pi{number}/front")
        feeder.health("running", f"pi/front{number}")
    assert len(feeder.board.devices) == 1000
    assert len(feeder.board.devices["pi"].pipelines) == 1000


ESCAPES = "\x1b[31m\x1b]0;owned\x07\x9b2J\r\n\u202e[red]x[/red]"


def test_no_control_character_comes_through(feeder: Feeder) -> None:
    sent = {"label": ESCAPES, "score": 0.9}
    topic = "pi\x1b[2J/fr\x9bont"
    events = [
        *feeder.result(0, topic),
        *feeder.result(9, topic, run=ESCAPES, detections=[sent], model={"name": ESCAPES}),
        *feeder.health(ESCAPES, topic, reason=ESCAPES),
        *feeder.take(f"{topic}/model", a_model(ESCAPES, ESCAPES, ESCAPES)),
        *feeder.take(f"{topic}/mood", ESCAPES.encode(errors="replace")),
        *feeder.take("pi/info", {"version": ESCAPES, "runtime": ESCAPES}),
        *feeder.take("pi/status", ESCAPES.encode(errors="replace")),
    ]
    assert len(events) >= 7
    for event in events:
        assert event.text.isprintable(), event
        assert event.where.isprintable(), event


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = [*a_result(0), *a_model(), *metrics(), "state", "reason", "since", "version", "runtime"]


@given(
    st.sampled_from(["result", "health", "model", "mood"]),
    st.binary()
    | st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda d: json.dumps(d).encode()),
)
def test_whatever_comes_nothing_is_raised(leaf: str, payload: bytes) -> None:
    feeder = Feeder()
    feeder.take(f"pi/front/{leaf}", payload)
    feeder.take("pi/metrics", payload)
    feeder.take("pi/info", payload)
    feeder.take("pi/status", payload)
    for pipeline in feeder.board.pipelines:
        pipeline.pace(feeder.at_s + 2)
