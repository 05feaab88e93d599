"""A hot chip and what becomes of a real pipeline, with a tree of files like a Pi's."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from household import House, load
from msgspec.structs import replace
from patience import PATIENCE_S
from scripted import NOTHING_LEARNT, PLAN, Scripted, Told

from edged.cadence import Cadence, Publish
from edged.climate import LOOK_EVERY_S, Climate
from edged.records.health import Health, HealthState
from edged.runner import Runner
from edged.service.chip import Chip
from edged.slots import Slots


class Weather:
    """A climate over a fake root, with a clock of its own."""

    def __init__(self, root: Path, hot_c: float | None) -> None:
        self.zone = root / "sys/class/thermal/thermal_zone0"
        self.zone.mkdir(parents=True)
        (self.zone / "type").write_text("cpu-thermal\n")
        self.now_s = 0.0
        chip = Chip(root, command=lambda: None)
        self.climate = Climate(hot_c, chip, lambda: self.now_s)

    def look(self, degrees: int, *runners: Runner, seconds: float = LOOK_EVERY_S) -> None:
        (self.zone / "temp").write_text(f"{degrees * 1000}\n")
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.climate.look(runners)
            self.now_s += LOOK_EVERY_S


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def runner(told: Told) -> Iterator[Runner]:
    made = Runner(
        replace(PLAN, model="classifier_uint8"),
        Scripted(),
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
    )
    made.start()
    yield made
    made.stop("the test is over", PATIENCE_S)


def test_a_hot_chip_is_told_in_health_and_logged_and_so_is_its_recovery(
    tmp_path: Path, told: Told, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edged.climate")
    house = House(tmp_path)
    house.model("classifier_uint8")
    runner.swap("one", load(house.models, "classifier_uint8"), None)
    told.wait_for_state(HealthState.RUNNING)
    weather = Weather(tmp_path / "root", hot_c=80)
    weather.look(82, runner)
    degraded = told.wait_for(Health)
    assert degraded.state is HealthState.DEGRADED
    assert degraded.reason == "slowed to 3/4: the chip is at 82 °C"
    assert weather.climate.temperature_c == 82
    weather.look(60, runner, seconds=200)
    assert told.wait_for(Health).state is HealthState.RUNNING
    logged = [record for record in caplog.records if record.name == "edged.climate"]
    assert [record.getMessage() for record in logged] == [
        "pipelines slowed to 3/4: the chip is at 82 °C",
        "pipelines take all frames again",
    ]


def test_a_pipeline_that_has_not_begun_is_not_said_to_run_because_it_is_slowed(
    tmp_path: Path, told: Told, runner: Runner
) -> None:
    Weather(tmp_path, hot_c=80).look(90, runner)
    assert told.rest() == []


def test_without_a_governor_the_facts_are_told_and_nothing_is_slowed(
    tmp_path: Path, told: Told, runner: Runner
) -> None:
    weather = Weather(tmp_path, hot_c=None)
    weather.look(90, runner, seconds=1000)
    assert weather.climate.temperature_c == 90
    assert weather.climate.slowing.share == 1
    assert told.rest() == []


def test_the_chip_is_not_asked_more_often_than_is_of_use(tmp_path: Path, runner: Runner) -> None:
    weather = Weather(tmp_path, hot_c=80)
    weather.look(50)
    (weather.zone / "temp").write_text("60000")
    weather.now_s -= 0.1
    weather.climate.look([runner])
    assert weather.climate.temperature_c == 50
