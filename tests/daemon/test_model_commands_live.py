"""``edged model add`` and ``rollback`` beside a daemon that runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from household import SMALL_MODELS, House
from patience import PATIENCE_S
from signing import Signer
from swapping import Stream, pipeline, version_of

A, B = SMALL_MODELS / "classifier_uint8.tflite", SMALL_MODELS / "classifier_int8.tflite"
VERSION_A, VERSION_B = version_of(A), version_of(B)
Make = Callable[..., Any]


def signed(directory: Path, source: Path, version: int) -> Path:
    """A copy of a model called "eye" that is signed with that version."""
    directory.mkdir()
    model = directory / "eye.tflite"
    model.write_bytes(source.read_bytes())
    signature = Signer().sign(model.read_bytes(), f"version: {version}")
    (directory / "eye.tflite.minisig").write_bytes(signature)
    return model


def edged_model(house: House, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "edged", "model", *arguments]
    command += ["-c", house.directory / "edged.toml"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_model_is_added_and_an_older_signed_one_brought_back_and_no_result_is_lost(
    house: House, mosquitto: Make, subscriber: Make, tmp_path: Path
) -> None:
    broker = mosquitto()
    config = house.configure(broker.port, pipeline())
    rule = f'dir = "models"\nrequire_signature = true\ntrusted_keys = ["{Signer().public_file}"]'
    config.write_text(config.read_text().replace('dir = "models"', rule))
    eye = Stream(subscriber(broker.port))
    older, newer = signed(tmp_path / "a", A, 12), signed(tmp_path / "b", B, 13)

    edged_model(house, "add", older)
    house.run()
    eye.wait_for_verdict("accepted")
    edged_model(house, "add", newer)
    eye.wait_for_version(VERSION_B)
    listed = edged_model(house, "list")  # a busy machine may take all of the trial to start it
    assert any(f"{VERSION_B} is {state}" in listed for state in ("on trial", "good")), listed

    edged_model(house, "add", older)
    refused = eye.wait_for_verdict("refused")  # by itself, nobody goes back to what is older
    assert refused["candidate"]["version"] == VERSION_A

    assert f"is version {VERSION_A} again" in edged_model(house, "rollback", "eye")
    eye.wait_until(lambda: eye.versions == [VERSION_A, VERSION_B, VERSION_A])
    eye.wait_for_results(10)
    assert eye.versions == [VERSION_A, VERSION_B, VERSION_A]
    assert not eye.holes
    deadline_s = time.monotonic() + PATIENCE_S
    while f"{VERSION_A} is good" not in (listed := edged_model(house, "list")):
        assert time.monotonic() < deadline_s, listed
