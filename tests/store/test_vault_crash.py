"""The vault when it is cut off at any point: killed, without power, or by a disk that fails.

One story is told again and again, each time up to another call to the disk. What a restart then
knows is what was known after the last step that had returned, or after the one that was cut off.

Run as a program, this file is the one that is killed: it tells the story in processes of its own.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from edged.errors import EdgedError
from edged.store.atomic import Disk
from edged.store.ledger import Ledger
from edged.store.models import ModelFiles, read_model_files
from edged.store.vault import Vault

SMALL_MODELS = Path(__file__).resolve().parent.parent / "models"
NAMES = ("classifier_uint8", "classifier_int8", "classifier_float32", "stateful", "pose")
KEEP_VERSIONS = 2
FIRST_GOOD = 4  # the steps after which "front" has a good model, for ever

Step = Callable[[Vault], object]


# ---- the story ---------------------------------------------------------------------------------


def model_files(directory: Path) -> list[ModelFiles]:
    """Five models that come one after the other as "cats", each with what lies beside it."""
    given = []
    for number, name in enumerate(NAMES):
        path = directory / str(number) / "cats.tflite"
        path.parent.mkdir(parents=True)
        path.write_bytes((SMALL_MODELS / f"{name}.tflite").read_bytes())
        path.with_name("cats.labels.txt").write_text(f"label {number}\n")
        path.with_name("cats.toml").write_text(f"label_offset = {number}\n")
        given.append(read_model_files(path))
    return given


def story(files: list[ModelFiles]) -> list[Step]:
    """Each step is one call, whose effect is there whole or not at all."""
    a, b, c, d, e = files

    def trial(given: ModelFiles, pipeline: str) -> Iterator[Step]:
        yield lambda vault: vault.keep(given, 1)
        yield lambda vault: vault.begin_trial(pipeline, "cats", given.bundle)

    return [
        lambda vault: vault.open(),
        *trial(a, "front"),
        lambda vault: vault.pass_trial("front", "cats", a.bundle),
        *trial(b, "front"),
        lambda vault: vault.fail_trial("front", "cats", b.bundle, "rolled back: not finite"),
        lambda vault: vault.keep(c, 1),
        lambda vault: vault.drop(c.bundle),
        *trial(d, "back"),
        lambda vault: vault.begin_trial("front", "cats", d.bundle),
        lambda vault: vault.pass_trial("back", "cats", d.bundle),
        lambda vault: vault.pass_trial("front", "cats", d.bundle),
        *trial(e, "back"),
        lambda vault: vault.abandon_trial("back", "cats", e.bundle),
        lambda vault: vault.allow_older(d.bundle),
        lambda vault: vault.keep(d, 1),
        lambda vault: vault.keep(b, 2),
        lambda vault: vault.begin_trial("front", "cats", b.bundle),
        lambda vault: vault.pass_trial("front", "cats", b.bundle),
        lambda vault: vault.keep(a, None),
    ]


def new_vault(directory: Path, disk: Disk) -> Vault:
    return Vault(
        directory, KEEP_VERSIONS, disk=disk, now=lambda: datetime(2026, 11, 22, tzinfo=UTC)
    )


# ---- disks that end the story ------------------------------------------------------------------


class Interrupted(Disk):
    """A disk that calls ``at_end`` instead of its ``last`` call; calls count from 1. A write that
    is the last one has been done by half. Syncs are counted, not done: the kernel goes on here.
    """

    def __init__(self, last: int, at_end: Callable[[], None]) -> None:
        self.calls = 0
        self._last = last
        self._at_end = at_end

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self._last:
            self._at_end()

    def create(self, path: Path) -> int:
        self._count()
        return super().create(path)

    def write(self, fd: int, data: memoryview) -> int:
        if self.calls + 1 == self._last:
            super().write(fd, data[: len(data) // 2])
        self._count()
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._count()

    def rename(self, old: Path, new: Path) -> None:
        self._count()
        super().rename(old, new)

    def mkdir(self, path: Path) -> None:
        self._count()
        super().mkdir(path)

    def unlink(self, path: Path) -> None:
        self._count()
        super().unlink(path)

    def rmdir(self, path: Path) -> None:
        self._count()
        super().rmdir(path)


class PowerLost(BaseException):
    """Nothing of the program's own may run after it; no handler of errors catches it."""


def lose_power() -> None:
    raise PowerLost


def undisturbed() -> Interrupted:
    return Interrupted(-1, lose_power)


@dataclass(eq=False)
class Node:
    """A file's bytes or a directory's names, as they are, and as they are on the disk for sure."""

    data: bytes = b""
    names: dict[str, Node] | None = None
    synced: bytes = b""
    synced_names: dict[str, Node] = field(default_factory=dict)


class Forgetful(Interrupted):
    """Remembers what was synced, so that what a power cut may leave can be made of it."""

    def __init__(self, root: Path, last: int, at_end: Callable[[], None]) -> None:
        super().__init__(last, at_end)
        self.root = Node(names={})
        self._root_path = root
        self._open: dict[int, Node] = {}

    def create(self, path: Path) -> int:
        fd = super().create(path)
        self._open[fd] = self._names(path)[path.name] = Node()
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        written = super().write(fd, data)
        self._open[fd].data += data[:written]
        return written

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            node = self._node(Path(f"/proc/self/fd/{fd}").readlink())
            node.synced_names = dict(node.names or {})
        else:
            self._open[fd].synced = self._open[fd].data

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._names(new)[new.name] = self._names(old).pop(old.name)

    def mkdir(self, path: Path) -> None:
        super().mkdir(path)
        self._names(path)[path.name] = Node(names={})

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        del self._names(path)[path.name]

    def rmdir(self, path: Path) -> None:
        super().rmdir(path)
        del self._names(path)[path.name]

    def _node(self, path: Path) -> Node:
        node = self.root
        for part in path.relative_to(self._root_path).parts:
            assert node.names is not None
            node = node.names[part]
        return node

    def _names(self, path: Path) -> dict[str, Node]:
        names = self._node(path.parent).names
        assert names is not None
        return names


def after_power_cut(node: Node, path: Path, *, names_kept: bool) -> None:
    """Make at ``path`` what the disk holds. Bytes that were not synced are lost; so are changes
    of names, unless the file system happened to write those (``names_kept``).
    """
    if node.names is None:
        path.write_bytes(node.synced)
        return
    path.mkdir()
    for name, child in (node.names if names_kept else node.synced_names).items():
        after_power_cut(child, path / name, names_kept=names_kept)


# ---- what must be true afterwards --------------------------------------------------------------


class Expected:
    """What a restart knows after each number of steps of the undisturbed story."""

    def __init__(self, directory: Path, files: list[ModelFiles]) -> None:
        self.steps = len(story(files))
        self.disk = undisturbed()
        self._after = [Ledger()]
        for number in range(1, self.steps + 1):
            self.disk = undisturbed()
            vault = new_vault(directory / str(number), self.disk)
            for step in story(files)[:number]:
                step(vault)
            vault.close()
            restarted = new_vault(directory / str(number), undisturbed())
            restarted.open()
            self._after.append(restarted.ledger())
            restarted.close()

    def check(self, directory: Path, done: int, files: list[ModelFiles]) -> None:
        """A restart in ``directory``, where the story was cut off after ``done`` steps; it is cut
        off itself at its first call, then at its second, until it comes through.
        """
        for last in count(1):
            vault = new_vault(directory, Interrupted(last, lose_power))
            try:
                vault.open()
                break
            except PowerLost:
                vault.close()
        ledger = vault.ledger()
        assert ledger in self._after[done : done + 2]
        assert ledger.standing("front", "cats").good or done < FIRST_GOOD
        assert not any(vault.trial(pipeline, "cats") for pipeline in ("front", "back"))
        by_bundle = {given.bundle: given for given in files}
        for bundle in ledger.bundles() | ledger.in_use():
            assert vault.read("cats", bundle) == by_bundle[bundle]
        there = {path.name for path in vault.directory.iterdir()}
        assert there - {"ledger.json"} == ledger.bundles()
        assert not any(path.name.startswith(".") for path in vault.directory.rglob("*"))
        vault.close()
        again = undisturbed()
        vault = new_vault(directory, again)
        vault.open()
        vault.close()
        assert vault.ledger() == ledger
        assert again.calls == 0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[ModelFiles]:
    return model_files(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, files: list[ModelFiles]) -> Expected:
    return Expected(tmp_path_factory.mktemp("expected"), files)


def test_the_story_has_calls_worth_cutting(expected: Expected) -> None:
    assert expected.disk.calls > 100


# ---- killed ------------------------------------------------------------------------------------


def tell_until_killed(directory: Path, files: list[ModelFiles], last: int) -> None:
    """In a process of its own; writes a byte into ``directory``'s ``done`` after each step."""
    disk = Interrupted(last, lambda: os.kill(os.getpid(), signal.SIGKILL))
    vault = new_vault(directory, disk)
    done = os.open(directory / "done", os.O_WRONLY | os.O_CREAT)
    for step in story(files):
        step(vault)
        os.write(done, b".")


def tell_all(directory: Path) -> None:
    """Kill a process at its first call to the disk, one at its second, until one gets through."""
    files = model_files(directory / "models")
    for last in count(1):
        place = directory / f"killed-{last}"
        place.mkdir()
        pid = os.fork()
        if pid == 0:
            tell_until_killed(place, files, last)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        if status == 0:
            return
        assert os.WTERMSIG(status) == signal.SIGKILL


def test_a_process_killed_at_any_call_leaves_what_a_restart_can_go_by(
    tmp_path: Path, expected: Expected, files: list[ModelFiles]
) -> None:
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for last in range(1, expected.disk.calls + 1):
        place = tmp_path / f"killed-{last}"
        steps = (place / "done").stat().st_size
        assert steps < expected.steps
        expected.check(place, steps, files)
    through = tmp_path / f"killed-{expected.disk.calls + 1}"
    assert (through / "done").stat().st_size == expected.steps
    expected.check(through, expected.steps, files)


# ---- without power -----------------------------------------------------------------------------


@pytest.mark.parametrize("names_kept", [False, True])
def test_a_power_cut_at_any_call_leaves_what_a_restart_can_go_by(
    tmp_path: Path, expected: Expected, files: list[ModelFiles], names_kept: bool
) -> None:
    for last in range(1, expected.disk.calls + 2):
        place = tmp_path / str(last)
        (place / "running" / "store").mkdir(parents=True)
        disk = Forgetful(place / "running" / "store", last, lose_power)
        vault = new_vault(place / "running", disk)
        done = 0
        try:
            for step in story(files):
                step(vault)
                done += 1
        except PowerLost:
            assert last <= expected.disk.calls
        vault.close()
        (place / "restarted").mkdir()
        after_power_cut(disk.root, place / "restarted" / "store", names_kept=names_kept)
        expected.check(place / "restarted", done, files)


# ---- on a disk that fails ----------------------------------------------------------------------


def test_a_call_that_fails_is_told_and_the_step_can_be_done_again(
    tmp_path: Path, expected: Expected, files: list[ModelFiles]
) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for last in range(1, expected.disk.calls + 1):
        vault = new_vault(tmp_path / str(last), Interrupted(last, fail))
        told: list[str] = []
        for step in story(files):
            before = vault.ledger()
            try:
                step(vault)
            except EdgedError as error:
                told.append(str(error))
                failed = vault.ledger()
                step(vault)
                assert failed in (before, vault.ledger())
        vault.close()
        assert all(text.startswith(f"cannot write to {vault.directory}: ") for text in told)
        assert len(told) <= 1
        expected.check(tmp_path / str(last), expected.steps, files)


if __name__ == "__main__":
    tell_all(Path(sys.argv[1]))
