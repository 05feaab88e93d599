"""Pipelines that others start."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from household import House, load
from msgspec.structs import replace
from patience import PATIENCE_S
from scripted import NOTHING_LEARNT, PLAN, Scripted, Told, of_model

from edged.cadence import Cadence, Publish
from edged.cascade import Alarm, Trigger
from edged.errors import SourceError
from edged.model import Model
from edged.records.frames import Size
from edged.records.health import Health, HealthState
from edged.records.models import ModelRef
from edged.records.results import Anomaly, ClassScore, Detection, Findings, Latency, Result, Value
from edged.runner import Runner
from edged.slots import Slots

S = 1_000_000_000
ASLEEP = 'asleep until pipeline ear finds "okay nabu"'
CAT: Findings = (Detection("Cat", 0.7, (0, 0, 1, 1)),)


def heard(findings: Findings, pipeline: str = "ear") -> Result:
    latency = Latency(0, 0, 0, 0, 0)
    return Result(pipeline, 0, 0, ModelRef("m", "0" * 12), latency, "keyword", findings)


WORD = heard((ClassScore("Okay Nabu", 0.9),))


# ---- which results -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "findings", "starts"),
    [
        ("cat", CAT, True),
        ("CAT", CAT, True),
        ("straße", (ClassScore("STRASSE", 0.9),), True),
        ("dog", CAT, False),
        ("dog", (ClassScore("cat", 0.6), ClassScore("dog", 0.3)), True),
        ("cat", (), False),
        (None, CAT, True),
        (None, (), False),
        ("temperature", (Value("temperature", 21.5),), True),
        ("anomaly", (Anomaly(1.0, 2.0, unusual=True),), True),
        (None, (Anomaly(1.0, 2.0, unusual=True),), True),
        (None, (Anomaly(1.0, 0.5, unusual=False),), False),
        ("anomaly", (Anomaly(1.0, None, unusual=False),), False),
    ],
)
def test_a_result_starts_a_pipeline_by_its_labels(
    label: str | None, findings: Findings, starts: bool
) -> None:
    trigger = Trigger("ear", label, 10)
    assert trigger.is_in(heard(findings)) is starts
    assert not trigger.is_in(heard(findings, pipeline="nose"))


def test_what_is_waited_for_is_told_in_words() -> None:
    assert str(Trigger("ear", "okay nabu", 10)) == 'pipeline ear finds "okay nabu"'
    assert str(Trigger("ear", None, 10)) == "pipeline ear finds something"


# ---- for how long --------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> int:
        return round(self.s * S)


def test_it_is_awake_for_its_time_from_the_last_call() -> None:
    clock = Clock()
    alarm = Alarm(clock)
    awake = []
    for at_s, calls in ((0, False), (1, True), (10.9, False), (11, False), (12, True), (20, True)):
        clock.s = 100.0 + at_s
        if calls:
            alarm.wake(10)
        awake.append(alarm.awake)
    assert awake == [False, True, True, False, True, True]
    clock.s = 129.9
    assert alarm.awake


def test_a_shorter_call_does_not_cut_a_longer_one_off() -> None:
    clock = Clock()
    alarm = Alarm(clock)
    alarm.wake(10)
    alarm.wake(1)
    clock.s += 9
    assert alarm.awake


def test_it_waits_until_it_is_woken_or_is_over() -> None:
    for end, woken in ((lambda alarm: alarm.wake(10), True), (Alarm.retire, False)):
        alarm, said = Alarm(Clock()), []
        thread = threading.Thread(target=lambda a=alarm, s=said: s.append(a.wait()))
        thread.start()
        end(alarm)
        thread.join(PATIENCE_S)
        assert said == [woken]


def test_one_that_nobody_wakes_any_more_is_over_when_its_time_is() -> None:
    clock = Clock()
    alarm = Alarm(clock)
    assert not alarm.over
    alarm.wake(10)
    alarm.retire()
    assert not alarm.over
    assert alarm.wait()
    clock.s += 10
    assert alarm.over
    assert not alarm.wait()


# ---- a whole pipeline ----------------------------------------------------------------------------


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], Model]:
    house = House(tmp_path)

    def loaded(name: str) -> Model:
        house.model(name)
        return load(house.models, name)

    return loaded


class Lost(Scripted):
    """One that cannot be opened while it is ``lost``."""

    lost = True

    def open(self, want: Size | None) -> None:
        if self.lost:
            raise SourceError("There is no camera.")
        super().open(want)


Started = Callable[..., Runner]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def started(told: Told, clock: Clock) -> Iterator[Started]:
    """``started(source)``: a runner that waits for a word of the pipeline `ear`, for 10 s each."""
    runners: list[Runner] = []

    def start(source: Scripted) -> Runner:
        runners.append(
            Runner(
                replace(PLAN, trigger=Trigger("ear", "okay nabu", 10)),
                source,
                Cadence(Publish.EVERY, interval_s=10),
                itertools.count(),
                track_ids=itertools.count(1),
                baselines=NOTHING_LEARNT,
                publish=told.publish,
                send=lambda: None,
                on_trial=lambda *_: None,
                on_model=lambda: None,
                on_end=lambda: None,
                slots=Slots(2),
                now_ns=clock,
            )
        )
        runners[-1].start()
        return runners[-1]

    yield start
    for runner in runners:
        assert runner.stop("the test is over", PATIENCE_S)


def wait_asleep(told: Told) -> Health:
    return told.wait_for(Health, lambda health: health.reason == ASLEEP)


@pytest.fixture
def asleep(told: Told, started: Started, model: Callable[[str], Model]) -> Started:
    """``asleep(source)``: one that has its model, and sleeps."""

    def sleeping(source: Scripted) -> Runner:
        runner = started(source)
        runner.swap("one", model("classifier_uint8"), None)
        wait_asleep(told)
        return runner

    return sleeping


def test_its_source_is_open_only_for_a_while_after_what_it_waits_for(
    told: Told, started: Started, model: Callable[[str], Model], clock: Clock
) -> None:
    source = Scripted()
    runner = started(source)
    runner.swap("one", model("classifier_uint8"), None)
    assert wait_asleep(told).state is HealthState.RUNNING
    assert runner.vitals().state is HealthState.RUNNING
    runner.hear(heard(CAT))
    runner.hear(heard(WORD.findings, pipeline="nose"))
    assert source.wanted == []
    # Another model is ready before it is needed.
    runner.swap("two", model("classifier_int8"), None)
    assert runner.active is not None
    assert runner.active.name == "classifier_int8"
    assert source.wanted == []
    for opens in (1, 2):
        runner.hear(WORD)
        told.wait_for(Health, lambda health: health.reason is None)
        told.wait_for(Result, of_model("classifier_int8"))
        clock.s += 10
        wait_asleep(told)
        assert (len(source.wanted), source.closes, source.is_open) == (opens, opens, False)
    running = [health.reason for health in told.records if isinstance(health, Health)]
    assert running == [ASLEEP, None, ASLEEP, None, ASLEEP]
    assert {result.model.name for result in told.results()} == {"classifier_int8"}


def test_each_further_result_lets_it_go_on(told: Told, asleep: Started, clock: Clock) -> None:
    source = Scripted()
    runner = asleep(source)
    for _ in range(3):
        runner.hear(WORD)
        told.wait_for(Result)
        clock.s += 9
    assert (len(source.wanted), source.closes) == (1, 0)
    # One that has time left stops at once.
    assert runner.stop("edged was stopped", PATIENCE_S)
    assert source.closes == 1


def test_one_that_is_heard_before_its_model_is_there_runs_when_it_is(
    told: Told, started: Started, model: Callable[[str], Model]
) -> None:
    runner = started(Scripted())
    runner.hear(WORD)
    runner.swap("one", model("classifier_uint8"), None)
    told.wait_for(Result)


@pytest.mark.parametrize("has_model", [True, False])
def test_it_ends_when_nobody_can_start_it_any_more(
    has_model: bool, told: Told, started: Started, model: Callable[[str], Model]
) -> None:
    source = Scripted()
    runner = started(source)
    if has_model:
        runner.swap("one", model("classifier_uint8"), None)
        wait_asleep(told)
    runner.retire()
    stopped = told.wait_for_state(HealthState.STOPPED)
    assert stopped.reason == "pipeline ear, which starts it, has ended"
    assert runner.ended
    assert runner.vitals().died is None
    assert source.wanted == []


def test_one_that_runs_when_nobody_can_start_it_any_more_runs_for_its_time(
    told: Told, asleep: Started, clock: Clock
) -> None:
    source = Scripted()
    runner = asleep(source)
    runner.hear(WORD)
    runner.retire()
    told.wait_for(Result)
    assert not runner.ended
    clock.s += 10
    told.wait_for_state(HealthState.STOPPED)
    assert (len(source.wanted), source.closes) == (1, 1)


def test_what_fails_while_it_runs_is_told_and_tried_anew_when_it_is_woken_again(
    told: Told, asleep: Started, clock: Clock
) -> None:
    source = Lost()
    runner = asleep(source)
    runner.hear(WORD)
    assert told.wait_for_state(HealthState.SOURCE_LOST).reason == "There is no camera."
    clock.s += 10
    source.lost = False
    runner.hear(WORD)
    told.wait_for(Result)
    assert runner.vitals().reason is None


def test_it_stops_at_once_while_it_sleeps(told: Told, asleep: Started) -> None:
    runner = asleep(Scripted())
    assert runner.stop("edged was stopped", PATIENCE_S)
    assert told.wait_for_state(HealthState.STOPPED).reason == "edged was stopped"
    assert not runner.ended
