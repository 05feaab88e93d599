"""Pipelines of one daemon that wait for one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from household import OPTIONS, House
from scripted import ENDLESS, NOTHING_LEARNT, Scripted, Told

from edged.config import Pipeline, SourceTable, parse_config
from edged.fleet import Ends, Fleet
from edged.intake import Intake
from edged.loading import build_model
from edged.model import Model
from edged.records.health import Health, HealthState
from edged.records.results import Result
from edged.runner import Runner
from edged.service.governor import FULL
from edged.slots import Slots
from edged.store.models import read_model_files

EAR = 'name = "ear"\nmodel = "m"\nsource = {kind = "images", path = "ear"}'
EYE = (
    'name = "eye"\nmodel = "m"\nsource = {kind = "images", path = "eye"}\n'
    'when = {pipeline = "ear", label = "0", for_s = 600}'
)
NOSE = (
    'name = "nose"\nmodel = "m"\nsource = {kind = "images", path = "nose"}\nwhen.pipeline = "eye"'
)
OTHER = 'name = "other"\nmodel = "m"\nsource = {kind = "images", path = "other"}'


def tables(*pipelines: str) -> tuple[Pipeline, ...]:
    text = "".join(f"[[pipelines]]\n{pipeline}\n" for pipeline in pipelines)
    return parse_config(text.encode(), "/edged.toml").pipelines


class Models:
    """An intake that gives each pipeline its model at once."""

    def __init__(self, model: Callable[[], Model]) -> None:
        self._model = model

    def join(self, runner: Runner) -> None:
        runner.swap("one", self._model(), None)

    def leave(self, runner: Runner) -> None:
        pass

    def trial_over(self, *trial: object) -> None:
        pass


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def sources() -> dict[str, list[Scripted]]:
    """Those that were made, by the name of their path."""
    return {}


@pytest.fixture
def frames() -> dict[str, int]:
    """How many red frames a source gives, by the name of its path."""
    return {"ear": ENDLESS, "eye": ENDLESS, "nose": ENDLESS, "other": ENDLESS}


@pytest.fixture
def labels() -> list[str]:
    """The model's; none: its classes go by their numbers."""
    return []


@pytest.fixture
def fleet(
    tmp_path: Path,
    told: Told,
    frames: dict[str, int],
    labels: list[str],
    sources: dict[str, list[Scripted]],
) -> Iterator[Fleet]:
    def make_source(table: SourceTable) -> Scripted:
        name = Path(str(table.path)).name  # type: ignore[union-attr]
        sources.setdefault(name, []).append(Scripted(frames[name]))
        return sources[name][-1]

    house = House(tmp_path)
    house.model("m", Path(__file__).parent / "models" / "classifier_uint8.tflite")
    path = house.models / "m.tflite"

    def model() -> Model:
        house.labels("m", *labels)
        return build_model("m", read_model_files(path), path, OPTIONS, None)

    intake = cast("Intake", Models(model))
    ends = Ends(told.publish, lambda: None, lambda: None, lambda: None)
    made = Fleet(make_source, intake, NOTHING_LEARNT, lambda: FULL, ends, slots=Slots(2))
    yield made
    made.stop()


def wait_for_result(told: Told, pipeline: str) -> None:
    told.wait_for(Result, lambda result: result.pipeline == pipeline)


def wait_for_health(told: Told, pipeline: str, reason: str | None) -> Health:
    return told.wait_for(
        Health, lambda health: (health.pipeline, health.reason) == (pipeline, reason)
    )


def test_results_start_one_pipeline_after_the_other(fleet: Fleet, told: Told) -> None:
    fleet.start(tables(NOSE, EYE, EAR))
    wait_for_result(told, "nose")
    first = [result.pipeline for result in told.records if isinstance(result, Result)]
    assert sorted(set(first), key=first.index) == ["ear", "eye", "nose"]
    assert not fleet.have_ended


def test_pipelines_end_with_the_one_that_starts_them(
    fleet: Fleet, told: Told, frames: dict[str, int], sources: dict[str, list[Scripted]]
) -> None:
    frames["ear"] = 3
    fleet.start(tables(EAR, EYE.replace('"0"', '"zebra"'), NOSE))
    wait_for_health(told, "ear", "the recording has ended")
    for name, waits_for in (("eye", "ear"), ("nose", "eye")):
        assert not fleet.have_ended
        fleet.check()
        ended = wait_for_health(told, name, f"pipeline {waits_for}, which starts it, has ended")
        assert ended.state is HealthState.STOPPED
    assert fleet.have_ended
    assert [source.wanted for source in (*sources["eye"], *sources["nose"])] == [[], []]


def test_one_whose_starter_is_disabled_sleeps_on_until_that_is_back(
    fleet: Fleet, told: Told
) -> None:
    asleep = 'asleep until pipeline ear finds "0"'
    fleet.start(tables(EYE, EAR))
    wait_for_result(told, "eye")
    for name in ("ear", "eye"):
        fleet.set_enabled(name, False)
    fleet.set_enabled("eye", True)
    wait_for_health(told, "eye", asleep)
    fleet.check()
    assert [runner.ended for runner in fleet.runners()] == [False]
    assert not fleet.have_ended
    fleet.set_enabled("ear", True)
    wait_for_health(told, "eye", None)
    wait_for_result(told, "eye")


def test_a_reload_that_begins_the_starter_anew_lets_those_wait_anew_that_ended_with_it(
    fleet: Fleet, told: Told, frames: dict[str, int], sources: dict[str, list[Scripted]]
) -> None:
    frames["ear"] = 3
    silent = EYE.replace('"0"', '"zebra"')
    fleet.start(tables(OTHER, NOSE, silent, EAR))
    wait_for_health(told, "ear", "the recording has ended")
    for name in ("eye", "nose"):
        fleet.check()
        told.wait_for(
            Health,
            lambda health, name=name: health.pipeline == name and health.state.value == "stopped",
        )
    # What is not touched stays ended.
    assert fleet.reload(tables(OTHER, NOSE, silent, EAR)) == "no pipeline changed"
    assert fleet.reload(tables(OTHER, NOSE, silent, f"{EAR}\nmax_results = 3")) == (
        "started nose, eye, ear"
    )
    wait_for_health(told, "eye", 'asleep until pipeline ear finds "zebra"')
    assert len(sources["other"]) == 1


def test_another_trigger_is_taken_by_a_reload(fleet: Fleet, told: Told) -> None:
    fleet.start(tables(EYE.replace('"0"', '"zebra"'), EAR))
    wait_for_health(told, "eye", 'asleep until pipeline ear finds "zebra"')
    assert fleet.reload(tables(EYE, EAR)) == "started eye"
    wait_for_result(told, "eye")
    assert fleet.reload(tables(EYE.partition("when")[0], EAR)) == "started eye"
    wait_for_health(told, "eye", None)


def test_a_label_that_the_starters_model_cannot_find_is_told_once(
    fleet: Fleet, told: Told, labels: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    labels += ["person", "cat", "dog"]
    waits_for = [EYE.replace('"0"', f'"{label}"') for label in ("persn", "Person")]
    fleet.start(tables(waits_for[0], EAR))
    wait_for_health(told, "eye", 'asleep until pipeline ear finds "persn"')
    wait_for_result(told, "ear")
    fleet.reload(tables(waits_for[0], f"{EAR}\nmax_results = 3"))
    fleet.reload(tables(waits_for[1], f"{EAR}\nmax_results = 3"))
    warnings = [line for line in caplog.messages if "will not wake" in line]
    assert warnings == [
        'pipeline eye will not wake: it is asleep until pipeline ear finds "persn", and the model '
        'has no label "persn" (did you mean "person"?): nothing is published for it'
    ]
