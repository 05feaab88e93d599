"""Hot swap from outside: files in, results out, whatever happens to the daemon meanwhile."""

from __future__ import annotations

import platform
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from household import SMALL_MODELS, House
from swapping import WAYS, Stream, pipeline, version_of

Make = Callable[..., Any]
A, B = SMALL_MODELS / "classifier_uint8.tflite", SMALL_MODELS / "classifier_int8.tflite"
CRASH = SMALL_MODELS / "crash_after_20.tflite"
VERSION_A, VERSION_B = version_of(A), version_of(B)
LONGEST_GAP_MS = 20_000  # of a busy machine; what it is on a quiet one is measured by a script
COLOURS = ("red", "green", "blue")


@pytest.fixture
def eye(house: House, mosquitto: Make, subscriber: Make) -> Stream:
    """The results of a pipeline that is to serve A; the daemon is not started yet."""
    broker = mosquitto()
    house.model("eye", A)
    house.configure(broker.port, pipeline())
    return Stream(subscriber(broker.port))


@pytest.fixture
def file(house: House) -> Path:
    """The file of the model that serves."""
    return house.models / "eye.tflite"


def verdicts(stream: Stream) -> list[str]:
    return [report["candidate"]["verdict"] for report in stream.reports]


def nothing_was_lost(stream: Stream) -> bool:
    return not stream.holes and max(stream.gaps_ms) < LONGEST_GAP_MS


@pytest.mark.parametrize("way", WAYS)
def test_however_a_file_comes_it_serves_and_no_result_is_lost(
    way: str, house: House, file: Path, eye: Stream
) -> None:
    house.run()
    if way == "ln":  # from link to link
        WAYS[way](A, file, lambda: None)
    eye.wait_for_version(VERSION_A)
    WAYS[way](B, file, lambda: eye.wait_for_results(10))
    eye.wait_for_version(VERSION_B)
    report = eye.wait_for_verdict("trial", after=1)
    assert report["candidate"]["version"] == report["active"]["version"] == VERSION_B
    eye.wait_for_results(10)
    assert eye.versions == [VERSION_A, VERSION_B]
    assert nothing_was_lost(eye)


def test_a_model_is_on_trial_and_then_accepted_and_only_what_is_new_is_taken(
    house: House, file: Path, eye: Stream
) -> None:
    daemon = house.run()
    eye.wait_for_verdict("accepted")
    shutil.copy(B, file)
    accepted = eye.wait_for_verdict("accepted", after=2)
    assert verdicts(eye) == ["trial", "accepted", "trial", "accepted"]
    assert accepted["candidate"]["version"] == accepted["active"]["version"] == VERSION_B

    shutil.copy(B, file)
    unchanged = eye.wait_for_verdict("unchanged")
    assert unchanged["active"]["version"] == VERSION_B

    house.labels("eye", *COLOURS)
    eye.wait_for_verdict("trial", after=5)
    eye.wait_until(lambda: eye.last["classes"][0]["label"] in COLOURS)

    file.unlink()
    daemon.wait_for_line("the file of model eye was deleted")
    eye.wait_for_results(10)
    assert verdicts(eye)[4:6] == ["unchanged", "trial"]
    assert eye.versions == [VERSION_A, VERSION_B]
    assert nothing_was_lost(eye)


def test_of_files_that_come_one_upon_the_other_the_last_one_serves(
    house: House, file: Path, eye: Stream
) -> None:
    house.run()
    eye.wait_for_version(VERSION_A)
    for model in [B, A] * 10:
        shutil.copy(model, file)
        eye.wait_for_results(1)
    shutil.copy(B, file)
    eye.wait_until(lambda: [r["active"]["version"] for r in eye.reports[-1:]] == [VERSION_B])
    eye.wait_for_version(VERSION_B)
    eye.wait_for_results(50)
    assert eye.versions[-1] == VERSION_B
    assert nothing_was_lost(eye)


def test_models_that_come_at_once_each_serve(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    names = ("one", "two", "three")
    for name in names:
        house.model(name, A)
    house.configure(broker.port, *(pipeline(name, model=name) for name in names))
    streams = [Stream(heard, name) for name in names]
    house.run()
    for stream in streams:
        stream.wait_for_version(VERSION_A)
    for name in names:
        shutil.copy(B, house.models / f"{name}.tflite")
    for stream in streams:
        stream.wait_for_version(VERSION_B)
        assert nothing_was_lost(stream)


def test_two_pipelines_on_one_model_swap_each(
    house: House, mosquitto: Make, subscriber: Make
) -> None:
    broker = mosquitto()
    heard = subscriber(broker.port)
    house.model("eye", A)
    house.configure(broker.port, pipeline(), pipeline("second"))
    streams = Stream(heard), Stream(heard, "second")
    house.run()
    for stream in streams:
        stream.wait_for_version(VERSION_A)
    shutil.copy(B, house.models / "eye.tflite")
    for stream in streams:
        stream.wait_for_version(VERSION_B)
        stream.wait_for_verdict("trial", after=1)
        assert nothing_was_lost(stream)


def test_after_a_restart_the_last_known_good_serves_until_what_lies_there_was_tried(
    house: House, file: Path, eye: Stream
) -> None:
    first = house.run()
    eye.wait_for_verdict("accepted")
    assert first.stop() == 0
    shutil.copy(B, file)
    second = house.run()
    eye.wait_for_version(VERSION_B)
    eye.wait_for_verdict("trial", after=3)  # its first result may come before that is told
    assert verdicts(eye) == ["trial", "accepted", "accepted", "trial"]
    assert eye.reports[2]["active"]["version"] == VERSION_A
    assert second.stop() == 0  # within its trial: it is not known good
    file.unlink()
    house.run()
    eye.wait_for_version(VERSION_A)
    eye.wait_for_results(10)
    assert eye.versions[-1] == VERSION_A
    assert not eye.holes


def test_what_served_when_the_daemon_died_in_its_trial_is_tried_again_only_when_put_there_again(
    house: House, file: Path, eye: Stream
) -> None:
    first = house.run()
    eye.wait_for_verdict("accepted")
    shutil.copy(B, file)
    eye.wait_for_version(VERSION_B)
    first.kill()
    second = house.run()
    refused = eye.wait_for_verdict("refused")
    assert refused["candidate"]["version"] == VERSION_B
    assert refused["candidate"]["reason"] == "edged died during its trial"
    assert refused["active"]["version"] == VERSION_A
    second.wait_for_line("edged died during its trial")
    eye.wait_for_results(10)
    assert eye.versions == [VERSION_A, VERSION_B, VERSION_A]
    shutil.copy(B, file)
    eye.wait_for_version(VERSION_B)
    eye.wait_for_verdict("trial", after=len(eye.reports) - 1)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 minds the division")
def test_a_model_that_ends_the_process_in_service_is_not_tried_when_it_is_started_again(
    house: House, file: Path, eye: Stream
) -> None:
    first = house.run()
    eye.wait_for_verdict("accepted")
    shutil.copy(CRASH, file)
    assert first.wait() == -signal.SIGFPE
    house.run()  # as systemd does
    refused = eye.wait_for_verdict("refused")
    assert refused["candidate"]["reason"] == "edged died during its trial"
    assert refused["active"]["version"] == VERSION_A
    eye.wait_for_results(50)
    assert eye.versions == [VERSION_A, version_of(CRASH), VERSION_A]
    assert not eye.holes


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nan", "its scores are not finite numbers"),
        ("error", "gather index out of bounds"),
        ("slow", "it became too slow after"),
    ],
)
def test_a_model_that_goes_wrong_in_its_trial_is_rolled_back_and_no_result_is_lost(
    fault: str, reason: str, house: House, file: Path, eye: Stream
) -> None:
    bad = SMALL_MODELS / f"{fault}_after_20.tflite"
    house.run()
    eye.wait_for_verdict("accepted")
    shutil.copy(bad, file)
    report = eye.wait_for_verdict("rolled-back")
    assert report["candidate"]["version"] == version_of(bad)
    assert reason in report["candidate"]["reason"]
    assert report["active"]["version"] == VERSION_A
    eye.wait_for_version(VERSION_A)
    assert eye.versions == [VERSION_A, version_of(bad), VERSION_A]
    assert nothing_was_lost(eye)


def test_a_first_model_that_is_on_trial_itself_is_gone_back_to_and_serves_after_a_restart(
    house: House, file: Path, eye: Stream
) -> None:
    first = house.run()
    eye.wait_for_version(VERSION_A)
    shutil.copy(SMALL_MODELS / "nan_after_20.tflite", file)
    eye.wait_for_verdict("rolled-back")
    eye.wait_for_version(VERSION_A)
    accepted = eye.wait_for_verdict("accepted")
    assert accepted["candidate"]["version"] == accepted["active"]["version"] == VERSION_A
    assert nothing_was_lost(eye)
    first.kill()
    house.run()
    refused = eye.wait_for_verdict("refused")
    assert refused["active"]["version"] == VERSION_A
