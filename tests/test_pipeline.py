"""One frame's journey and the loop around it, with real small models."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from household import BLUE, RED, SMALL_MODELS

from edged.cadence import Cadence, Publish
from edged.engine.geometry import Fit
from edged.engine.interpreter import Engine
from edged.filter import Filter
from edged.handoff import LatestSlot
from edged.model import Model
from edged.pipeline import Pipeline
from edged.reading import read_model
from edged.records import Frame, ModelSpec, PixelOrder, Result
from edged.service.metrics import PipelineStats
from edged.store.models import read_model_files

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
NAN_WHEN_BRIGHT = "classifier_float32_nan_when_bright"
EVERYTHING = Filter(str, threshold=0, allowed=None, max_results=25)


def model(name: str) -> Model:
    path = SMALL_MODELS / f"{name}.tflite"
    files, engine = read_model_files(path), Engine(path, threads=1)
    reading = read_model(files, engine.inputs, engine.outputs)
    spec = ModelSpec(name, files.facts.sha256, len(files.data), reading.task.name, ())
    return Model(spec, engine, reading, Fit.STRETCH)


def frame(colour: tuple[int, int, int], height: int = 48) -> Frame:
    """It arrives now, 5 ms after its capture."""
    pixels = np.full((height, 64, 3), colour, np.uint8)
    now_ns = time.monotonic_ns()
    return Frame(0, now_ns - 5_000_000, now_ns, pixels, PixelOrder.RGB)


@dataclass
class Run:
    """A pipeline that has run over frames, one after another, to the end."""

    frames: list[Frame]
    name: str = "classifier_uint8"
    publish: Publish = Publish.EVERY
    sequence: Iterator[int] = field(default_factory=itertools.count)
    results: list[Result] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stats = PipelineStats(0)
        slot = _Slot(self.frames)
        Pipeline(
            "front",
            slot,
            Cadence(self.publish, interval_s=1e6),
            self.stats,
            self.sequence,
            publish=self.results.append,
            on_fault=self.faults.append,
        ).run(model(self.name), EVERYTHING)


class _Slot(LatestSlot[Frame]):
    """Filled again whenever it is empty, then closed."""

    def __init__(self, frames: list[Frame]) -> None:
        super().__init__()
        self._frames = iter(frames)

    def take(self, timeout_s: float | None = None) -> Frame | None:
        coming = next(self._frames, None)
        if coming is None:
            self.close()
        else:
            self.put(coming)
        return super().take(timeout_s)


def test_a_result_tells_when_from_which_model_and_how_long() -> None:
    taken = frame(RED)
    (result,) = Run([taken]).results
    assert (result.pipeline, result.sequence, result.task) == ("front", 0, "classification")
    assert result.captured_ns == taken.captured_ns
    assert result.model.name == "classifier_uint8"
    assert len(result.model.version) == 12
    spent = result.latency_ms
    stages = (spent.wait, spent.preprocess, spent.inference, spent.decode)
    assert all(stage > 0 for stage in stages)
    # The capture's 5 ms before the frame's arrival are no part of it.
    assert spent.total == pytest.approx(sum(stages), abs=1e-6)


def test_numbers_count_what_is_published_and_statistics_what_is_inferred() -> None:
    run = Run([frame(RED), frame(RED), frame(BLUE), frame(RED)], publish=Publish.CHANGE)
    assert [result.sequence for result in run.results] == [0, 1, 2]
    assert (run.stats.inferred, run.stats.published) == (4, 3)


def test_a_pipeline_that_is_built_anew_goes_on_counting() -> None:
    sequence = itertools.count()
    Run([frame(RED), frame(RED)], sequence=sequence)
    assert Run([frame(RED)], sequence=sequence).results[0].sequence == 2


def test_a_fault_costs_its_frames_and_no_number_and_its_end_is_told() -> None:
    colours = (BLACK, WHITE, WHITE, BLACK, BLACK)
    run = Run([frame(colour) for colour in colours], NAN_WHEN_BRIGHT)
    assert [result.sequence for result in run.results] == [0, 1, 2]
    assert run.faults == [*["its scores are not finite numbers"] * 2, None]
    assert run.stats.inferred == 3


def test_a_mistake_of_ours_costs_its_frames_alone_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    empty = frame(RED, height=0)  # no source gives such a frame
    with caplog.at_level(logging.ERROR, "edged.pipeline"):
        run = Run([frame(RED), empty, empty, frame(BLUE)])
    assert [result.sequence for result in run.results] == [0, 1]
    assert run.faults == [*["ZeroDivisionError: float division by zero"] * 2, None]
    (message,) = caplog.messages
    assert message.startswith("pipeline front: Traceback (most recent call last):")
