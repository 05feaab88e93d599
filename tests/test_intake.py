"""From files to models that serve: a real store, real probes, real pipelines; no watcher.

``tests/models/README.md`` describes the small models. All of them come here as "eye".
"""

from __future__ import annotations

import errno
import gc
import hashlib
import itertools
import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from household import SMALL_MODELS, House
from msgspec.structs import replace
from patience import PATIENCE_S
from scripted import NOTHING_LEARNT, PLAN, Scripted, Told, candidate
from signing import SIGNED, Signer

from edged.cadence import Cadence, Publish
from edged.engine.interpreter import Engine
from edged.engine.runtime import Delegate
from edged.intake import Intake
from edged.loading import LoadOptions
from edged.records.health import HealthState
from edged.records.models import ModelReport, Verdict
from edged.records.results import Result
from edged.runner import Runner
from edged.samples import Gives
from edged.slots import Slots
from edged.standstill import LONG_S
from edged.store.atomic import Disk
from edged.store.minisign import PublicKey
from edged.store.models import ModelBytes, read_bytes, read_model_files
from edged.store.signature import load_keys
from edged.store.vault import DIED, Vault
from edged.store.watched import version_of

KEYS = load_keys([SIGNED / "trusted.pub"])
GONE_WRONG = {
    "nan_after_20": "its scores are not finite numbers",
    "error_after_20": "the runtime cannot run it: ",
    "slow_after_20": "it became too slow after ",
}


class Card(Disk):
    """A memory card that may be full, or not answer."""

    def __init__(self) -> None:
        self.full = False
        self.asked, self.answers = threading.Event(), threading.Event()
        self.answers.set()

    def write(self, fd: int, data: memoryview) -> int:
        if not self.answers.is_set():
            self.asked.set()
            self.answers.wait(PATIENCE_S)
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(fd, data)


class Kitchen:
    """An intake with all that it needs. ``told`` is what its pipelines publish."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.told = Told()
        self.runners: list[Runner] = []
        self.disk = Card()
        self.now_s = 0.0
        self._open = False

    def open(self, keys: tuple[PublicKey, ...] | None = None) -> None:
        self.vault = Vault(self.house.directory / "state", keep_versions=3, disk=self.disk)
        self.vault.open()
        self.intake = Intake(
            self.house.models, self.vault, keys, lambda: self.runners, now_s=lambda: self.now_s
        )
        self.intake.start()
        self._open = True

    def close(self) -> None:
        """As the daemon does it; may be called twice."""
        if self._open:
            self._open = False
            for runner in self.runners:
                runner.stop("edged was stopped", PATIENCE_S)
            self.intake.stop(PATIENCE_S)
            self.vault.close()
            self.runners = []

    def restart(self, keys: tuple[PublicKey, ...] | None = None) -> None:
        self.close()
        self.told = Told()
        self.open(keys)

    def pipeline(
        self, name: str = "front", source: Scripted | None = None, **plan: object
    ) -> Runner:
        """One more that serves "eye", at 50 frames/s."""
        whole = replace(PLAN, name=name, model="eye", fps=50, **plan)  # type: ignore[arg-type]
        self.runners.append(
            Runner(
                whole,
                source or Scripted(),
                Cadence(Publish.EVERY, interval_s=10),
                itertools.count(),
                track_ids=itertools.count(1),
                baselines=NOTHING_LEARNT,
                publish=self.told.publish,
                send=lambda: None,
                on_trial=self.intake.trial_over,
                on_model=lambda: None,
                on_end=lambda: None,
                slots=Slots(2),
            )
        )
        self.runners[-1].start()
        self.intake.join(self.runners[-1])
        return self.runners[-1]

    def lay(self, model: str, **beside: str | bytes) -> str:
        """Put a small model there, with ``toml``, ``labels`` or ``signature``; its bundle."""
        path = self.house.models / "eye.tflite"
        endings = {"toml": ".toml", "labels": ".labels.txt", "signature": ".tflite.minisig"}
        for what, ending in endings.items():
            data = beside.get(what)
            file = path.with_name(f"eye{ending}")
            file.unlink(missing_ok=True)
            if data is not None:
                file.write_bytes(data.encode() if isinstance(data, str) else data)
        part = path.with_name(".eye.part")
        part.write_bytes((SMALL_MODELS / f"{model}.tflite").read_bytes())
        part.rename(path)
        return read_model_files(path).bundle

    def put(self, model: str, **beside: str | bytes) -> str:
        """As the watcher tells of it when it has settled; its bundle."""
        bundle = self.lay(model, **beside)
        self.intake.settled("eye")
        return bundle

    def known_good(self, model: str, *pipelines: str, **beside: str | bytes) -> str:
        """One that has passed its trial some time ago, and lies there still; its bundle."""
        bundle = self.lay(model, **beside)
        self.vault.keep(read_model_files(self.house.models / "eye.tflite"), None)
        for pipeline in pipelines or ("front",):
            self.vault.begin_trial(pipeline, "eye", bundle)
            self.vault.pass_trial(pipeline, "eye", bundle)
        return bundle

    def serving(self, *pipelines: str) -> Runner:
        """Pipelines with a model that is known to be good; the first one."""
        self.known_good("classifier_uint8", *pipelines)
        for name in pipelines or ("front",):
            self.pipeline(name)
            self.told.wait_for_verdict(Verdict.ACCEPTED, name)
        self.wait_idle()
        return self.runners[0]

    def wait_idle(self) -> None:
        """Until the intake has done all that it was told."""
        idle = threading.Event()
        self.intake._tasks.put(idle.set)
        assert idle.wait(PATIENCE_S)

    def kept(self) -> set[str]:
        """The bundles on the disk, which are those that are known."""
        on_disk = {path.name for path in self.vault.directory.iterdir() if path.is_dir()}
        assert on_disk == self.vault.ledger().bundles()
        return on_disk


@pytest.fixture
def kitchen(tmp_path: Path) -> Iterator[Kitchen]:
    made = Kitchen(House(tmp_path))
    made.open()
    yield made
    made.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait for a state that nothing tells of."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def probing(kitchen: Kitchen) -> bool:
    return kitchen.intake._probing is not None


def leave(kitchen: Kitchen, runner: Runner) -> None:
    """As the fleet lets a pipeline go that was taken out of the configuration."""
    kitchen.runners.remove(runner)
    runner.stop("it was taken out", PATIENCE_S)
    kitchen.intake.leave(runner)


def of(pipeline: str, bundle: str) -> Callable[[Result], bool]:
    return lambda one: one.pipeline == pipeline and one.model.version == bundle[:12]


def without_gap(results: list[Result]) -> bool:
    return [result.sequence for result in results] == list(range(len(results)))


def models_of(results: list[Result]) -> list[str]:
    """The versions that the results came from, one after another."""
    return [version for version, _ in itertools.groupby(r.model.version for r in results)]


# ---- the first model -----------------------------------------------------------------------------


def test_a_first_model_serves_on_trial_and_is_then_known_to_be_good(kitchen: Kitchen) -> None:
    bundle = kitchen.lay("classifier_uint8")
    kitchen.pipeline()
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert report.active is not None
    assert report.active.version == bundle[:12]
    assert kitchen.vault.trial("front", "eye") == bundle
    accepted = kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    assert accepted.active == report.active
    assert kitchen.vault.good("front", "eye") == bundle
    assert kitchen.vault.trial("front", "eye") is None
    assert len(kitchen.told.results()) >= 50


def test_what_is_known_to_be_good_serves_at_once_without_a_probe(kitchen: Kitchen) -> None:
    # A probe would refuse it now: no invocation is that fast.
    kitchen.known_good("classifier_uint8", toml="latency_budget_ms = 0.00001")
    kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    kitchen.wait_idle()
    kitchen.close()
    assert not any(isinstance(record, ModelReport) for record in kitchen.told.rest())


def test_what_is_known_to_be_good_serves_when_its_file_is_gone(kitchen: Kitchen) -> None:
    kitchen.known_good("classifier_uint8")
    (kitchen.house.models / "eye.tflite").unlink()
    kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    kitchen.told.wait_for(Result)


def test_a_damaged_copy_of_what_is_good_gives_way_to_what_lies_there(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    good = kitchen.known_good("classifier_uint8")
    path = kitchen.vault.path_of(good)
    path.write_bytes(bytes(path.stat().st_size))
    newer = kitchen.lay("classifier_int8")
    kitchen.pipeline()
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert report.active is not None
    assert report.active.version == newer[:12]
    assert "pipeline front: its last good model: " in caplog.text


def test_without_any_model_the_pipeline_says_so_and_takes_the_one_that_comes(
    kitchen: Kitchen,
) -> None:
    kitchen.pipeline()
    report = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert candidate(report).version is None
    reason = f"there is no file {kitchen.house.models}/eye.tflite. Copy the model there"
    assert candidate(report).reason == reason
    stopped = kitchen.told.wait_for_state(HealthState.STOPPED)
    assert stopped.reason == f"no model: {reason}"
    kitchen.put("classifier_uint8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.told.wait_for_state(HealthState.RUNNING)


# ---- another one ---------------------------------------------------------------------------------


def test_a_candidate_takes_over_between_two_frames_and_passes_its_trial(kitchen: Kitchen) -> None:
    runner = kitchen.serving()
    old = runner.bundle
    kitchen.told.wait_for(Result)
    new = kitchen.put("classifier_int8")
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert report.active is not None
    assert report.active.version == new[:12]
    assert kitchen.vault.good("front", "eye") == old
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    assert kitchen.vault.good("front", "eye") == new
    assert old is not None
    assert models_of(kitchen.told.results()) == [old[:12], new[:12]]
    assert without_gap(kitchen.told.results())
    assert kitchen.kept() == {old, new}


def test_the_same_bytes_again_are_told_and_change_nothing(kitchen: Kitchen) -> None:
    runner = kitchen.serving()
    bundle = runner.bundle
    ledger = kitchen.vault.ledger()
    assert kitchen.put("classifier_uint8") == bundle
    report = kitchen.told.wait_for_verdict(Verdict.UNCHANGED)
    assert report.active == runner.active
    assert bundle is not None
    assert candidate(report).version == bundle[:12]
    assert kitchen.vault.ledger() == ledger
    # The watcher tells twice of what was there when it began: that is no news at all.
    kitchen.intake.settled("eye")
    kitchen.put("pose")
    kitchen.told.wait_for_verdict(Verdict.REFUSED)


def test_another_file_beside_the_same_model_makes_another_candidate(kitchen: Kitchen) -> None:
    kitchen.serving()
    kitchen.put("classifier_uint8", labels="red\ngreen\nblue")
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert report.active is not None
    assert report.active.labels == ("red", "green", "blue")


def test_going_back_to_what_is_good_needs_no_trial_and_leaves_no_failure(kitchen: Kitchen) -> None:
    good = kitchen.serving().bundle
    other = kitchen.put("classifier_int8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert kitchen.put("classifier_uint8") == good
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    assert kitchen.vault.trial("front", "eye") is None
    assert kitchen.vault.failure(other) is None


REFUSED = {
    "pose": "it does pose, and the pipeline serves classification. Install it under ",
    "two_inputs": "it has 2 inputs",
    "detector_tf1": "it does detection, and the pipeline serves classification. Install it under ",
    "greedy": ".*memory",
}


@pytest.mark.parametrize("model", REFUSED)
def test_a_refused_candidate_changes_nothing_and_leaves_nothing(
    kitchen: Kitchen, model: str
) -> None:
    runner = kitchen.serving()
    active, ledger = runner.active, kitchen.vault.ledger()
    bundle = kitchen.put(model)
    report = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert candidate(report).version == bundle[:12]
    assert re.match(REFUSED[model], str(candidate(report).reason))
    assert report.active == active
    kitchen.told.wait_for(Result)
    kitchen.close()
    assert kitchen.kept() == ledger.bundles()
    assert kitchen.vault.good("front", "eye") == ledger.standing("front", "eye").good


def test_a_file_that_is_no_model_is_refused_with_its_version(kitchen: Kitchen) -> None:
    runner = kitchen.serving()
    (kitchen.house.models / "eye.tflite").write_text("not a model")
    kitchen.intake.settled("eye")
    report = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert candidate(report).reason == "no TFLite model: it is a text file"
    assert candidate(report).version == hashlib.sha256(b"not a model").hexdigest()[:12]
    assert report.active == runner.active


def test_a_pipe_in_a_model_s_place_keeps_nobody_waiting(kitchen: Kitchen) -> None:
    os.mkfifo(kitchen.house.models / "eye.tflite")
    kitchen.pipeline()
    report = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert str(candidate(report).reason).endswith("eye.tflite is a pipe. Put the file itself there")
    assert candidate(report).version is None
    kitchen.put("classifier_uint8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)


def test_a_mistake_in_the_sidecar_refuses_the_candidate_with_its_place(kitchen: Kitchen) -> None:
    kitchen.serving()
    kitchen.lay("classifier_int8")
    (kitchen.house.models / "eye.toml").write_text("label_ofset = 1")
    kitchen.intake.settled("eye")
    report = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert 'label_ofset: unknown key; did you mean "label_offset"?' in str(candidate(report).reason)


def test_a_change_that_its_times_and_size_do_not_show_is_taken(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on FAT, or where a file was read while it was being written."""
    kitchen.serving()
    monkeypatch.setattr("edged.intake.fingerprint", lambda *_: (None,))
    kitchen.put("pose")
    kitchen.told.wait_for_verdict(Verdict.REFUSED)
    kitchen.intake.settled("eye")  # no news
    new = kitchen.put("classifier_int8")
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert candidate(report).version == new[:12]
    kitchen.put("classifier_int8", labels="red\ngreen\nblue")
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert report.active is not None
    assert report.active.labels == ("red", "green", "blue")


def test_a_refusal_names_what_was_read_and_not_what_came_meanwhile(
    kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    kitchen.serving()
    path = kitchen.house.models / "eye.tflite"

    def read(name: Path) -> ModelBytes:
        was = read_bytes(name)
        path.write_bytes(b"another, which will be told of")
        return was

    monkeypatch.setattr("edged.intake.read_bytes", read)
    path.write_bytes(b"TFL3, and no more")
    version = version_of(path)
    kitchen.intake.settled("eye")
    assert candidate(kitchen.told.wait_for_verdict(Verdict.REFUSED)).version == version


def test_a_file_replaced_while_it_is_probed_is_not_heard_of_again(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edged.intake")
    good = kitchen.serving().bundle
    kitchen.put("classifier_float32")
    until(lambda: probing(kitchen))
    newest = kitchen.put("classifier_int8")
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert candidate(report).version == newest[:12]
    assert "model eye was replaced again while it was tried" in caplog.text
    assert kitchen.kept() == {good, newest}


def test_what_passes_while_another_is_probed_is_known_to_be_good_before_that_is_on_trial(
    kitchen: Kitchen,
) -> None:
    kitchen.serving()
    runner = kitchen.runners[0]
    first = kitchen.put("classifier_float32")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    second = kitchen.put("classifier_int8")
    until(lambda: probing(kitchen))
    serving = runner._serving
    assert serving is not None
    kitchen.intake.trial_over(runner, serving, None, serving)
    assert candidate(kitchen.told.wait_for_verdict(Verdict.ACCEPTED)).version == first[:12]
    assert candidate(kitchen.told.wait_for_verdict(Verdict.TRIAL)).version == second[:12]
    assert kitchen.vault.good("front", "eye") == first
    assert kitchen.vault.trial("front", "eye") == second


def test_deleting_the_file_is_told_and_changes_nothing(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    kitchen.serving()
    (kitchen.house.models / "eye.tflite").unlink()
    kitchen.intake.gone("eye")
    assert caplog.messages[-1] == (
        "pipeline front: the file of model eye was deleted; what serves goes on serving"
    )
    kitchen.told.wait_for(Result)


# ---- several pipelines ---------------------------------------------------------------------------


def test_two_pipelines_on_one_model_swap_each_from_one_probe(kitchen: Kitchen) -> None:
    kitchen.serving("front", "back")
    put_ns = time.monotonic_ns()
    new = kitchen.put("classifier_int8")
    times_ns = []
    for name in ("front", "back"):
        report = kitchen.told.wait_for_verdict(Verdict.TRIAL, name)
        assert candidate(report).version == new[:12]
        assert kitchen.vault.trial(name, "eye") == new
        times_ns.append(candidate(report).at_ns)
    # A second probe would have taken as long as the first.
    assert times_ns[1] - times_ns[0] < (times_ns[0] - put_ns) / 2
    for name in ("front", "back"):
        kitchen.told.wait_for(Result, of(name, new))


@pytest.mark.parametrize(("model", "interpreters"), [("classifier_int8", 1), ("stateful", 2)])
def test_pipelines_on_one_model_share_its_interpreter_unless_that_remembers(
    kitchen: Kitchen, model: str, interpreters: int
) -> None:
    others = weakref.WeakSet(engines())
    kitchen.lay(model)
    for name in ("front", "back"):
        kitchen.pipeline(name)
    for name in ("front", "back"):
        kitchen.told.wait_for(Result, lambda result, name=name: result.pipeline == name)
    assert sum(engine not in others for engine in engines()) == interpreters


def test_what_one_pipeline_found_when_it_began_is_offered_to_the_others_too(
    kitchen: Kitchen,
) -> None:
    kitchen.known_good("classifier_uint8")
    kitchen.pipeline("front")
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED, "front")
    kitchen.wait_idle()
    new = kitchen.lay("classifier_int8")  # it settles a little later
    kitchen.pipeline("back")
    kitchen.told.wait_for_verdict(Verdict.TRIAL, "back")
    kitchen.intake.settled("eye")
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL, "front")
    assert candidate(report).version == new[:12]


def test_each_pipeline_refuses_for_itself(kitchen: Kitchen) -> None:
    labelled = kitchen.known_good("classifier_uint8_background", "front", "back")
    kitchen.pipeline("front", labels=("background",))
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED, "front")
    kitchen.pipeline("back", labels=("red",))
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED, "back")
    kitchen.wait_idle()
    new = kitchen.put("classifier_uint8", labels="red\ngreen\nblue")
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED, "front")
    assert candidate(refused).reason == "it has none of the labels that the pipeline publishes"
    kitchen.told.wait_for_verdict(Verdict.TRIAL, "back")
    assert [runner.bundle for runner in kitchen.runners] == [labelled, new]
    assert kitchen.kept() == {labelled, new}


def test_the_same_bytes_again_are_told_to_those_that_have_them_and_tried_by_the_others(
    kitchen: Kitchen,
) -> None:
    old = kitchen.known_good("classifier_int8", "back")
    kitchen.pipeline("back")
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED, "back")
    kitchen.wait_idle()
    new = kitchen.known_good("classifier_uint8", "front")
    kitchen.pipeline("front")
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED, "front")
    assert [runner.bundle for runner in kitchen.runners] == [old, new]
    kitchen.wait_idle()
    kitchen.put("classifier_uint8")
    kitchen.told.wait_for_verdict(Verdict.UNCHANGED, "front")
    kitchen.told.wait_for_verdict(Verdict.TRIAL, "back")


def test_a_delegate_that_one_pipeline_asks_for_is_tried_for_it_alone(kitchen: Kitchen) -> None:
    kitchen.lay("classifier_uint8")
    kitchen.pipeline("front")
    kitchen.told.wait_for_verdict(Verdict.TRIAL, "front")
    delegate = Delegate("/nowhere/libx.so")
    kitchen.pipeline("back", options=LoadOptions(1, delegate, PLAN.options.fit))
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED, "back")
    assert 'The delegate "/nowhere/libx.so" cannot be loaded' in str(candidate(refused).reason)
    kitchen.told.wait_for(Result)


def test_a_model_is_read_for_cameras_and_for_sensors_each_by_itself(kitchen: Kitchen) -> None:
    kitchen.lay("window_int8")
    for name, gives in (("front", Gives.FRAMES), ("back", Gives.WINDOWS)):
        kitchen.pipeline(name, options=replace(PLAN.options, gives=gives))
        kitchen.told.wait_for_verdict(Verdict.TRIAL, name)
    kitchen.put("classifier_uint8")
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED, "back")
    assert str(candidate(refused).reason).startswith("it looks at pictures, and the pipeline's")
    kitchen.told.wait_for(Result, of("front", kitchen.runners[0].bundle or ""))


# ---- trials --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", GONE_WRONG)
def test_what_goes_wrong_in_its_trial_is_rolled_back_without_losing_a_result(
    kitchen: Kitchen, model: str
) -> None:
    runner = kitchen.serving()
    good, active = runner.bundle, runner.active
    bad = kitchen.put(model)
    trial = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert candidate(trial).version == bad[:12]
    back = kitchen.told.wait_for_verdict(Verdict.ROLLED_BACK)
    assert candidate(back).version == bad[:12]
    assert str(candidate(back).reason).startswith(GONE_WRONG[model])
    assert (back.active, runner.bundle) == (active, good)
    assert kitchen.vault.failure(bad, "front") == candidate(back).reason
    assert kitchen.vault.good("front", "eye") == good
    assert good is not None
    kitchen.told.wait_for(Result, of("front", good))
    results = kitchen.told.results()
    assert models_of(results)[-2:] == [bad[:12], good[:12]]
    assert without_gap(results)


def test_what_was_rolled_back_is_tried_again_only_when_it_is_put_there_again(
    kitchen: Kitchen,
) -> None:
    kitchen.serving()
    bad = kitchen.put("nan_after_20")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.told.wait_for_verdict(Verdict.ROLLED_BACK)
    kitchen.restart()
    kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert candidate(refused).version == bad[:12]
    assert candidate(refused).reason == GONE_WRONG["nan_after_20"]
    kitchen.put("nan_after_20")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)


def test_only_what_serves_is_in_memory(kitchen: Kitchen) -> None:
    others = weakref.WeakSet(engines())

    def loaded() -> int:
        return sum(engine not in others for engine in engines())

    kitchen.serving()
    kitchen.put("nan_after_20")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.told.wait_for_verdict(Verdict.ROLLED_BACK)
    until(lambda: loaded() == 1)
    kitchen.put("classifier_int8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert loaded() == 2  # the one before is at hand
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    until(lambda: loaded() == 1)


def engines() -> list[Engine]:
    return [one for one in gc.get_objects() if isinstance(one, Engine)]


def test_after_a_death_in_a_trial_the_last_good_one_serves(kitchen: Kitchen) -> None:
    good = kitchen.known_good("classifier_uint8")
    bad = kitchen.lay("classifier_int8")
    kitchen.vault.keep(read_model_files(kitchen.house.models / "eye.tflite"), None)
    kitchen.vault.begin_trial("front", "eye", bad)
    kitchen.restart()  # nobody has ended the trial
    runner = kitchen.pipeline()
    accepted = kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    assert candidate(accepted).version == good[:12]
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert (candidate(refused).version, candidate(refused).reason) == (bad[:12], DIED)
    assert runner.bundle == good
    kitchen.put("classifier_int8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)


def test_a_stop_during_a_trial_is_no_failure(kitchen: Kitchen) -> None:
    kitchen.serving()
    new = kitchen.put("classifier_int8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.restart()
    assert kitchen.vault.failure(new) is None
    kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    again = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert candidate(again).version == new[:12]


def test_a_pipeline_that_is_stopped_during_a_trial_begins_with_the_good_one(
    kitchen: Kitchen,
) -> None:
    runner = kitchen.serving()
    new = kitchen.put("classifier_int8")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    leave(kitchen, runner)
    kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.ACCEPTED)
    assert candidate(kitchen.told.wait_for_verdict(Verdict.TRIAL)).version == new[:12]
    assert kitchen.vault.failure(new) is None


def test_a_stop_gives_up_a_probe_without_a_verdict(kitchen: Kitchen) -> None:
    kitchen.serving()
    kitchen.put("classifier_int8")
    until(lambda: probing(kitchen))
    kitchen.intake.stop(PATIENCE_S)
    assert not kitchen.intake._thread.is_alive()
    kitchen.close()
    assert not any(isinstance(record, ModelReport) for record in kitchen.told.rest())


def test_for_a_pipeline_that_has_left_before_its_turn_nothing_is_tried(kitchen: Kitchen) -> None:
    kitchen.lay("classifier_uint8")
    busy = threading.Event()
    kitchen.intake._tasks.put(lambda: busy.wait(PATIENCE_S))
    leave(kitchen, kitchen.pipeline())
    busy.set()
    kitchen.wait_idle()
    assert kitchen.kept() == set()


def test_a_probe_that_nobody_waits_for_any_more_is_given_up(kitchen: Kitchen) -> None:
    kitchen.lay("classifier_uint8")
    runner = kitchen.pipeline()
    until(lambda: probing(kitchen))
    leave(kitchen, runner)
    kitchen.wait_idle()
    assert kitchen.kept() == set()
    assert not any(isinstance(record, ModelReport) for record in kitchen.told.rest())


# ---- signatures ----------------------------------------------------------------------------------


def signed(model: str, comment: str = "version: 12") -> bytes:
    return Signer().sign((SMALL_MODELS / f"{model}.tflite").read_bytes(), comment)


def test_where_signatures_are_required_only_signed_models_serve(kitchen: Kitchen) -> None:
    kitchen.restart(KEYS)
    kitchen.lay("classifier_uint8")
    kitchen.pipeline()
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert str(candidate(refused).reason).startswith("not signed: require_signature is set")
    assert kitchen.kept() == set()
    first = kitchen.put("classifier_uint8", signature=signed("classifier_uint8"))
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert kitchen.vault.find(first).signed_version == 12

    kitchen.put("classifier_int8", signature=signed("classifier_uint8"))
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert str(candidate(refused).reason).startswith("its signature does not fit the file")
    kitchen.put("classifier_int8", signature=signed("classifier_int8", "version: 11"))
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert str(candidate(refused).reason).startswith("signed version 11 is older than 12")
    assert kitchen.kept() == {first}

    kitchen.put("classifier_int8", signature=signed("classifier_int8", "version: 13"))
    kitchen.told.wait_for_verdict(Verdict.TRIAL)


def test_an_older_version_serves_where_the_user_has_said_so(kitchen: Kitchen) -> None:
    kitchen.restart(KEYS)
    older = kitchen.lay("classifier_int8", signature=signed("classifier_int8", "version: 11"))
    kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.put("classifier_uint8", signature=signed("classifier_uint8"))
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.vault.allow_older(older)
    kitchen.put("classifier_int8", signature=signed("classifier_int8", "version: 11"))
    report = kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert candidate(report).version == older[:12]


def test_what_was_good_unsigned_does_not_serve_once_signatures_are_required(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    kitchen.known_good("classifier_uint8")
    kitchen.restart(KEYS)
    runner = kitchen.pipeline()
    kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert runner.active is None
    assert "pipeline front: its last good model: not signed" in caplog.text


# ---- a disk that fails ---------------------------------------------------------------------------


def test_a_candidate_for_which_there_is_no_room_is_refused(kitchen: Kitchen) -> None:
    runner = kitchen.serving()
    active = runner.active
    kitchen.disk.full = True
    kitchen.put("classifier_int8")
    refused = kitchen.told.wait_for_verdict(Verdict.REFUSED)
    assert str(candidate(refused).reason).startswith("cannot write to ")
    assert refused.active == active


def test_a_rollback_that_cannot_be_remembered_is_told_all_the_same(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    runner = kitchen.serving()
    good, active = runner.bundle, runner.active
    kitchen.put("nan_after_20")
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    kitchen.disk.full = True
    report = kitchen.told.wait_for_verdict(Verdict.ROLLED_BACK)
    assert (report.active, runner.bundle) == (active, good)
    assert "a trial's end is not remembered: cannot write to " in caplog.text


def test_where_a_disk_that_does_not_answer_stops_it_is_logged(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    kitchen.serving()
    kitchen.disk.answers.clear()
    kitchen.put("classifier_int8")
    assert kitchen.disk.asked.wait(PATIENCE_S)
    kitchen.intake.check()
    assert "stands" not in caplog.text
    kitchen.now_s = LONG_S
    kitchen.intake.check()
    kitchen.disk.answers.set()
    kitchen.told.wait_for_verdict(Verdict.TRIAL)
    assert "the thread that takes in models has been at one step for 120 s" in caplog.text
    assert "in write\n    self.answers.wait(" in caplog.text
