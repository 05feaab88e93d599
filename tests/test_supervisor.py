"""What systemd is told, and when it is not: from scripted pipelines, with a clock of our own."""

from __future__ import annotations

import itertools
import logging

import pytest
from msgspec.structs import replace

from edged.records.health import HealthState
from edged.service.notify import Notifier
from edged.supervisor import Outlook, Supervisor, Vitals

S = 1_000_000_000
RUNS = Vitals("front", HealthState.RUNNING, None, busy_since_ns=None, died=None, inferred=0)
STARTS = replace(RUNS, state=None)
LOST = replace(RUNS, name="back", state=HealthState.SOURCE_LOST, reason="There is no camera.")
CALM = Outlook(waiting=0)


class Heard(Notifier):
    """A notifier that remembers what it was to tell."""

    def __init__(self, watchdog_s: float | None = None) -> None:
        super().__init__("/nowhere", watchdog_s)
        self.said: list[str] = []

    def _tell(self, *assignments: str) -> None:
        self.said.extend(assignments)

    def take(self, key: str) -> list[str]:
        """The values of one variable since the last time."""
        found = [said.partition("=")[2] for said in self.said if said.startswith(f"{key}=")]
        self.said = [said for said in self.said if not said.startswith(f"{key}=")]
        return found


class World:
    """A supervisor and its clock, in seconds."""

    def __init__(self, watchdog_s: float | None = None) -> None:
        self.heard = Heard(watchdog_s)
        self.now_s = 1000.0
        self.supervisor = Supervisor(self.heard, lambda: round(self.now_s * S))

    def look(self, *pipelines: Vitals, outlook: Outlook = CALM) -> None:
        self.supervisor.look(pipelines, outlook)

    def fed_in(self, seconds: float, *pipelines: Vitals, outlook: Outlook = CALM) -> int:
        """How often the watchdog is fed while so much time goes by."""
        self.heard.take("WATCHDOG")
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += self.supervisor.tick_s
            self.look(*pipelines, outlook=outlook)
        return len(self.heard.take("WATCHDOG"))

    def since(self, seconds: float) -> int:
        """The stamp of so long ago."""
        return round((self.now_s - seconds) * S)


# ---- ready ---------------------------------------------------------------------------------------


def test_ready_is_told_once_and_only_when_every_pipeline_runs_or_has_said_why_not() -> None:
    world = World()
    world.look(RUNS, replace(STARTS, name="back"))
    assert world.heard.take("READY") == []
    assert world.heard.take("EXTEND_TIMEOUT_USEC") == ["30000000"]
    world.now_s += 9
    world.look(RUNS, replace(STARTS, name="back"))
    world.now_s += 1
    world.look(RUNS, replace(STARTS, name="back"))
    assert world.heard.take("EXTEND_TIMEOUT_USEC") == ["30000000"]
    world.look(RUNS, LOST)
    world.look(RUNS, LOST)
    assert world.heard.take("READY") == ["1"]
    assert world.heard.take("EXTEND_TIMEOUT_USEC") == []


def test_a_reload_is_over_when_what_it_changed_is_ready() -> None:
    world = World()
    world.look(RUNS)
    world.supervisor.reloading()
    assert world.heard.take("RELOADING") == ["1"]
    world.heard.take("READY")
    world.look(STARTS)
    assert world.heard.take("READY") == []
    world.look(RUNS)
    assert world.heard.take("READY") == ["1"]


def test_stopping_is_told() -> None:
    world = World()
    world.supervisor.stopping()
    assert world.heard.take("STOPPING") == ["1"]


# ---- the watchdog --------------------------------------------------------------------------------


def test_nobody_is_fed_who_did_not_ask() -> None:
    assert World(watchdog_s=None).fed_in(100, RUNS) == 0


@pytest.mark.parametrize("watchdog_s", [1, 10, 30])
def test_it_is_fed_at_half_of_its_time(watchdog_s: float) -> None:
    world = World(watchdog_s)
    world.look(RUNS)
    assert 15 <= world.fed_in(10 * watchdog_s, RUNS) <= 20


@pytest.mark.parametrize(
    "pipeline",
    [
        RUNS,  # idle: a stopped camera, a slow rate
        LOST,
        replace(RUNS, state=HealthState.STOPPED, reason="no model: truncated"),
        replace(RUNS, state=HealthState.DEGRADED, reason="inference fails: NaN"),
        STARTS,
    ],
)
def test_what_a_restart_would_not_mend_does_not_stop_the_feeding(pipeline: Vitals) -> None:
    assert World(watchdog_s=10).fed_in(100, pipeline, outlook=Outlook(waiting=10_000)) >= 15


def test_a_frame_that_does_not_come_back_ends_it_within_half_of_the_time() -> None:
    world = World(watchdog_s=10)
    world.look(RUNS)
    hung = replace(RUNS, busy_since_ns=world.since(0))
    assert world.fed_in(5, hung) <= 1
    assert world.fed_in(100, hung) == 0


def test_a_long_inference_that_comes_back_in_time_costs_nothing() -> None:
    """9 of 10 s: the next feeding comes before the manager's patience is over."""
    world = World(watchdog_s=10)
    fed_s = []
    for _ in range(20):
        started_ns = world.since(0)
        for _ in range(9):
            world.now_s += 1
            world.look(replace(RUNS, busy_since_ns=started_ns))
            if world.heard.take("WATCHDOG"):
                fed_s.append(world.now_s)
    assert max(b - a for a, b in itertools.pairwise(fed_s)) < 10


@pytest.mark.parametrize(
    ("pipeline", "outlook", "said"),
    [
        (replace(RUNS, died="its inference thread"), CALM, "front: its inference thread has died"),
        (RUNS, Outlook(0, ["the publisher"]), "the publisher has died"),
    ],
)
def test_a_thread_that_has_died_ends_it_and_is_told_once(
    pipeline: Vitals, outlook: Outlook, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edged.supervisor")
    world = World(watchdog_s=10)
    assert world.fed_in(100, pipeline, outlook=outlook) == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"{said}; the watchdog is not fed any more"
    ]
    world.heard.take("STATUS")
    world.fed_in(20, pipeline, outlook=outlook)
    assert world.heard.take("STATUS")[-1].startswith(f"stuck ({said}); 1 of 1 pipeline runs")


def test_it_is_told_when_a_hung_inference_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edged.supervisor")
    world = World(watchdog_s=10)
    world.look(replace(RUNS, busy_since_ns=world.since(6)))
    world.look(RUNS)
    assert [record.getMessage() for record in caplog.records] == [
        "front: an inference took over 5 s so far; the watchdog is not fed any more",
        "all threads get on again",
    ]
    assert world.fed_in(10, RUNS) >= 1


# ---- the status ----------------------------------------------------------------------------------


def test_the_status_says_who_runs_and_who_does_not_and_why() -> None:
    world = World()
    side = replace(RUNS, name="side", state=None)
    world.look(RUNS, LOST, side, outlook=Outlook(waiting=7))
    assert world.heard.take("STATUS") == [
        "1 of 3 pipelines run; back: There is no camera; side: starting; 7 waiting for the broker"
    ]


def test_it_is_told_at_once_when_a_pipeline_changes_and_else_now_and_then() -> None:
    world = World()
    for second in range(30):
        world.now_s += 1
        world.look(replace(RUNS, inferred=15 * second))
    assert world.heard.take("STATUS") == [
        "1 of 1 pipeline runs; 0 waiting for the broker",
        "1 of 1 pipeline runs; 15.0 inferences/s; 0 waiting for the broker",
        "1 of 1 pipeline runs; 15.0 inferences/s; 0 waiting for the broker",
    ]
    world.now_s += 1
    world.look(LOST)
    assert world.heard.take("STATUS") == [
        "0 of 1 pipeline runs; back: There is no camera; 0 waiting for the broker"
    ]
