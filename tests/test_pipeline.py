"""One frame's journey and the loop around it, with real small models."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from household import BLUE, RED, SMALL_MODELS
from msgspec.structs import replace

from edged.cadence import Cadence, Publish
from edged.engine.engines import Engines
from edged.engine.geometry import Fit
from edged.engine.interpreter import Engine
from edged.filter import Filter
from edged.handoff import LatestSlot
from edged.model import Model
from edged.pipeline import Pipeline, Serving
from edged.reading import read_model
from edged.records.frames import Frame, PixelOrder
from edged.records.models import ModelSpec
from edged.records.results import Result
from edged.samples import Captured, Channel, Gives, Window
from edged.service.metrics import PipelineStats
from edged.slots import Slots
from edged.store.models import read_model_files
from edged.trial import Expected

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
NAN_WHEN_BRIGHT = "classifier_float32_nan_when_bright"
EVERYTHING = Filter(str, threshold=0, allowed=None, max_results=25)


# Held against its own first results alone.
PROBED = Expected(invoke_ms=0, budget_ms=None)
NOT_FINITE = "its scores are not finite numbers"


def model(name: str) -> Model:
    path = SMALL_MODELS / f"{name}.tflite"
    files, engine = read_model_files(path), Engine(path, threads=1)
    gives = Gives.WINDOWS if name.startswith("window") else Gives.FRAMES
    reading = read_model(files, engine.inputs, engine.outputs, gives)
    spec = ModelSpec(name, files.facts.sha256, len(files.data), reading.task.name, ())
    return Model(spec, Engines(engine), reading, Fit.STRETCH)


def serving(name: str, expected: Expected | None = None) -> Serving:
    return Serving(name, model(name), EVERYTHING, expected)


def frame(colour: tuple[int, int, int], height: int = 48) -> Frame:
    """It arrives now, 5 ms after its capture."""
    pixels = np.full((height, 64, 3), colour, np.uint8)
    now_ns = time.monotonic_ns()
    return Frame(0, now_ns - 5_000_000, now_ns, pixels, PixelOrder.RGB)


def window(length: int, width: int, value: float = 1.0) -> Window:
    samples = np.full((length, width), value, np.float32)
    channels = tuple(Channel(name) for name in "xyz"[:width])
    now_ns = time.monotonic_ns()
    return Window(0, now_ns - 5_000_000, now_ns, samples, 10.0, channels, first=0)


@dataclass
class Run:
    """A pipeline that has run over frames or windows, one after another, to the end.

    ``first``: what serves and what was to serve before it. ``swaps``: what is swapped in before
    the frame of that number. ``trials`` holds the ends of trials: what was tried, why it failed,
    what served then.
    """

    frames: Sequence[Captured]
    name: str = "classifier_uint8"
    expected: Expected | None = None
    first: tuple[Serving, Serving | None] | None = None
    swaps: dict[int, Serving] = field(default_factory=dict)
    publish: Publish = Publish.EVERY
    sequence: Iterator[int] = field(default_factory=itertools.count)
    results: list[Result] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)
    trials: list[tuple[str, str | None, str]] = field(default_factory=list)
    tries_when_ready: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stats = PipelineStats(0)
        slot = _Slot(self.frames, self._before_frame)
        self._pipeline = Pipeline(
            "front",
            slot,
            Cadence(self.publish, interval_s=1e6),
            self.stats,
            self.sequence,
            publish=self.results.append,
            send=lambda: None,
            on_fault=self.faults.append,
            on_trial=lambda tried, failure, now: self.trials.append(
                (tried.bundle, failure, now.bundle)
            ),
            turn=Slots(2).turn(1),
        )
        self._pipeline.swap(*(self.first or (serving(self.name, self.expected), None)))
        self._pipeline.run(ready=lambda: self.tries_when_ready.append(self._pipeline.tries))

    def _before_frame(self, number: int) -> None:
        if number in self.swaps:
            self._pipeline.swap(self.swaps[number])

    @property
    def served(self) -> list[tuple[str, int]]:
        """Which models the results came from, and how many in a row."""
        names = itertools.groupby(result.model.name for result in self.results)
        return [(name, len(list(group))) for name, group in names]


class _Slot(LatestSlot[Captured]):
    """Filled again whenever it is empty, then closed."""

    def __init__(self, frames: Sequence[Captured], before_frame: Callable[[int], None]) -> None:
        super().__init__()
        self._frames = iter(enumerate(frames))
        self._before_frame = before_frame

    def wait(self) -> int:
        coming = next(self._frames, None)
        if coming is None:
            self.close()
        else:
            number, item = coming
            self._before_frame(number)
            self.put(item)
        return super().wait()


def test_no_frame_is_asked_for_while_the_first_model_waits_to_be_taken_up() -> None:
    """Else a gate would let frames pass for the sake of a model that has passed its trial."""
    assert Run([]).tries_when_ready == [False]


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


def test_a_fault_costs_its_frames_and_no_number_and_its_end_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    colours = (BLACK, WHITE, WHITE, BLACK, BLACK)
    with caplog.at_level(logging.INFO, "edged.pipeline"):
        run = Run([frame(colour) for colour in colours], NAN_WHEN_BRIGHT)
    assert caplog.messages == ["pipeline front: it had failed on 2 frames"]
    assert [result.sequence for result in run.results] == [0, 1, 2]
    assert run.faults == [NOT_FINITE, None]
    assert run.stats.inferred == 3


def test_a_mistake_of_ours_costs_its_frames_alone_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    empty = frame(RED, height=0)  # no source gives such a frame
    with caplog.at_level(logging.ERROR, "edged.pipeline"):
        run = Run([frame(RED), empty, empty, frame(BLUE)])
    assert [result.sequence for result in run.results] == [0, 1]
    assert run.faults == ["ZeroDivisionError: float division by zero", None]
    (message,) = caplog.messages
    assert message.startswith("pipeline front: Traceback (most recent call last):")


def test_others_are_let_work_when_the_engine_is_about_to_or_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    invoke = Engine.invoke
    served = serving("classifier_uint8")
    monkeypatch.setattr(Engine, "invoke", lambda self: said.append("invoked") or invoke(self))
    slot: LatestSlot[Captured] = LatestSlot()
    monkeypatch.setattr(slot, "let_give", lambda: said.append("source"))
    slot.hold(2)
    slot.put(frame(RED))
    slot.put(frame(BLUE))
    slot.close()
    pipeline = Pipeline(
        "front",
        slot,
        Cadence(Publish.EVERY, interval_s=1),
        PipelineStats(0),
        itertools.count(),
        publish=lambda _: said.append("published"),
        send=lambda: said.append("sent"),
        on_fault=lambda _: None,
        on_trial=lambda *_: None,
        turn=Slots(1).turn(1),
    )
    pipeline.swap(served)
    pipeline.run()
    each = ["source", "invoked", "published", "sent"]
    assert said == [*each, *each, "source"]


# ---- swaps and trials ----------------------------------------------------------------------------


def reds(number: int) -> list[Frame]:
    return [frame(RED) for _ in range(number)]


def gapless(run: Run) -> bool:
    return [result.sequence for result in run.results] == list(range(len(run.frames)))


def test_another_model_serves_from_the_next_frame_on() -> None:
    run = Run(reds(5), swaps={3: serving("classifier_int8")})
    assert run.served == [("classifier_uint8", 3), ("classifier_int8", 2)]
    assert gapless(run)
    assert run.trials == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nan_after_20", NOT_FINITE), ("error_after_20", "the runtime cannot run it: ")],
)
def test_a_model_that_fails_on_trial_gives_way_and_the_one_before_takes_its_frame(
    name: str, reason: str
) -> None:
    run = Run(reds(40), swaps={5: serving(name, PROBED)})
    assert run.served == [("classifier_uint8", 5), (name, 20), ("classifier_uint8", 15)]
    assert gapless(run)
    ((tried, failure, now),) = run.trials
    assert (tried, now) == (name, "classifier_uint8")
    assert failure is not None
    assert failure.startswith(reason)
    assert run.faults == []


def test_what_was_to_serve_is_gone_back_to_even_where_it_had_not_begun() -> None:
    nan, uint8 = serving("nan_after_20", PROBED), serving("classifier_uint8")
    run = Run(reds(30), first=(nan, uint8))
    assert run.served == [("nan_after_20", 20), ("classifier_uint8", 10)]
    assert run.trials == [("nan_after_20", NOT_FINITE, "classifier_uint8")]


def test_a_model_that_becomes_slow_on_trial_gives_way_and_its_results_count() -> None:
    run = Run(reds(50), swaps={5: serving("slow_after_20", PROBED)})
    assert [name for name, _ in run.served] == [
        "classifier_uint8",
        "slow_after_20",
        "classifier_uint8",
    ]
    assert gapless(run)
    ((tried, failure, now),) = run.trials
    assert (tried, now) == ("slow_after_20", "classifier_uint8")
    assert failure is not None
    assert failure.startswith("it became too slow after ")


def test_a_first_model_has_nothing_to_give_way_to() -> None:
    run = Run(reds(30), "nan_after_20", PROBED)
    assert len(run.results) == 20
    assert run.faults == [NOT_FINITE]
    assert run.trials == []


def test_one_that_fails_gives_way_to_the_last_good_one_and_not_to_one_on_trial() -> None:
    swaps = {5: serving("classifier_int8", PROBED), 10: serving("nan_after_20", PROBED)}
    run = Run(reds(40), swaps=swaps)
    assert [name for name, _ in run.served] == [
        "classifier_uint8",
        "classifier_int8",
        "nan_after_20",
        "classifier_uint8",
    ]
    assert gapless(run)
    assert run.trials == [("nan_after_20", NOT_FINITE, "classifier_uint8")]


def test_where_none_is_good_yet_one_that_fails_gives_way_to_the_one_before() -> None:
    run = Run(reds(40), expected=PROBED, swaps={5: serving("nan_after_20", PROBED)})
    assert run.served == [("classifier_uint8", 5), ("nan_after_20", 20), ("classifier_uint8", 15)]
    assert gapless(run)


def test_what_needs_no_trial_ends_that_of_the_one_before() -> None:
    swaps = {5: serving("nan_after_20", PROBED), 10: serving("nan_after_20")}
    run = Run(reds(40), swaps=swaps)
    assert run.faults == [NOT_FINITE]
    assert run.trials == []


# ---- windows -------------------------------------------------------------------------------------

SHORT, LONG = "window_float32", "window_one_channel"


def test_a_window_goes_the_way_of_a_frame() -> None:
    taken = window(8, 3)
    (result,) = Run([taken], SHORT).results
    assert (result.sequence, result.captured_ns) == (0, taken.captured_ns)
    spent = result.latency_ms
    stages = (spent.wait, spent.preprocess, spent.inference, spent.decode)
    assert all(stage > 0 for stage in stages)
    assert spent.total == pytest.approx(sum(stages), abs=1e-6)


def test_a_model_of_another_shape_begins_with_the_first_window_that_was_cut_for_it() -> None:
    windows = [window(8, 3), window(8, 3), window(8, 3), window(16, 1), window(16, 1)]
    run = Run(windows, SHORT, swaps={1: serving(LONG)})
    assert run.served == [(SHORT, 3), (LONG, 2)]
    assert gapless(run)
    assert (run.faults, run.stats.unfit) == ([], 0)


def test_windows_cut_for_a_model_that_has_given_way_are_passed_over_and_counted() -> None:
    bad = replace(window(16, 1), channels=(Channel("x"), Channel("y")))
    windows = [window(8, 3), bad, window(16, 1), window(8, 3)]
    run = Run(windows, SHORT, swaps={1: serving(LONG, PROBED)})
    assert run.served == [(SHORT, 2)]
    ((tried, failure, now),) = run.trials
    assert (tried, now) == (LONG, SHORT)
    assert failure is not None
    assert failure.startswith("it takes 1 channels, and the source gives 2 (x, y).")
    assert (run.faults, run.stats.unfit) == ([], 1)


def test_values_that_are_no_numbers_are_told_and_held_against_no_model() -> None:
    nan = window(8, 3, float("nan"))
    run = Run([window(8, 3), nan, nan, window(8, 3)], SHORT, swaps={1: serving(SHORT, PROBED)})
    assert [result.sequence for result in run.results] == [0, 1]
    assert run.trials == []
    told, over = run.faults
    assert told is not None
    assert told.startswith("the source gives values of x that are not finite numbers")
    assert over is None


def test_what_is_fed_back_goes_on_from_window_to_window_and_not_over_a_gap() -> None:
    # The fourth begins where samples are missing, the last one where the source was opened anew.
    firsts = (0, 8, 12, 21, 29, 0)
    windows = [replace(window(8, 3), first=first) for first in firsts]
    for one in windows:
        one.samples[:, 1:] = 0
    scores = [result.findings[0].score for result in Run(windows, "window_stateful").results]
    assert scores[0] < scores[1] < scores[2]
    assert scores[3:] == [scores[0], scores[1], scores[0]]
