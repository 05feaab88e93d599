"""A probe that is begun before it is asked for holds for the same bytes, tried in the same way."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged.engine import ahead
from edged.engine.ahead import Request
from edged.engine.probe import Probed, probe
from edged.engine.sandbox import Child
from edged.errors import ModelError

MODELS = Path(__file__).resolve().parent.parent / "models"


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "m.tflite"
    shutil.copy(MODELS / "classifier_uint8.tflite", path)
    yield path
    ahead.drop()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def taken(path: Path, sha256: str, threads: int = 1, remembers: bool = False) -> Child | None:
    return ahead.take(sha256, Request(str(path), threads, None, remembers))


def descriptors() -> set[str]:
    return {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}


def test_what_was_begun_is_the_outcome_whatever_became_of_the_file(model: Path) -> None:
    digest = sha256(model)
    ahead.begin(model, threads=1, delegate=None)
    model.write_bytes(b"no model any more")
    found = probe(model, threads=1, delegate=None, sha256=digest)
    assert [tensor.shape for tensor in found.inputs] == [(1, 32, 32, 3)]


def test_another_file_is_tried_for_itself(model: Path) -> None:
    ahead.begin(model, threads=1, delegate=None)
    model.write_bytes(b"no model any more")
    with pytest.raises(ModelError):
        probe(model, threads=1, delegate=None, sha256=sha256(model))


def test_it_is_taken_once_and_only_where_it_is_run_alike(model: Path) -> None:
    ahead.begin(model, threads=1, delegate=None)
    digest = sha256(model)
    assert taken(model, digest, threads=2) is None
    assert taken(model, digest, remembers=True) is None
    child = taken(model, digest)
    assert child is not None
    assert taken(model, digest) is None
    assert child.answer(Probed).invoke_ms > 0


def test_what_nobody_took_leaves_nothing_behind(model: Path) -> None:
    before = descriptors()
    ahead.begin(model, threads=1, delegate=None)
    ahead.drop()
    assert descriptors() <= before
    assert taken(model, sha256(model)) is None


@pytest.mark.parametrize("name", ["not there", "."])
def test_where_there_is_no_file_nothing_is_begun(tmp_path: Path, name: str) -> None:
    ahead.begin(tmp_path / name, threads=1, delegate=None)
    assert not ahead._begun
