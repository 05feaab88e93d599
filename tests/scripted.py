"""A runner without a camera and a broker: a source that is told what to give, and a listener."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from household import RED
from patience import PATIENCE_S

from edged.engine.geometry import Fit
from edged.loading import LoadOptions
from edged.plan import Plan
from edged.records.frames import Frame, PixelOrder, Size
from edged.records.health import Health, HealthState
from edged.records.models import Candidate, ModelReport, Verdict
from edged.records.published import Record
from edged.records.results import Result
from edged.store.baselines import Baselines

NOTHING_LEARNT = Baselines(Path("/nonexistent/anomaly.json"))  # never opened nor written
ENDLESS = 1_000_000_000
PLAN = Plan(
    name="front",
    model="classifier_uint8",
    source_kind="scripted",
    frame_size=None,
    fps=100,
    realtime=False,
    threshold=0.5,
    labels=None,
    max_results=25,
    options=LoadOptions(threads=1, delegate=None, fit=Fit.LETTERBOX),
)
Kind = TypeVar("Kind", bound=Record)


class Scripted:
    """Gives so many red frames and ends; None: hangs at once, until it is let go.

    ``wanted`` holds the size that was asked for at each opening; ``is_open`` and ``closes`` count.
    """

    live = False

    def __init__(self, frames: int | None = ENDLESS) -> None:
        self._left = frames
        self.wanted: list[Size | None] = []
        self.is_open = False
        self.closes = 0
        self.reading = threading.Event()
        self.let_go = threading.Event()

    def open(self, want: Size | None) -> None:
        self.wanted.append(want)
        self.is_open = True

    def read(self) -> Frame | None:
        self.reading.set()
        if self._left is None:
            self.let_go.wait(PATIENCE_S)
            return None
        self._left -= 1
        if self._left < 0:
            return None
        now_ns = time.monotonic_ns()
        pixels = np.full((48, 64, 3), RED, np.uint8)
        return Frame(0, now_ns, now_ns, pixels, PixelOrder.RGB)

    def close(self) -> None:
        self.closes += self.is_open
        self.is_open = False


class Told:
    """What runners have handed over, as it comes; ``records`` is what was waited for so far."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._coming: queue.Queue[Record] = queue.Queue()

    def publish(self, record: Record) -> None:
        self._coming.put(record)

    def wait_for(self, kind: type[Kind], holds: Callable[[Kind], bool] = lambda _: True) -> Kind:
        """The next record of that kind that holds."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                record = self._coming.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                others = [one for one in self.records if not isinstance(one, Result)]
                raise AssertionError(f"no such {kind.__name__}, but {others}") from None
            self.records.append(record)
            if isinstance(record, kind) and holds(record):
                return record

    def wait_for_state(self, state: HealthState) -> Health:
        return self.wait_for(Health, lambda health: health.state is state)

    def wait_for_verdict(self, verdict: Verdict, pipeline: str = "front") -> ModelReport:
        """The pipeline's next report, which must be of this verdict. On a slow machine a trial may
        be passed before a test is through with what it is about: that is not waited for here.
        """
        tried = {candidate(one).version for one in self.reports(pipeline, Verdict.TRIAL)}

        def is_next(report: ModelReport) -> bool:
            passed = candidate(report).verdict is Verdict.ACCEPTED
            meanwhile = passed and candidate(report).version in tried
            return report.pipeline == pipeline and (verdict is Verdict.ACCEPTED or not meanwhile)

        report = self.wait_for(ModelReport, is_next)
        assert report.candidate is not None
        assert report.candidate.verdict is verdict, report.candidate
        return report

    def reports(self, pipeline: str, verdict: Verdict) -> list[ModelReport]:
        """Those among ``records``."""
        every = (one for one in self.records if isinstance(one, ModelReport))
        return [r for r in every if r.pipeline == pipeline and candidate(r).verdict is verdict]

    def results(self, pipeline: str = "front") -> list[Result]:
        """Those among ``records``."""
        return [r for r in self.records if isinstance(r, Result) and r.pipeline == pipeline]

    def rest(self) -> list[Record]:
        """What has come and was not waited for."""
        return [self._coming.get_nowait() for _ in range(self._coming.qsize())]


def of_model(name: str) -> Callable[[Result], bool]:
    return lambda result: result.model.name == name


def candidate(report: ModelReport) -> Candidate:
    assert report.candidate is not None
    return report.candidate
