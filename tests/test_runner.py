"""One pipeline as the daemon runs it: what tests of the whole daemon do not reach."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from household import PATIENCE_S, RED, House

from edged.cadence import Cadence, Publish
from edged.engine.geometry import Fit
from edged.loading import LoadOptions
from edged.records import (
    Frame,
    Health,
    HealthState,
    ModelReport,
    PixelOrder,
    Record,
    Result,
    Size,
    Verdict,
)
from edged.runner import Plan, Runner
from edged.store.models import ModelStore

PLAN = Plan(
    name="front",
    model="classifier_uint8",
    source_kind="scripted",
    frame_size=None,
    fps=None,
    realtime=False,
    threshold=0.5,
    labels=None,
    max_results=25,
    options=LoadOptions(threads=1, delegate=None, fit=Fit.LETTERBOX),
)


class Scripted:
    """Gives so many red frames and ends; None: hangs at once, until it is let go."""

    live = False

    def __init__(self, frames: int | None) -> None:
        self._left = frames
        self.wanted: Size | None = None
        self.let_go = threading.Event()

    def open(self, want: Size | None) -> None:
        self.wanted = want

    def read(self) -> Frame | None:
        if self._left is None:
            self.let_go.wait(PATIENCE_S)
            return None
        self._left -= 1
        if self._left < 0:
            return None
        return Frame(0, 0, 0, np.full((48, 64, 3), RED, np.uint8), PixelOrder.RGB)

    def close(self) -> None:
        pass


class Told:
    """What a runner has handed over, as it comes."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._coming: queue.Queue[Record] = queue.Queue()

    def publish(self, record: Record) -> None:
        self._coming.put(record)

    def wait_for(self, holds: Callable[[Record], bool]) -> Record:
        while True:
            self.records.append(self._coming.get(timeout=PATIENCE_S))
            if holds(self.records[-1]):
                return self.records[-1]

    def wait_for_state(self, state: HealthState) -> Health:
        found = self.wait_for(lambda one: isinstance(one, Health) and one.state is state)
        assert isinstance(found, Health)
        return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def started(house: House, told: Told) -> Iterator[Callable[..., Runner]]:
    """``started(source, model=..., frame_size=...)``: a runner that is stopped in the end."""
    runners: list[Runner] = []
    store = ModelStore(house.models, house.directory / "state")
    store.open()

    def start(
        source: Scripted, on_end: Callable[[], None] = lambda: None, **plan: object
    ) -> Runner:
        runner = Runner(
            replace(PLAN, **plan),  # type: ignore[arg-type]
            source,
            Cadence(Publish.EVERY, interval_s=10),
            itertools.count(),
            store,
            publish=told.publish,
            on_model=lambda: None,
            on_end=on_end,
        )
        runners.append(runner)
        runner.start()
        return runner

    yield start
    for runner in runners:
        runner.stop("the test is over", PATIENCE_S)


def test_a_recording_is_inferred_to_its_last_frame_before_its_end_is_told(
    house: House, told: Told, started: Callable[..., Runner]
) -> None:
    house.model("classifier_uint8")
    ended = threading.Event()
    runner = started(Scripted(frames=20), on_end=ended.set)
    assert ended.wait(PATIENCE_S)
    assert told.wait_for_state(HealthState.STOPPED).reason == "the recording has ended"
    assert sum(isinstance(record, Result) for record in told.records) == 20
    assert runner.ended
    metrics = runner.metrics(now_ns=1)
    assert (metrics.frames, metrics.inferred, metrics.published, metrics.dropped) == (20, 20, 20, 0)
    # Stopping it afterwards tells nothing new.
    assert runner.stop("edged was stopped", PATIENCE_S)
    assert told._coming.empty()


def test_what_serves_is_told_once_it_does(
    house: House, told: Told, started: Callable[..., Runner]
) -> None:
    runner = started(Scripted(frames=1))
    refused = told.wait_for(lambda one: isinstance(one, ModelReport))
    assert isinstance(refused, ModelReport)
    assert refused.active is None
    assert refused.candidate is not None
    assert (refused.candidate.verdict, refused.candidate.version) == (Verdict.REFUSED, None)
    assert not runner.has_model
    info = runner.info()
    assert (info.task, info.model, info.labels) == (None, None, ())

    house.model("classifier_uint8")
    accepted = told.wait_for(lambda one: isinstance(one, ModelReport) and one.active is not None)
    assert isinstance(accepted, ModelReport)
    assert accepted.candidate is not None
    assert accepted.candidate.verdict is Verdict.ACCEPTED
    assert accepted.active is not None
    assert runner.info().model == accepted.active.ref
    assert runner.info().task == "classification"


@pytest.mark.parametrize(
    ("frame_size", "wanted"),
    # The whole frame, as a letterbox of 32 x 32 holds it.
    [(Size(1280, 720), Size(32, 18)), (None, None)],
)
def test_a_source_that_scales_is_asked_for_the_models_size(
    house: House,
    told: Told,
    started: Callable[..., Runner],
    frame_size: Size | None,
    wanted: Size | None,
) -> None:
    house.model("classifier_uint8")
    source = Scripted(frames=1)
    started(source, frame_size=frame_size)
    told.wait_for_state(HealthState.STOPPED)
    assert source.wanted == wanted


def test_it_stops_at_once_while_it_waits_for_a_model(
    told: Told, started: Callable[..., Runner]
) -> None:
    runner = started(Scripted(frames=1))
    assert told.wait_for_state(HealthState.STOPPED).reason is not None
    assert runner.stop("edged was stopped", timeout_s=PATIENCE_S)
    assert told.wait_for_state(HealthState.STOPPED).reason == "edged was stopped"


def test_a_source_that_is_stuck_is_left_behind_and_said_so(
    house: House, told: Told, started: Callable[..., Runner]
) -> None:
    house.model("classifier_uint8")
    source = Scripted(frames=None)
    runner = started(source)
    told.wait_for(lambda one: isinstance(one, ModelReport))
    runner.ask_to_stop()
    runner._thread.join(PATIENCE_S)
    try:
        assert not runner.stop("edged was stopped", timeout_s=0.05)
        assert told.wait_for_state(HealthState.STOPPED).reason == "edged was stopped"
    finally:
        source.let_go.set()
