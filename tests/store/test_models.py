"""Model files where users put them, and the copies that serve."""

from __future__ import annotations

import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from household import SMALL_MODELS, House

from edged.errors import EdgedError, ModelError
from edged.store.models import ModelFiles, ModelStore, read_model_files

NAME = "classifier_uint8"
DATA = (SMALL_MODELS / f"{NAME}.tflite").read_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made.model(NAME)
    return made


@pytest.fixture
def store(house: House) -> ModelStore:
    made = ModelStore(house.models, house.directory / "state")
    made.open()
    return made


def the_file(store: ModelStore) -> Path:
    return store.path_of(NAME)


def files(store: ModelStore) -> ModelFiles:
    return read_model_files(the_file(store))


# ---- reading -------------------------------------------------------------------------------------


def test_a_model_is_read_with_what_lies_beside_it(house: House, store: ModelStore) -> None:
    assert files(store).labels_file is None
    house.labels(NAME, "red", "green", "blue")
    the_file(store).with_suffix(".toml").write_text("label_offset = 1")
    found = files(store)
    assert (found.name, found.data, found.facts.sha256) == (NAME, DATA, SHA256)
    assert found.sidecar.label_offset == 1
    assert found.labels_file is not None
    assert found.labels_file.name == f"{NAME}.labels.txt"


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
def test_a_model_that_is_not_there_is_told(store: ModelStore, name: str, hint: str) -> None:
    with pytest.raises(ModelError) as told:
        read_model_files(store.path_of(name))
    assert str(told.value) == f"there is no file {store.path_of(name)}{hint}"


def test_a_directory_is_no_model(store: ModelStore) -> None:
    store.path_of("dir").mkdir()
    with pytest.raises(ModelError) as told:
        read_model_files(store.path_of("dir"))
    assert str(told.value) == f"cannot read {store.path_of('dir')}: Is a directory"


def test_a_model_that_is_damaged_is_told_and_its_version_known(store: ModelStore) -> None:
    the_file(store).write_bytes(DATA[:500])
    with pytest.raises(ModelError, match="truncated: 500 bytes"):
        files(store)
    assert store.version_of(NAME) == hashlib.sha256(DATA[:500]).hexdigest()[:12]


# ---- versions and changes ------------------------------------------------------------------------


def test_the_version_is_of_the_files_sha256(store: ModelStore) -> None:
    assert store.version_of(NAME) == SHA256[:12]
    assert store.version_of("absent") is None


def test_the_fingerprint_changes_with_each_file_of_a_model(
    house: House, store: ModelStore, tmp_path: Path
) -> None:
    seen = {store.fingerprint(NAME)}
    assert store.fingerprint(NAME) in seen

    def is_new() -> bool:
        before = len(seen)
        seen.add(store.fingerprint(NAME))
        return len(seen) > before

    house.labels(NAME, "red")
    assert is_new()
    the_file(store).with_suffix(".toml").write_text("")
    assert is_new()
    other = tmp_path / "other.tflite"
    other.write_bytes(DATA)
    other.replace(the_file(store))  # as mv and rsync do it: the same bytes, another file
    assert is_new()
    the_file(store).unlink()
    assert is_new()
    elsewhere = tmp_path / "elsewhere.tflite"
    elsewhere.write_bytes(DATA)
    the_file(store).symlink_to(elsewhere)
    assert is_new()


# ---- the private copies --------------------------------------------------------------------------


def test_the_copy_is_named_by_its_sha256_and_lasts_when_the_file_is_overwritten(
    store: ModelStore,
) -> None:
    kept = store.keep(files(store))
    assert kept.name == f"{SHA256}.tflite"
    with the_file(store).open("r+b") as file:
        file.truncate(10)
    assert kept.read_bytes() == DATA
    assert kept.stat().st_ino != the_file(store).stat().st_ino
    assert kept.stat().st_mode & 0o077 == 0  # nobody else may write or read it


def test_the_same_bytes_are_kept_once(store: ModelStore) -> None:
    first = store.keep(files(store)).stat()
    kept = store.keep(files(store))
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("damaged", [DATA[:100], b"", DATA[:-1] + b"\xff"])
def test_a_copy_that_was_damaged_is_written_again(store: ModelStore, damaged: bytes) -> None:
    kept = store.keep(files(store))
    kept.write_bytes(damaged)
    assert store.keep(files(store)).read_bytes() == DATA


@contextmanager
def cramped() -> Iterator[None]:
    """A disk where no file can grow beyond 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_copy_that_cannot_be_written_is_told_and_leaves_nothing(
    store: ModelStore, tmp_path: Path
) -> None:
    candidate = files(store)
    told = r"cannot keep a copy of it in .*/state/store: File too"
    with pytest.raises(ModelError, match=told), cramped():
        store.keep(candidate)
    assert list((tmp_path / "state" / "store").iterdir()) == []


def test_a_store_that_is_gone_is_told(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "state" / "store").rmdir()
    with pytest.raises(ModelError, match=r"cannot keep a copy of it in .*: No such file"):
        store.keep(files(store))


def test_the_directories_are_made_and_may_be_there(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "a" / "models", tmp_path / "b" / "state")
    for _ in range(2):
        store.open()
    assert (tmp_path / "a" / "models").is_dir()
    assert (tmp_path / "b" / "state" / "store").is_dir()


def test_a_directory_that_cannot_be_made_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(EdgedError) as told:
        ModelStore(tmp_path / "models", tmp_path / "state").open()
    assert str(told.value) == (
        f"cannot make the directory {tmp_path}/state/store: Not a directory. Give edged a "
        "directory to write to in device.state_dir, or run it as a user that may"
    )
