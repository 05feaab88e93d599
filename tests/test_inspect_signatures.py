from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from signing import SIGNED, Signer

from edged.errors import ConfigError
from edged.inspect import as_json, as_text, inspect, trusted_keys
from edged.store.signature import load_keys

MODEL = Path(__file__).resolve().parent / "models" / "classifier_uint8.tflite"
TRUSTED = load_keys([SIGNED / "trusted.pub"])
TRUSTED_ID = TRUSTED[0].key_id
CONFIG = """
[models]
trusted_keys = ["keys/release.pub"]
[[pipelines]]
model = "coco"
source.kind = "synthetic"
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    shutil.copy(MODEL, tmp_path / "coco.tflite")
    (tmp_path / "coco.labels.txt").write_text("red\ngreen\nblue\n")
    return tmp_path / "coco.tflite"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that trusts a key, which lies beside it."""
    (tmp_path / "keys").mkdir()
    shutil.copy(SIGNED / "trusted.pub", tmp_path / "keys" / "release.pub")
    path = tmp_path / "edged.toml"
    path.write_text(CONFIG)
    return path


def sign(path: Path) -> None:
    path.with_name(f"{path.name}.minisig").write_bytes(Signer().sign(path.read_bytes()))


def test_an_unsigned_model_is_inspected_and_has_no_signature(model: Path) -> None:
    inspected = inspect(model, TRUSTED)
    assert inspected.problem is None
    assert [line for line in as_text(inspected) if "signature" in line] == ["signature  none"]
    assert not any("coco.labels.txt: none" in line for line in as_text(inspected))
    assert as_json(inspected)["signature"]["state"] == "none"


def test_the_signatures_of_a_model_and_of_what_lies_beside_it_are_told(model: Path) -> None:
    sign(model)
    inspected = inspect(model, TRUSTED)
    valid = f"valid: key {TRUSTED_ID}, version 12"
    lines = as_text(inspected)
    place = lines.index(f"signature  {valid}")
    assert lines[place + 1] == "           coco.labels.txt: none"
    told = {"state": valid, "beside": {"coco.labels.txt": "none"}}
    assert json.loads(json.dumps(as_json(inspected)))["signature"] == told


def test_a_signature_cannot_be_judged_without_trusted_keys(model: Path) -> None:
    sign(model)
    assert inspect(model).signature == "present; no trusted keys given"


def test_a_model_that_is_refused_tells_its_signature_all_the_same(model: Path) -> None:
    shutil.copy(MODEL.with_name("two_inputs.tflite"), model)
    sign(model)
    inspected = inspect(model, TRUSTED)
    assert inspected.problem is not None
    assert f"signature  valid: key {TRUSTED_ID}, version 12" in as_text(inspected)


def test_the_keys_are_those_of_the_configuration(config: Path) -> None:
    assert trusted_keys(config, {}) == TRUSTED
    assert trusted_keys(None, {"EDGED_CONFIG": str(config)}) == TRUSTED


def test_without_a_configuration_there_are_no_keys(tmp_path: Path) -> None:
    assert trusted_keys(None, {"EDGED_CONFIG": str(tmp_path / "gone.toml")}) == ()


def test_a_configuration_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        trusted_keys(tmp_path / "gone.toml", {"EDGED_CONFIG": "any"})


def test_a_key_that_is_missing_is_an_error_only_where_the_configuration_was_named(
    config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (config.parent / "keys" / "release.pub").unlink()
    assert trusted_keys(None, {"EDGED_CONFIG": str(config)}) == ()
    assert "no trusted keys" in caplog.text
    assert "release.pub: there is no such file" in caplog.text
    with pytest.raises(ConfigError, match=r"release\.pub"):
        trusted_keys(config, {})
