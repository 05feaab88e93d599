"""A pipeline's state as it is told."""

from __future__ import annotations

import logging

import pytest

from edged.health import HealthLamp
from edged.records.health import Health, HealthState


@pytest.fixture
def told() -> list[Health]:
    return []


@pytest.fixture
def lamp(told: list[Health]) -> HealthLamp:
    return HealthLamp("front", told.append)


def states(told: list[Health]) -> list[tuple[str, str | None]]:
    return [(health.state.value, health.reason) for health in told]


def test_only_changes_are_told(lamp: HealthLamp, told: list[Health]) -> None:
    for lost in (None, None, "no camera", "no camera", "no such camera", None, None):
        lamp.source(lost)
    assert states(told) == [
        ("running", None),
        ("source-lost", "no camera"),
        ("source-lost", "no such camera"),
        ("running", None),
    ]


def test_an_inference_that_works_again_does_not_hide_a_lost_source(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.inference("NaN")
    lamp.source("no camera")
    lamp.inference(None)
    lamp.source(None)
    assert states(told) == [
        ("degraded", "inference fails: NaN"),
        ("source-lost", "no camera"),
        ("running", None),
    ]


def test_a_pipeline_that_sleeps_is_well_and_tells_what_it_waits_for(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.asleep("asleep until dawn")
    lamp.asleep(None)
    lamp.source(None)
    lamp.asleep("asleep until dawn")
    assert states(told) == [
        ("running", "asleep until dawn"),
        ("running", None),
        ("running", "asleep until dawn"),
    ]


def test_sleep_does_not_hide_that_the_source_was_lost_or_the_model_fails(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.source("no camera")
    lamp.asleep("asleep until dawn")
    assert states(told) == [("source-lost", "no camera")]
    lamp.inference("NaN")
    lamp.source(None)
    assert states(told)[1:] == [("degraded", "inference fails: NaN")]


def test_a_source_that_is_back_does_not_hide_a_failing_inference(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.inference("NaN")
    lamp.source("no camera")
    lamp.source(None)
    assert states(told)[-1] == ("degraded", "inference fails: NaN")


def test_times_are_of_the_monotonic_clock_and_rise(lamp: HealthLamp, told: list[Health]) -> None:
    lamp.source(None)
    lamp.stopped("done", expected=True)
    assert told[1].state is HealthState.STOPPED
    assert 0 < told[0].since_ns <= told[1].since_ns


def test_what_is_wrong_is_logged_as_a_warning_and_the_rest_as_information(
    lamp: HealthLamp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edged.health")
    lamp.source(None)
    lamp.source("no camera")
    lamp.stopped("edged was stopped", expected=True)
    lamp.stopped("no model: truncated", expected=False)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "pipeline front: running"),
        ("WARNING", "pipeline front: source-lost: no camera"),
        ("INFO", "pipeline front: stopped: edged was stopped"),
        ("WARNING", "pipeline front: stopped: no model: truncated"),
    ]


def test_a_pipeline_that_is_slowed_is_degraded_and_what_else_is_wrong_still_shows(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.slowed("slowed to 3/4: the chip is at 81 °C")
    assert told == []  # it has not begun
    lamp.source(None)
    lamp.inference("NaN")
    lamp.source("no camera")
    lamp.slowed("slowed to 1/2: the chip is at 82 °C")
    lamp.source(None)
    lamp.inference(None)
    lamp.slowed(None)
    assert states(told) == [
        ("degraded", "slowed to 3/4: the chip is at 81 °C"),
        ("degraded", "inference fails: NaN; slowed to 3/4: the chip is at 81 °C"),
        ("source-lost", "no camera"),
        ("degraded", "inference fails: NaN; slowed to 1/2: the chip is at 82 °C"),
        ("degraded", "slowed to 1/2: the chip is at 82 °C"),
        ("running", None),
    ]


def test_an_inference_that_does_not_come_back_is_degraded_until_it_does(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.source(None)
    lamp.hung("an inference took over 30 s so far")
    lamp.hung(None)
    assert states(told)[1:] == [
        ("degraded", "an inference took over 30 s so far"),
        ("running", None),
    ]


def test_a_pipeline_that_has_stopped_stays_so_whatever_the_chip_does(
    lamp: HealthLamp, told: list[Health]
) -> None:
    lamp.stopped("the recording has ended", expected=True)
    lamp.slowed("slowed to 1/2: the chip is at 82 °C")
    lamp.slowed(None)
    assert len(told) == 1
