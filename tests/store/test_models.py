"""Model files where users put them, and what is read of them."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from household import SMALL_MODELS, House

from edged.errors import ConfigError, ModelError
from edged.store.models import read_model_files

NAME = "classifier_uint8"
DATA = (SMALL_MODELS / f"{NAME}.tflite").read_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.model(NAME)
    return made


@pytest.fixture
def model(house: House) -> Path:
    return house.models / f"{NAME}.tflite"


def test_a_model_is_read_with_what_lies_beside_it(house: House, model: Path) -> None:
    assert read_model_files(model).labels_file is None
    house.labels(NAME, "red", "green", "blue")
    model.with_suffix(".toml").write_text("label_offset = 1")
    found = read_model_files(model)
    assert (found.name, found.data, found.facts.sha256) == (NAME, DATA, SHA256)
    assert found.sidecar.label_offset == 1
    assert found.labels_file is not None
    assert found.labels_file.name == f"{NAME}.labels.txt"


def test_a_manifest_beside_a_model_is_read_and_makes_another_bundle(model: Path) -> None:
    plain = read_model_files(model)
    assert plain.manifest is None
    micro = '{"probability_cutoff": 0.85, "sliding_window_size": 5, "feature_step_size": 10}'
    manifest = f'{{"type": "micro", "version": 2, "wake_word": "Okay Nabu", "micro": {micro}}}'
    model.with_suffix(".json").write_text(manifest)
    found = read_model_files(model)
    assert found.manifest is not None
    assert found.manifest.wake_word == "Okay Nabu"
    assert found.bundle != plain.bundle
    model.with_suffix(".json").write_text(manifest.replace("0.85", "2"))
    with pytest.raises(ConfigError, match="probability_cutoff: 2 is not allowed"):
        read_model_files(model)


def test_a_dot_in_a_name_is_no_ending(house: House) -> None:
    house.model("mobilenet_v1_0.25", SMALL_MODELS / f"{NAME}.tflite")
    (house.models / "mobilenet_v1_0.25.toml").write_text("label_offset = 2")
    found = read_model_files(house.models / "mobilenet_v1_0.25.tflite")
    assert (found.name, found.sidecar.label_offset) == ("mobilenet_v1_0.25", 2)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("clasifier_uint8", '; did you mean "classifier_uint8"?'),
        ("zebra", ". Copy the model there"),
    ],
)
def test_a_model_that_is_not_there_is_told(model: Path, name: str, hint: str) -> None:
    path = model.with_name(f"{name}.tflite")
    with pytest.raises(ModelError) as told:
        read_model_files(path)
    assert str(told.value) == f"there is no file {path}{hint}"


def test_a_link_that_leads_nowhere_is_told(model: Path) -> None:
    link = model.with_name("eye.tflite")
    link.symlink_to("v2/eye.tflite")
    with pytest.raises(ModelError) as told:
        read_model_files(link)
    assert str(told.value) == f"{link} is a link to v2/eye.tflite, which is not there"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "eye.tflite"
    os.mkfifo(path)
    with pytest.raises(ModelError, match="is a pipe"):
        read_model_files(path)


@pytest.mark.parametrize("ending", [".toml", ".json", ".labels.txt", ".tflite.minisig"])
def test_nor_is_one_beside_a_model(model: Path, ending: str) -> None:
    path = model.with_name(f"{NAME}{ending}")
    os.mkfifo(path)
    with pytest.raises(ModelError) as told:
        read_model_files(model)
    assert str(told.value) == f"{path} is a pipe. Put the file itself there"


def test_a_device_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "eye.tflite"
    path.symlink_to("/dev/zero")
    with pytest.raises(ModelError) as told:
        read_model_files(path)
    assert str(told.value) == f"{path} is a device. Put the file itself there"


def test_a_large_file_that_is_no_model_costs_no_memory(model: Path) -> None:
    os.truncate(model, 0)
    os.truncate(model, 100 << 20)
    tracemalloc.start()
    with pytest.raises(ModelError, match=r"^no TFLite model$"):
        read_model_files(model)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_file_that_is_too_large_for_a_model_is_not_read(model: Path) -> None:
    os.truncate(model, 3 << 30)
    with pytest.raises(ModelError) as told:
        read_model_files(model)
    assert str(told.value) == "it has 3,221,225,472 bytes, and a model at most 2,147,483,647"


def test_a_directory_is_no_model(model: Path) -> None:
    path = model.with_name("dir.tflite")
    path.mkdir()
    with pytest.raises(ModelError) as told:
        read_model_files(path)
    assert str(told.value) == f"cannot read {path}: Is a directory"


def test_a_model_that_is_damaged_is_told(model: Path) -> None:
    model.write_bytes(DATA[:500])
    with pytest.raises(ModelError, match="truncated: 500 bytes"):
        read_model_files(model)
