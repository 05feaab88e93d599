"""Run as a program, this file is the one that is killed while it installs."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from edged.errors import EdgedError, ModelError
from edged.store.atomic import Disk
from edged.store.install import install, make_directory, refuse_unreadable

MODEL = Path(__file__).resolve().parent.parent / "models" / "classifier_uint8.tflite"
OLD = {"cats.tflite": b"old", "cats.labels.txt": b"old labels", "cats.toml": b"# old"}
NEW = {"cats.tflite": b"new" * 1000, "cats.labels.txt": b"new labels"}
CALLS = ("create", "write", "fsync", "rename", "unlink")


class FailingDisk(Disk):
    """The nth call that changes something fails with ENOSPC, or kills the process."""

    def __init__(self, nth: int, kills: bool) -> None:
        self._left = nth
        self._kills = kills

    def __getattribute__(self, name: str) -> Any:
        call = super().__getattribute__(name)
        if name not in CALLS:
            return call

        def counted(*given: Any) -> Any:
            self._left -= 1
            if self._left == 0:
                if self._kills:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*given)

        return counted


def put(directory: Path, disk: Disk) -> None:
    beside = {".labels.txt": NEW["cats.labels.txt"]}
    install(directory / "cats.tflite", NEW["cats.tflite"], beside, [".toml"], disk)


def failure(directory: Path, nth: int) -> str | None:
    try:
        put(directory, FailingDisk(nth, kills=False))
    except EdgedError as error:
        return str(error)
    return None


def prepared(directory: Path) -> Path:
    directory.mkdir()
    for name, data in OLD.items():
        (directory / name).write_bytes(data)
    return directory


def contents(directory: Path, *, hidden: bool = True) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in directory.iterdir()}
    return files if hidden else {name: d for name, d in files.items() if name[0] != "."}


def test_a_model_and_what_lies_beside_it_are_replaced(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "models")
    put(directory, Disk())
    assert contents(directory) == NEW


def test_the_model_comes_last(tmp_path: Path) -> None:
    renamed: list[str] = []

    class Watched(Disk):
        def rename(self, old: Path, new: Path) -> None:
            renamed.append(new.name)
            super().rename(old, new)

    put(prepared(tmp_path / "models"), Watched())
    assert renamed == ["cats.labels.txt", "cats.tflite"]


def test_a_disk_that_fails_leaves_what_was_there_or_whole_files(tmp_path: Path) -> None:
    for nth in count(1):
        directory = prepared(tmp_path / str(nth))
        told = failure(directory, nth)
        if told is None:
            assert nth > len(CALLS)
            return
        assert "No space left on device. Make room there" in told
        found = contents(directory)
        assert found["cats.tflite"] in (OLD["cats.tflite"], NEW["cats.tflite"])
        assert set(found) <= set(OLD), found
        assert found["cats.labels.txt"] in (OLD["cats.labels.txt"], NEW["cats.labels.txt"])


def test_a_process_that_is_killed_at_any_point_leaves_whole_files(tmp_path: Path) -> None:
    subprocess.run([sys.executable, __file__, str(tmp_path)], check=True, timeout=120)
    directories = sorted(tmp_path.iterdir())
    assert len(directories) > len(CALLS)
    for directory in directories:
        found = contents(directory, hidden=False)
        assert found["cats.tflite"] in (OLD["cats.tflite"], NEW["cats.tflite"])
        if found["cats.tflite"] == NEW["cats.tflite"]:
            assert found == NEW
        put(directory, Disk())
        assert contents(directory) == NEW


def test_two_at_once_do_not_get_in_each_other_s_way(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "models")
    busy, go_on = threading.Event(), threading.Event()

    class Slow(Disk):
        def fsync(self, fd: int) -> None:
            busy.set()
            assert go_on.wait(20)

    first = threading.Thread(target=put, args=(directory, Slow()))
    first.start()
    assert busy.wait(20)
    with pytest.raises(EdgedError, match="another edged is putting a model"):
        put(directory, Disk())
    go_on.set()
    first.join(20)
    assert contents(directory) == NEW


def test_a_directory_in_a_file_s_place_changes_nothing(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "models")
    (directory / "cats.tflite").unlink()
    (directory / "cats.tflite").mkdir()
    with pytest.raises(EdgedError, match="Is a directory"):
        put(directory, Disk())
    assert (directory / "cats.labels.txt").read_bytes() == OLD["cats.labels.txt"]
    assert len(list(directory.iterdir())) == len(OLD)


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EdgedError, match=r"cannot put the model into .*file/models: Not a dir"):
        make_directory(tmp_path / "file" / "models")


def test_what_the_daemon_could_not_read_is_refused() -> None:
    refuse_unreadable("cats", MODEL.read_bytes(), {".toml": b"label_offset = 1"})
    with pytest.raises(ModelError, match="no TFLite model"):
        refuse_unreadable("cats", b"text", {})
    with pytest.raises(EdgedError, match=r"cats.toml: label_ofset"):
        refuse_unreadable("cats", MODEL.read_bytes(), {".toml": b"label_ofset = 1"})


def tell_until_whole(base: Path) -> None:
    """Install in one process after the other, each killed one call later, until one is not."""
    for nth in count(1):
        directory = prepared(base / f"{nth:03}")
        child = os.fork()
        if child == 0:
            put(directory, FailingDisk(nth, kills=True))
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    tell_until_whole(Path(sys.argv[1]))
