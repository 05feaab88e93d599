"""Pipelines that look at the objects of others, as a fleet runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from household import SMALL_MODELS, House
from scripted import ENDLESS, NOTHING_LEARNT, Scripted, Told

from edged.build import load_options
from edged.config import Pipeline, SourceTable, parse_config
from edged.fleet import Ends, Fleet
from edged.intake import Intake
from edged.loading import build_model
from edged.records.health import Health, HealthState
from edged.records.models import Verdict
from edged.records.results import ClassScore, Result
from edged.runner import Runner
from edged.service.governor import FULL
from edged.slots import Slots
from edged.store.models import read_model_files

# Scripted frames are red, and in what is red this detector finds one box.
FRONT = 'name = "front"\nmodel = "finder"\nsource = {kind = "images", path = "front"}'
LIVE = 'name = "front"\nmodel = "finder"\nsource = {kind = "images", path = "front", fps = 50}'
CLOSE = 'name = "close"\nmodel = "teller"\ncrop = {from = "front", label = "RED"}'
NAMED = "pipeline front, whose objects it looks at,"


def tables(*pipelines: str) -> tuple[Pipeline, ...]:
    text = "".join(f"[[pipelines]]\n{pipeline}\n" for pipeline in pipelines)
    return parse_config(text.encode(), "/edged.toml").pipelines


class Models:
    """An intake that gives each pipeline its model at once, or tells that there is none."""

    def __init__(self, house: House) -> None:
        self._house = house

    def join(self, runner: Runner) -> None:
        name = runner.plan.model
        path = self._house.models / f"{name}.tflite"
        if not path.exists():
            runner.report(Verdict.REFUSED, None, "there is no file")
            return
        model = build_model(name, read_model_files(path), path, runner.plan.options, None)
        runner.swap("one", model, None)

    def leave(self, runner: Runner) -> None:
        pass

    def trial_over(self, *trial: object) -> None:
        pass


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def frames() -> list[int]:
    """How many a source gives, the last number also to those that come later."""
    return [ENDLESS]


@pytest.fixture
def sources() -> list[Scripted]:
    return []


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.model("finder", SMALL_MODELS / "layouts" / "yolo_v8_float32.tflite")
    made.model("teller", SMALL_MODELS / "classifier_uint8.tflite")
    made.labels("teller", "red", "green", "blue")
    return made


@pytest.fixture
def fleet(house: House, told: Told, frames: list[int], sources: list[Scripted]) -> Iterator[Fleet]:
    def make_source(table: SourceTable) -> Scripted:
        sources.append(Scripted(frames.pop(0) if len(frames) > 1 else frames[0]))
        return sources[-1]

    intake = cast("Intake", Models(house))
    ends = Ends(told.publish, lambda: None, lambda: None, lambda: None)
    made = Fleet(make_source, intake, NOTHING_LEARNT, lambda: FULL, ends, slots=Slots(2))
    yield made
    made.stop()


def wait_for_crop(told: Told, pipeline: str = "close") -> Result:
    return told.wait_for(Result, lambda result: result.pipeline == pipeline)


def wait_for_health(fleet: Fleet, told: Told, pipeline: str, reason: str | None) -> Health:
    """As the daemon's main loop does, which lets the fleet look after itself."""
    fleet.check()
    return told.wait_for(
        Health, lambda health: (health.pipeline, health.reason) == (pipeline, reason)
    )


def test_each_object_of_a_recording_is_looked_at_and_all_end_together(
    fleet: Fleet, told: Told, frames: list[int]
) -> None:
    frames[:] = [30]
    fleet.start(tables(FRONT, CLOSE))
    told.wait_for(Health, lambda each: each.reason == "the recording has ended")
    fleet.check()
    ended = told.wait_for(Health, lambda each: each.reason == f"{NAMED} has ended")
    assert (ended.pipeline, ended.state) == ("close", HealthState.STOPPED)
    assert fleet.have_ended
    crops = told.results("close")
    assert [result.crop.sequence for result in crops if result.crop] == list(range(30))
    firsts = {result.sequence: result for result in told.results("front")}
    for result in crops:
        assert result.crop is not None
        first = firsts[result.crop.sequence or 0]
        assert result.captured_ns == first.captured_ns
        (found,) = first.findings
        assert (result.crop.label, result.crop.box) == ("red", found.box)  # type: ignore[union-attr]
        assert isinstance(result.findings[0], ClassScore)
        assert result.findings[0].label == "red"
    metrics = fleet.metrics(1)["close"]
    assert (metrics.frames, metrics.inferred, metrics.published, metrics.dropped) == (30, 30, 30, 0)


def test_what_the_other_pipeline_does_not_publish_is_looked_at_all_the_same(
    fleet: Fleet, told: Told
) -> None:
    fleet.start(tables(f'{FRONT}\npublish = "events"\ntrack = {{}}', CLOSE))
    crop = told.wait_for(Result, lambda each: bool(each.crop and each.crop.track)).crop
    assert crop is not None
    assert (crop.sequence, crop.track) == (None, 1)
    assert told.results("front") == []


def test_a_pipeline_that_has_no_such_objects_gives_no_crops(fleet: Fleet, told: Told) -> None:
    fleet.start(tables(FRONT, CLOSE.replace("RED", "green")))
    for _ in range(20):
        wait_for_crop(told, "front")
    assert told.results("close") == []


def test_it_is_lost_while_the_other_is_disabled_and_goes_on_when_that_is_back(
    fleet: Fleet, told: Told
) -> None:
    fleet.start(tables(LIVE, CLOSE))
    wait_for_crop(told)
    wait_for_health(fleet, told, "close", None)
    fleet.set_enabled("front", False)
    reason = f"{NAMED} is stopped: disabled by a command"
    assert wait_for_health(fleet, told, "close", reason).state is HealthState.SOURCE_LOST
    assert not fleet.have_ended
    told.rest()
    fleet.set_enabled("front", True)
    wait_for_crop(told)
    assert wait_for_health(fleet, told, "close", None).state is HealthState.RUNNING


def test_the_other_goes_on_while_it_is_disabled(fleet: Fleet, told: Told) -> None:
    fleet.start(tables(FRONT, CLOSE))
    wait_for_crop(told)
    fleet.set_enabled("close", False)
    told.rest()
    for _ in range(5):
        wait_for_crop(told, "front")
    assert not [each for each in told.rest() if isinstance(each, Result) and each.crop]
    fleet.set_enabled("close", True)
    wait_for_crop(told)


def test_a_reload_of_the_other_begins_both_anew(
    fleet: Fleet, told: Told, sources: list[Scripted]
) -> None:
    fleet.start(tables(LIVE, CLOSE))
    wait_for_crop(told)
    assert fleet.reload(tables(LIVE, CLOSE)) == "no pipeline changed"
    assert fleet.reload(tables(f"{LIVE}\ncoarse = 0.5", CLOSE)) == "started front, close"
    told.rest()
    crop = wait_for_crop(told).crop
    assert crop is not None
    assert crop.box == (0.0, 0.0, 0.5, 0.5)
    assert len(sources) == 2


def test_a_reload_that_adds_or_changes_it_leaves_the_other_alone(
    fleet: Fleet, told: Told, sources: list[Scripted]
) -> None:
    fleet.start(tables(FRONT))
    wait_for_crop(told, "front")
    assert fleet.reload(tables(FRONT, CLOSE)) == "started close"
    wait_for_crop(told)
    assert fleet.reload(tables(FRONT, f"{CLOSE}\nthreshold = 0.1")) == "started close"
    wait_for_crop(told)
    assert fleet.reload(tables(FRONT)) == "removed close"
    told.rest()
    wait_for_crop(told, "front")
    assert len(sources) == 1


def test_a_model_without_objects_is_told_by_the_one_that_looks_for_them(
    fleet: Fleet, told: Told, house: House
) -> None:
    fleet.start(tables(FRONT.replace("finder", "teller"), CLOSE))
    wait_for_crop(told, "front")
    health = wait_for_health(
        fleet,
        told,
        "close",
        "pipeline front does classification, and only the objects of a detection can be cropped: "
        "name another pipeline in crop.from, or give that one another model",
    )
    assert health.state is HealthState.SOURCE_LOST
    assert told.results("close") == []


def test_a_label_that_the_others_model_cannot_find_is_told_once(
    fleet: Fleet, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    fleet.start(tables(FRONT, CLOSE.replace("RED", "redd")))
    wait_for_crop(told, "front")
    fleet.reload(tables(f"{FRONT}\nmax_results = 3", CLOSE.replace("RED", "redd")))
    assert [line for line in caplog.messages if "nothing to look at" in line] == [
        'pipeline close has nothing to look at: in pipeline front the model has no label "redd" '
        '(did you mean "red"?)'
    ]


def test_one_without_a_model_does_not_keep_a_recording_waiting(
    fleet: Fleet, told: Told, frames: list[int]
) -> None:
    frames[:] = [30]
    fleet.start(tables(FRONT, CLOSE.replace("teller", "none")))
    told.wait_for(Health, lambda each: each.reason == "the recording has ended")
    fleet.check()
    told.wait_for(Health, lambda each: each.reason == f"{NAMED} has ended")
    assert fleet.have_ended
    metrics = fleet.metrics(1)["close"]
    assert (metrics.frames, metrics.dropped) == (30, 30)


def test_it_stops_at_once_whatever_the_other_does(fleet: Fleet, told: Told) -> None:
    fleet.start(tables(LIVE, CLOSE))
    wait_for_crop(told)
    fleet.stop()
    runners = {runner.plan.name: runner for runner in fleet.runners()}
    assert not any(runner._thread.is_alive() for runner in runners.values())
    stopped = [
        (each.pipeline, each.reason)
        for each in [*told.records, *told.rest()]
        if isinstance(each, Health) and each.state is HealthState.STOPPED
    ]
    assert sorted(stopped) == [("close", "edged was stopped"), ("front", "edged was stopped")]


def test_its_vitals_are_those_of_a_pipeline_that_is_well(fleet: Fleet, told: Told) -> None:
    fleet.start(tables(LIVE, CLOSE))
    wait_for_crop(told)
    wait_for_health(fleet, told, "close", None)
    vitals = {each.name: each for each in fleet.check()}["close"]
    assert (vitals.state, vitals.reason, vitals.died) == (HealthState.RUNNING, None, None)
    assert vitals.inferred > 0
    info = {each.name: each for each in fleet.infos()}["close"]
    assert (info.source, info.task) == ("crop", "classification")


def test_a_camera_that_scales_for_its_model_does_not_where_crops_are_cut_out(
    fleet: Fleet, told: Told, sources: list[Scripted]
) -> None:
    camera = 'name = "front"\nmodel = "finder"\nsource = {kind = "picamera2", fps = 50}'
    fleet.start(tables(camera))
    wait_for_crop(told, "front")
    assert fleet.reload(tables(camera, CLOSE)) == "started front, close"
    wait_for_crop(told)
    assert fleet.reload(tables(camera)) == "started front; removed close"
    wait_for_crop(told, "front")
    told.wait_for(Result, lambda _: len(sources) == 3 and bool(sources[2].wanted))
    assert [[str(want) for want in source.wanted] for source in sources] == [
        ["32x32"],
        ["None"],
        ["32x32"],
    ]


def test_options_of_a_crop_let_a_model_take_as_many_as_there_may_be() -> None:
    front, close = tables(FRONT, f"{CLOSE[:-1]}, max_boxes = 3}}")
    assert load_options(front).batch == 1
    assert load_options(close).batch == 3
