"""The directory that users put models into."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from edged.store.models import BESIDE
from edged.store.watched import fingerprint, path_in, version_of

DATA = b"as good as a model here"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    path = path_in(tmp_path / "models", "m")
    path.write_bytes(DATA)
    return path


def test_a_models_file_is_called_after_it(model: Path) -> None:
    assert model.name == "m.tflite"
    assert path_in(model.parent, "mobilenet_v1_0.25").name == "mobilenet_v1_0.25.tflite"


def test_the_version_is_of_the_files_sha256_whatever_it_holds(model: Path) -> None:
    assert version_of(model) == hashlib.sha256(DATA).hexdigest()[:12]
    assert version_of(model.with_name("absent.tflite")) is None


def test_the_fingerprint_changes_with_each_file_of_a_model(model: Path, tmp_path: Path) -> None:
    seen = {fingerprint(model.parent, "m")}
    assert fingerprint(model.parent, "m") in seen

    def is_new() -> bool:
        before = len(seen)
        seen.add(fingerprint(model.parent, "m"))
        return len(seen) > before

    for ending in BESIDE:
        model.with_name(f"m{ending}").write_text("")
        assert is_new(), ending
    other = tmp_path / "other.tflite"
    other.write_bytes(DATA)
    other.replace(model)  # as mv and rsync do it: the same bytes, another file
    assert is_new()
    model.unlink()
    assert is_new()
    elsewhere = tmp_path / "elsewhere.tflite"
    elsewhere.write_bytes(DATA)
    model.symlink_to(elsewhere)
    assert is_new()


def test_a_change_in_place_that_keeps_size_and_time_is_seen(model: Path) -> None:
    before, kept = fingerprint(model.parent, "m"), model.stat()
    model.write_bytes(DATA[::-1])
    os.utime(model, ns=(kept.st_atime_ns, kept.st_mtime_ns))  # as cp -p and rsync --times do
    assert model.stat().st_mtime_ns == kept.st_mtime_ns
    assert fingerprint(model.parent, "m") != before
