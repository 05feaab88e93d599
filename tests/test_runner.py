"""One pipeline as the daemon runs it: what tests of the whole daemon do not reach."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest
from household import OPTIONS, House, load
from msgspec.structs import replace
from patience import PATIENCE_S
from sampled import Given
from scripted import NOTHING_LEARNT, PLAN, Scripted, Told, candidate, of_model
from sounds import AUDIO, RATE_HZ, bursts

from edged.cadence import Cadence, Publish
from edged.engine.geometry import Fit
from edged.errors import ModelError
from edged.gate import MotionRule
from edged.loading import build_model
from edged.model import Model
from edged.pipeline import Serving
from edged.records.frames import Frame, Size
from edged.records.health import Health, HealthState
from edged.records.models import Verdict
from edged.records.results import ClassScore, Result
from edged.runner import Runner
from edged.samples import Gives, Samples
from edged.service.governor import Slowing
from edged.slots import Slots
from edged.sources import Source
from edged.sources.windowed import WindowedSource
from edged.store.models import read_model_files
from edged.trial import Expected

EXPECTED = Expected(invoke_ms=0, budget_ms=None)
STILL = MotionRule(contrast=6, share=0.0005, hold_s=0, heartbeat_s=3600)
Started = Callable[..., Runner]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def trials() -> list[tuple[Serving, str | None, Serving]]:
    return []


@pytest.fixture
def started(told: Told, trials: list[tuple[Serving, str | None, Serving]]) -> Iterator[Started]:
    """``started(source, model=..., frame_size=...)``: a runner that is stopped in the end."""
    runners: list[Runner] = []

    def start(source: Source, on_end: Callable[[], None] = lambda: None, **plan: object) -> Runner:
        runner = Runner(
            replace(PLAN, **plan),  # type: ignore[arg-type]
            source,
            Cadence(Publish.EVERY, interval_s=10),
            itertools.count(),
            track_ids=itertools.count(1),
            baselines=NOTHING_LEARNT,
            publish=told.publish,
            send=lambda: None,
            on_trial=lambda _, *trial: trials.append(trial),
            on_model=lambda: None,
            on_end=on_end,
            slots=Slots(2),
        )
        runners.append(runner)
        runner.start()
        return runner

    yield start
    for runner in runners:
        runner.stop("the test is over", PATIENCE_S)


@pytest.fixture
def model(house: House) -> Callable[..., Model]:
    """``model("classifier_uint8", fit=Fit.LETTERBOX)``, loaded."""

    def loaded(name: str = "classifier_uint8", fit: Fit = Fit.LETTERBOX) -> Model:
        if not (house.models / f"{name}.tflite").exists():
            house.model(name)
        return load(house.models, name, replace(OPTIONS, fit=fit))

    return loaded


@pytest.mark.parametrize("realtime", [False, True])
def test_a_model_works_ahead_where_no_frame_is_dropped(
    started: Started,
    model: Callable[..., Model],
    monkeypatch: pytest.MonkeyPatch,
    realtime: bool,
) -> None:
    prepared: list[Frame] = []
    ended = threading.Event()
    one = model()
    monkeypatch.setattr(one, "prepare", prepared.append)
    runner = started(Scripted(frames=5), on_end=ended.set, realtime=realtime)
    runner.swap("one", one, None)
    assert ended.wait(PATIENCE_S)
    assert len(prepared) == (0 if realtime else 5)


def test_a_recording_is_inferred_to_its_last_frame_before_its_end_is_told(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    ended = threading.Event()
    runner = started(Scripted(frames=20), on_end=ended.set)
    runner.swap("one", model(), None)
    assert ended.wait(PATIENCE_S)
    assert told.wait_for_state(HealthState.STOPPED).reason == "the recording has ended"
    assert len(told.results()) == 20
    assert runner.ended
    metrics = runner.metrics(now_ns=1)
    assert (metrics.frames, metrics.inferred, metrics.published, metrics.dropped) == (20, 20, 20, 0)
    # Stopping it afterwards tells nothing new.
    assert runner.stop("edged was stopped", PATIENCE_S)
    assert told.rest() == []


def test_what_serves_is_told_once_it_does(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    runner = started(Scripted(frames=1))
    runner.report(Verdict.REFUSED, None, "there is no file")
    refused = told.wait_for_verdict(Verdict.REFUSED)
    assert refused.active is None
    assert candidate(refused).version is None
    assert told.wait_for_state(HealthState.STOPPED).reason == "no model: there is no file"
    assert runner.bundle is None
    info = runner.info()
    assert (info.task, info.model, info.labels) == (None, None, ())

    runner.swap("one", model(), None)
    accepted = told.wait_for_verdict(Verdict.ACCEPTED)
    assert accepted.active is not None
    assert candidate(accepted).version == accepted.active.version
    assert runner.bundle == "one"
    assert runner.info().model == accepted.active.ref
    assert runner.info().task == "classification"


def test_what_is_not_known_to_be_good_is_told_to_be_on_trial(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    started(Scripted()).swap("one", model(), EXPECTED)
    report = told.wait_for_verdict(Verdict.TRIAL)
    assert report.active is not None
    assert report.active.version == candidate(report).version


def test_a_refused_candidate_leaves_what_serves_alone(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    runner = started(Scripted())
    runner.swap("one", model(), None)
    active = told.wait_for_verdict(Verdict.ACCEPTED).active
    runner.report(Verdict.REFUSED, "0123456789ab", "truncated")
    refused = told.wait_for_verdict(Verdict.REFUSED)
    assert (refused.active, candidate(refused).reason) == (active, "truncated")
    told.wait_for(Result)


def test_a_pipeline_that_went_back_tells_so(
    told: Told,
    trials: list[tuple[Serving, str | None, Serving]],
    started: Started,
    model: Callable[..., Model],
) -> None:
    runner = started(Scripted())
    runner.swap("good", model(), None)
    good = told.wait_for_verdict(Verdict.ACCEPTED).active
    told.wait_for(Result)
    runner.swap("bad", model("nan_after_20"), EXPECTED)
    told.wait_for_verdict(Verdict.TRIAL)
    # 20 results of it, then one of the model before.
    told.wait_for(Result, of_model("nan_after_20"))
    told.wait_for(Result, of_model("classifier_uint8"))
    ((failed, reason, serving),) = trials
    assert (failed.bundle, serving.bundle) == ("bad", "good")
    assert reason is not None
    runner.went_back(failed, serving, reason)
    report = told.wait_for_verdict(Verdict.ROLLED_BACK)
    assert (report.active, candidate(report).reason) == (good, reason)
    assert candidate(report).version == failed.model.spec.version
    assert runner.bundle == "good"


@pytest.mark.parametrize(
    ("frame_size", "wanted"),
    # The whole frame, as a letterbox of 32 x 32 holds it.
    [(Size(1280, 720), Size(32, 18)), (None, None)],
)
def test_a_source_that_scales_is_asked_for_the_models_size(
    told: Told,
    started: Started,
    model: Callable[..., Model],
    frame_size: Size | None,
    wanted: Size | None,
) -> None:
    source = Scripted(frames=1)
    started(source, frame_size=frame_size).swap("one", model(), None)
    told.wait_for_state(HealthState.STOPPED)
    assert source.wanted == [wanted]


def test_a_source_that_scales_is_asked_anew_only_for_a_model_of_another_size(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    source = Scripted()
    runner = started(source, frame_size=Size(1280, 720))
    for name in ("classifier_uint8", "classifier_int8", "classifier_uint8_grey"):
        runner.swap(name, model(name), None)
        told.wait_for(Result, of_model(name))
    told.wait_for(Result, lambda _: len(source.wanted) > 1)
    assert source.wanted == [Size(32, 18), Size(28, 16)]


# ---- the contract with those who subscribe -------------------------------------------------------


def test_of_frames_that_are_all_alike_the_first_is_inferred_and_the_others_are_gated(
    started: Started, model: Callable[..., Model]
) -> None:
    ended = threading.Event()
    runner = started(Scripted(frames=20), on_end=ended.set, gate=STILL)
    runner.swap("one", model(), None)
    assert ended.wait(PATIENCE_S)
    metrics = runner.metrics(now_ns=1)
    assert (metrics.frames, metrics.inferred, metrics.published) == (20, 1, 1)
    assert (metrics.gated, metrics.dropped) == (19, 0)


def test_a_model_on_trial_gets_every_frame_whatever_the_gate(
    started: Started, model: Callable[..., Model]
) -> None:
    ended = threading.Event()
    runner = started(Scripted(frames=20), on_end=ended.set, gate=STILL)
    runner.swap("one", model(), EXPECTED)
    assert ended.wait(PATIENCE_S)
    metrics = runner.metrics(now_ns=1)
    assert (metrics.inferred, metrics.gated) == (20, 0)


def test_a_model_is_swapped_in_while_nothing_moves(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    runner = started(Scripted(), gate=STILL)
    runner.swap("one", model(), None)
    told.wait_for(Result, of_model("classifier_uint8"))
    runner.swap("two", model("classifier_int8"), None)
    told.wait_for(Result, of_model("classifier_int8"))


def test_a_model_of_another_task_is_refused(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    runner = started(Scripted(), model="eyes")
    runner.refuse_other_contract(model("detector_tf1").reading)  # nothing serves yet
    runner.swap("one", model(), None)
    runner.refuse_other_contract(model("classifier_int8").reading)
    with pytest.raises(ModelError) as refused:
        runner.refuse_other_contract(model("detector_tf1").reading)
    assert str(refused.value) == (
        "it does detection, and the pipeline serves classification. Install it under another "
        "name, and name that in the pipeline"
    )


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [(None, False), (("red", "cat"), False), (("background",), True), (("zebra",), False)],
)
def test_a_model_without_any_label_that_is_published_is_refused(
    house: House,
    started: Started,
    model: Callable[..., Model],
    allowed: tuple[str, ...] | None,
    refused: bool,
) -> None:
    house.model("classifier_uint8")
    house.labels("classifier_uint8", "red", "green", "blue")
    runner = started(Scripted(), labels=allowed)
    runner.swap("one", model("classifier_uint8_background"), None)
    if not refused:
        runner.refuse_other_contract(model().reading)
        return
    with pytest.raises(ModelError, match="it has none of the labels that the pipeline publishes"):
        runner.refuse_other_contract(model().reading)


# ---- the end -------------------------------------------------------------------------------------


def test_it_stops_at_once_while_it_waits_for_a_model(told: Told, started: Started) -> None:
    runner = started(Scripted(frames=1))
    assert runner.stop("edged was stopped", timeout_s=PATIENCE_S)
    assert told.wait_for_state(HealthState.STOPPED).reason == "edged was stopped"


def test_a_source_that_is_stuck_is_left_behind_and_said_so(
    told: Told, started: Started, model: Callable[..., Model]
) -> None:
    source = Scripted(frames=None)
    runner = started(source)
    runner.swap("one", model(), None)
    told.wait_for_verdict(Verdict.ACCEPTED)
    assert source.reading.wait(PATIENCE_S)
    runner.ask_to_stop()
    runner._thread.join(PATIENCE_S)
    try:
        assert not runner.stop("edged was stopped", timeout_s=0.05)
        assert told.wait_for_state(HealthState.STOPPED).reason == "edged was stopped"
    finally:
        source.let_go.set()


def test_nothing_of_a_stream_is_left_out_neither_for_fps_nor_for_heat(
    told: Told, house: House, started: Started, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten seconds of sound that are there at once, from a live source."""
    pytest.importorskip("pymicro_features", reason="pymicro-features is not installed")
    house.model("keyword")
    sound = bursts(1, seconds=9.6)
    blocks = [
        Samples(first, sound[first : first + 1600, None], RATE_HZ, AUDIO, 0, 0)
        for first in range(0, len(sound), 1600)
    ]
    ended = threading.Event()
    runner = started(WindowedSource(Given(blocks)), on_end=ended.set, fps=2, threshold=None)
    runner.slow(Slowing(0.25, "too hot"))
    path = house.models / "keyword.tflite"
    options = replace(OPTIONS, gives=Gives.WINDOWS)
    hears = build_model("keyword", read_model_files(path), path, options, None)
    runner.swap("one", hears, None)
    runner.check()
    assert ended.wait(PATIENCE_S)
    metrics = runner.metrics(now_ns=1)
    assert (metrics.frames, metrics.inferred, metrics.published) == (320, 320, 1)
    assert told.wait_for(Result).findings == (ClassScore("Loud Noise", ANY),)
    assert told.wait_for_state(HealthState.STOPPED).reason == "the recording has ended"
    states = [record.state for record in told.records if isinstance(record, Health)]
    assert HealthState.DEGRADED not in states
    assert "source.fps counts for nothing" in caplog.text
