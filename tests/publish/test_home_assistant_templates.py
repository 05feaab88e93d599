"""The templates that edged gives to Home Assistant, on messages as edged sends them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from home_assistant import HomeAssistant
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.clock import SystemClock
from edged.config_types import TopicLevel
from edged.plain_text import plain
from edged.publish import Context
from edged.publish.home_assistant import announcement
from edged.publish.home_assistant_entities import plain_id
from edged.publish.messages import MAX_PAYLOAD_BYTES, OFFLINE, ONLINE, encode, status
from edged.records.happenings import Counts, LineCounts, ZoneCounts
from edged.records.health import (
    Health,
    HealthState,
    Metrics,
    Percentiles,
    PipelineMetrics,
    SpoolMetrics,
    StageLatency,
)
from edged.records.info import Info, PipelineInfo, ZoneInfo
from edged.records.models import Candidate, ModelRef, ModelReport, ModelSpec, Verdict
from edged.records.published import Record
from edged.records.results import (
    Anomaly,
    ClassScore,
    CropOf,
    Detection,
    Findings,
    Latency,
    Person,
    Region,
    Result,
    Value,
)
from edged.typed_toml import fits

CONTEXT = Context(
    "edged", "pi", "c0ffee12", 1, SystemClock(), "0.1.0", home_assistant="homeassistant"
)
SHA256 = "e4b118e5e453" + "0" * 52
BOX = (0.1, 0.1, 0.4, 0.5)
STAGES = StageLatency(*(Percentiles(x, 2 * x, 3 * x) for x in (1.0, 2.0, 3.0, 4.0, 13.456)))


TASKS = (
    "classification",
    "keyword",
    "detection",
    "segmentation",
    "pose",
    "regression",
    "anomaly",
)


def told(*names: str) -> HomeAssistant:
    """A Home Assistant that knows of these pipelines, each with all tasks."""
    hass = HomeAssistant()
    for task in TASKS:  # what is left out of the next announcement stays
        pipelines = tuple(PipelineInfo(name, "v4l2", task, None, ()) for name in names)
        info = Info("ai-edge-litert", "2.3.0", "pi", "Debian", pipelines)
        hear(hass, announcement(info, frozenset(), CONTEXT, MAX_PAYLOAD_BYTES))
    return hass


def hear(hass: HomeAssistant, record: Record) -> None:
    message = encode(record, CONTEXT)
    hass.hear(message.topic, message.payload)


def result(task: str, *findings: Any, pipeline: str = "front") -> Result:
    found: Findings = findings
    latency = Latency(0.3, 0.21, 12.9, 0.06, 13.5)
    return Result(pipeline, 0, 0, ModelRef("m", "e4b118e5e453"), latency, task, found)


def metrics(
    pipelines: dict[str, PipelineMetrics], celsius: float | None = None, waiting: int = 0
) -> Metrics:
    return Metrics(1.0, pipelines, SpoolMetrics(waiting, 0), celsius, None, 1)


COUNTS = PipelineMetrics(450, 440, 440, 0, 10, 0, 0, 14.999, 14.667, STAGES)


# ---- what is seen --------------------------------------------------------------------------------


def test_a_classification_shows_the_best_class_and_has_all_as_labels() -> None:
    hass = told("front")
    hear(hass, result("classification", ClassScore("tabby", 0.6), ClassScore("Egyptian", 0.3)))
    assert hass.state("front-class") == "tabby"
    assert hass.attributes("front-class") == {"labels": ["Egyptian", "tabby"]}


def test_a_classification_of_nothing_is_unknown() -> None:
    hass = told("front")
    hear(hass, result("classification"))
    assert hass.state("front-class") is None
    assert hass.attributes("front-class") == {"labels": []}


def test_a_detection_shows_the_number_of_objects_and_how_many_of_each() -> None:
    hass = told("front")
    labels = ("person", "cat", "person", "Cat")
    hear(hass, result("detection", *(Detection(label, 0.7, BOX) for label in labels)))
    assert hass.state("front-objects") == "4"
    attributes = hass.attributes("front-objects")
    assert attributes["counts"] == {"Cat": 1, "cat": 1, "person": 2}
    assert sorted(attributes["labels"]) == ["Cat", "cat", "person"]


def test_a_detection_of_nothing_is_0() -> None:
    hass = told("front")
    hear(hass, result("detection"))
    assert hass.state("front-objects") == "0"
    assert hass.attributes("front-objects") == {"labels": [], "counts": {}}


def test_attributes_stay_the_same_while_the_scene_does() -> None:
    hass = told("front")
    seen = []
    for score, found in ((0.7, ("cat", "dog")), (0.9, ("dog", "cat"))):
        hear(hass, result("detection", *(Detection(label, score, BOX) for label in found)))
        seen.append(hass.attributes("front-objects"))
    assert seen[0] == seen[1]


def test_a_segmentation_shows_the_largest_class_and_has_the_share_of_each() -> None:
    hass = told("front")
    hear(hass, result("segmentation", Region("grass", 0.75), Region("{{ 7 * 7 }}", 0.125)))
    assert hass.state("front-regions") == "grass"
    assert hass.attributes("front-regions") == {"shares": {"grass": 0.75, "{{ 7 * 7 }}": 0.125}}
    hear(hass, result("segmentation"))
    assert hass.state("front-regions") is None
    assert hass.attributes("front-regions") == {"shares": {}}


def test_a_pose_shows_the_number_of_people() -> None:
    hass = told("front")
    hear(hass, result("pose", Person(0.5, ()), Person(0.4, ())))
    assert hass.state("front-people") == "2"
    hear(hass, result("pose"))
    assert hass.state("front-people") == "0"


def test_a_regression_shows_its_first_number_and_has_them_all() -> None:
    hass = told("front")
    hear(hass, result("regression", Value("temperature", 21.25), Value("humidity", 0.5)))
    assert hass.state("front-value") == "21.25"
    assert hass.attributes("front-value") == {"values": {"temperature": 21.25, "humidity": 0.5}}


@pytest.mark.parametrize(
    ("score", "state"), [(None, None), (0.0, "OFF"), (1.0, "OFF"), (1.01, "ON"), (1e9, "ON")]
)
def test_an_anomaly_is_a_problem_and_unknown_while_the_usual_is_learnt(
    score: float | None, state: str | None
) -> None:
    hass = told("front")
    hear(hass, result("anomaly", Anomaly(0.5, score, (score or 0) > 1)))
    assert hass.state("front-anomaly") == state


def test_a_word_that_is_heard_is_an_event_with_its_score() -> None:
    hass = told("front")
    hear(hass, result("keyword", ClassScore("Okay Nabu", 0.97)))
    assert hass.event("front-keyword") == {
        "event_type": "heard",
        "label": "Okay Nabu",
        "score": 0.97,
    }
    hear(hass, result("classification"))
    assert hass.event("front-keyword") is None


@pytest.mark.parametrize("task", ["classification", "detection", "regression", "anomaly"])
def test_a_result_of_another_task_is_unknown_and_breaks_nothing(task: str) -> None:
    hass = told("front")
    hear(hass, result(task, *([Anomaly(0.5, None, unusual=False)] if task == "anomaly" else [])))
    for key in ("front-class", "front-objects"):
        assert hass.state(key) in (None, "0")
        assert not hass.attributes(key)["labels"]
    assert hass.state("front-value") == ("0.5" if task == "anomaly" else None)
    assert hass.state("front-anomaly") is None
    assert (hass.state("front-regions"), hass.state("front-people")) == (None, None)
    assert hass.event("front-keyword") is None


LABELS = st.lists(
    st.sampled_from(["{{ 7 * 7 }}", "{% x %}", '"', "'", "\\", "</script>", "a\nb", "😀", " "])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    max_size=5,
)


@given(LABELS)
def test_labels_are_data_whatever_they_say(labels: list[str]) -> None:
    hass = told("front")
    hear(hass, result("detection", *(Detection(label, 0.7, BOX) for label in labels)))
    published = [plain(label) for label in labels]
    assert hass.attributes("front-objects")["counts"] == Counter(published)
    assert hass.state("front-objects") == str(len(labels))
    words = [ClassScore(label, 0.7) for label in labels]
    if words:
        hear(hass, result("keyword", *words))
        heard = hass.event("front-keyword")
        assert heard is not None
        assert heard["label"] == published[0]
    hear(hass, result("classification", *words))
    assert sorted(hass.attributes("front-class")["labels"]) == sorted(published)
    if published and published[0].strip() not in ("", "None"):
        assert hass.state("front-class") == published[0].strip()


# ---- the device and its figures ------------------------------------------------------------------


def test_the_figures_of_a_pipeline_are_those_of_the_metrics() -> None:
    hass = told("front")
    hear(hass, metrics({"back": COUNTS, "front": COUNTS}, celsius=48.512, waiting=3))
    assert hass.state("front-rate") == "14.67"
    assert hass.state("front-latency") == "13.456"
    assert hass.state("temperature") == "48.5"
    assert hass.state("waiting") == "3"


def test_figures_that_the_metrics_do_not_have_are_unknown() -> None:
    hass = told("front", "idle")
    hear(hass, metrics({"idle": PipelineMetrics(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, None)}))
    assert hass.state("front-rate") is None
    assert hass.state("front-latency") is None
    assert hass.state("idle-rate") == "0.0"
    assert hass.state("idle-latency") is None
    assert hass.state("temperature") is None
    assert hass.state("waiting") == "0"


NAMES = (
    st.lists(
        st.sampled_from(["'", '"', "\\", "\\'", "{{", "}}", "{%", "%}", "😀", "é", " ", "items"])
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        min_size=1,
        max_size=5,
    )
    .map(lambda parts: "".join(parts)[:64])
    .filter(lambda name: fits(TopicLevel, name))
)


@given(NAMES)
def test_each_pipeline_finds_its_own_figures_whatever_its_name(name: str) -> None:
    hass = told(name)
    other = PipelineMetrics(1, 1, 1, 1, 1, 1, 1, 1.0, 1.0, None)
    hear(hass, metrics({"other": other, name: COUNTS}))
    assert hass.state(f"{plain_id(name)}-rate") == "14.67"
    assert hass.state(f"{plain_id(name)}-latency") == "13.456"


# ---- health, model, availability -----------------------------------------------------------------


@pytest.mark.parametrize("state", HealthState)
def test_health_shows_the_state_and_why(state: HealthState) -> None:
    hass = told("front")
    hear(hass, Health("front", state, "it hangs", 0))
    assert hass.state("front-health") == state.value
    attributes = hass.attributes("front-health")
    assert attributes["reason"] == "it hangs"
    assert attributes["since"].endswith("Z")


def test_health_without_a_reason_has_none() -> None:
    hass = told("front")
    hear(hass, Health("front", HealthState.RUNNING, None, 0))
    assert hass.attributes("front-health")["reason"] is None


def test_the_model_shows_its_version_and_what_became_of_the_last_candidate() -> None:
    hass = told("front")
    active = ModelSpec("coco-ssd", SHA256, 1, "detection", ("cat",))
    candidate = Candidate("coco-ssd", "0" * 12, Verdict.REFUSED, 'no "cat" {{ 1 }}', 0)
    hear(hass, ModelReport("front", active, candidate))
    assert hass.state("front-model") == "e4b118e5e453"
    assert hass.attributes("front-model") == {
        "model": "coco-ssd",
        "task": "detection",
        "candidate": "0" * 12,
        "verdict": "refused",
        "reason": 'no "cat" {{ 1 }}',
    }


@pytest.mark.parametrize(
    ("candidate", "verdict"),
    [(None, None), (Candidate("m", None, Verdict.REFUSED, None, 0), "refused")],
)
def test_without_a_model_its_version_is_unknown(
    candidate: Candidate | None, verdict: str | None
) -> None:
    hass = told("front")
    hear(hass, ModelReport("front", None, candidate))
    assert hass.state("front-model") is None
    assert hass.attributes("front-model") == {
        "model": None,
        "task": None,
        "candidate": None,
        "verdict": verdict,
        "reason": None,
    }


def named(hass: HomeAssistant) -> dict[str, str]:
    """Component ids by the names that a person sees."""
    return {config["name"]: key for key, config in hass.entities.items()}


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
        lambda name: fits(TopicLevel, name)
    )
)
@settings(max_examples=20)
def test_zones_lines_and_labels_show_what_was_counted(zone: str) -> None:
    hass = HomeAssistant()
    pipeline = PipelineInfo(
        "front",
        "v4l2",
        "detection",
        None,
        (),
        tells=frozenset({"event", "counts"}),
        zones=(ZoneInfo(None, ("cat", "dog")), ZoneInfo(zone, ("cat", "dog")), ZoneInfo("x y", ())),
        lines=("gate",),
    )
    info = Info("ai-edge-litert", "2.3.0", "pi", "Debian", (pipeline,))
    hear(hass, announcement(info, frozenset(), CONTEXT, MAX_PAYLOAD_BYTES))
    keys = named(hass)
    assert hass.state(keys["front gate to left"]) is None  # nothing was told yet
    zones = {zone: ZoneCounts({"cat": 2}, 3, 1), "x y": ZoneCounts({}, 0, 0)}
    hear(hass, Counts("front", 0, 1, {"cat": 2, "dog": 1}, zones, {"gate": LineCounts(4, 5)}))
    states = {name: hass.state(key) for name, key in keys.items() if name.startswith("front")}
    assert {name: state for name, state in states.items() if state is not None} == {
        "front presence": "ON",
        "front count": "3",
        "front cat presence": "ON",
        "front cat count": "2",
        "front dog presence": "ON",
        "front dog count": "1",
        f"front {zone} presence": "ON",
        f"front {zone} count": "2",
        f"front {zone} cat presence": "ON",
        f"front {zone} cat count": "2",
        f"front {zone} dog presence": "OFF",
        f"front {zone} dog count": "0",
        "front x y presence": "OFF",
        "front x y count": "0",
        "front gate to left": "4",
        "front gate to right": "5",
    }


@pytest.fixture
def running() -> Callable[[bytes, HealthState], HomeAssistant]:
    def made(word: bytes, state: HealthState) -> HomeAssistant:
        hass = told("front")
        message = status(CONTEXT, word)
        hass.hear(message.topic, message.payload)
        hear(hass, Health("front", state, None, 0))
        return hass

    return made


@pytest.mark.parametrize(
    ("word", "state", "available"),
    [
        (ONLINE, HealthState.RUNNING, True),
        (ONLINE, HealthState.DEGRADED, True),
        (ONLINE, HealthState.SOURCE_LOST, False),
        (ONLINE, HealthState.STOPPED, False),
        (OFFLINE, HealthState.RUNNING, False),
    ],
)
def test_what_is_seen_is_available_while_the_device_and_the_pipeline_run(
    running: Callable[[bytes, HealthState], HomeAssistant],
    word: bytes,
    state: HealthState,
    available: bool,
) -> None:
    hass = running(word, state)
    assert hass.available("front-objects") == hass.available("front-class") == available
    assert hass.available("front-health") == hass.available("temperature") == (word == ONLINE)


def test_a_crop_shows_what_was_found_in_the_last_one() -> None:
    hass = told("front")
    of = CropOf("front", 12, "bird", 0.8, (0.1, 0.2, 0.3, 0.4), 7)
    looked = result("classification", ClassScore("kite", 0.6))
    hear(hass, msgspec.structs.replace(looked, crop=of))
    assert hass.state("front-class") == "kite"
    assert hass.attributes("front-class") == {"labels": ["kite"]}
