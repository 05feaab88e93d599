"""The watched directory, with real files that come in all the ways files come."""

from __future__ import annotations

import logging
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from patience import PATIENCE_S

from edged.store.file_events import FileEvents
from edged.store.settling import SETTLE_S, Change
from edged.store.watcher import Watcher, model_name

UNFINISHED_S = 0.5
NEVER_S = 3600.0  # as the time between two looks, where events alone are to tell of a change, and
# as the quiet time of what may be unfinished, where a file is to be known to be complete
OFTEN_S = 0.1  # between two looks, where there are no events

OLD, NEW = b"old" * 10_000, b"new!" * 300_000


@dataclass(frozen=True, slots=True)
class Told:
    """``content``: the model file's when it was told; None: there was none."""

    what: str
    name: str
    content: bytes | None
    at_s: float


class Ears:
    """A watcher on ``directory`` and all that it has told."""

    def __init__(self, directory: Path, poll_s: float, unfinished_s: float = UNFINISHED_S) -> None:
        self.told: list[Told] = []
        self._directory = directory
        self._changed = threading.Condition()
        # What is told twice is told again within a quiet time.
        self._again_s = 0.3 + (SETTLE_S if unfinished_s == NEVER_S else unfinished_s)
        self.watcher = Watcher(
            directory,
            self._hear("settled"),
            self._hear("gone"),
            poll_s=poll_s,
            unfinished_s=unfinished_s,
        )

    def _hear(self, what: str) -> Callable[[str], None]:
        def hear(name: str) -> None:
            at_s = time.monotonic()
            path = self._directory / f"{name}.tflite"
            content = path.read_bytes() if path.exists() else None
            with self._changed:
                self.told.append(Told(what, name, content, at_s))
                self._changed.notify_all()

        return hear

    def wait_for(self, *expected: tuple[str, str]) -> list[Told]:
        """Wait until this, in any order, and nothing else was told since the last call."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.told) >= len(expected), PATIENCE_S)
            self._changed.wait_for(lambda: len(self.told) > len(expected), self._again_s)
            told, self.told = self.told, []
        assert sorted((each.what, each.name) for each in told) == sorted(expected)
        return told

    def wait_until_ready(self) -> None:
        """Wait until the watcher is at work, by a model that comes and goes."""
        ready = self._directory / "ready.tflite"
        ready.touch()
        self._wait_for_word_of("settled", ready.stem)
        ready.unlink()
        self._wait_for_word_of("gone", ready.stem)
        self.told = [told for told in self.told if told.name != ready.stem]

    def _wait_for_word_of(self, what: str, name: str) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: any((told.what, told.name) == (what, name) for told in self.told),
                PATIENCE_S,
            )


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The directory to be watched; ``new`` and ``old`` lie outside of it."""
    (tmp_path / "old").write_bytes(OLD)
    (tmp_path / "new").write_bytes(NEW)
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def listen(models: Path) -> Iterator[Callable[..., Ears]]:
    """Starts a watcher, and waits until it has told what is there."""
    started: list[Ears] = []

    def listening(
        *there: str,
        poll_s: float = NEVER_S,
        unfinished_s: float = UNFINISHED_S,
        directory: Path = models,
    ) -> Ears:
        ears = Ears(directory, poll_s, unfinished_s)
        started.append(ears)
        ears.watcher.start()
        if directory.is_dir():
            ears.wait_until_ready()
        assert sorted(told.name for told in ears.told) == sorted(there)
        ears.told.clear()
        return ears

    yield listening
    for ears in started:
        ears.watcher.stop()


def run(command: str, models: Path) -> None:
    subprocess.run(["/bin/sh", "-ec", command], cwd=models.parent, check=True)


# What is run to put the file "new" in the place of models/$n.tflite.
WAYS = {
    "cp": "cp new models/$n.tflite",
    "cp-remove-destination": "cp --remove-destination new models/$n.tflite",
    "mv": "cp new fresh; mv fresh models/$n.tflite",
    "other-name": "cp new models/$n.part; mv -f models/$n.part models/$n.tflite",
    "hidden-name": "cp new models/.$n.tflite; mv -f models/.$n.tflite models/$n.tflite",
    "moved-out": "mv models/$n.tflite kept; cp new models/$n.tflite",
    "removed": "rm models/$n.tflite; cp new models/$n.tflite",
    "install": "install -m 640 new models/$n.tflite",
    "dd": "dd if=new of=models/$n.tflite bs=4096 status=none",
    "cat": "cat new > models/$n.tflite",
    "tar": "mkdir t; cp new t/$n.tflite; tar -C t -cf - $n.tflite | tar -C models -xf -",
    "hard-link": "ln -f new models/$n.tflite",
    "link": "ln -sfn ../new models/$n.tflite",
    "link-anew": "rm models/$n.tflite; ln -s ../new models/$n.tflite",
}
RSYNC_WAYS = {
    "rsync": "rsync new models/$n.tflite",
    "rsync-in-place": "rsync --inplace new models/$n.tflite",
    "rsync-with-times": "rsync -a new models/$n.tflite",
}


def put_all(
    ways: dict[str, str], models: Path, listen: Callable[..., Ears], **times: float
) -> None:
    """Have files come in all these ways, one after the other; each is to be told once and whole."""
    for name in ways:
        shutil.copy(models.parent / "old", models / f"{name}.tflite")
    ears = listen(*ways, **times)
    for name, way in ways.items():
        run(f"n={name}; {way}", models)
    for told in ears.wait_for(*(("settled", name) for name in ways)):
        assert told.content == NEW, told.name


def test_a_file_is_told_once_and_whole_however_it_comes(
    models: Path, listen: Callable[..., Ears]
) -> None:
    put_all(WAYS, models, listen)


def test_a_file_is_known_to_be_complete_however_it_comes(
    models: Path, listen: Callable[..., Ears]
) -> None:
    put_all(WAYS, models, listen, unfinished_s=NEVER_S)


@pytest.mark.parametrize("unfinished_s", [UNFINISHED_S, NEVER_S])
def test_a_file_that_rsync_brings_is_told_once_and_known_to_be_complete(
    unfinished_s: float, models: Path, listen: Callable[..., Ears]
) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    put_all(RSYNC_WAYS, models, listen, unfinished_s=unfinished_s)


def test_a_file_that_no_event_tells_of_is_found(models: Path, listen: Callable[..., Ears]) -> None:
    """Links into another directory, as the kernel tells nothing of that one."""
    ways = {name: WAYS[name] for name in ("cp", "mv", "dd", "removed")}
    (models.parent / "elsewhere").mkdir()
    for name in ways:
        shutil.copy(models.parent / "old", models.parent / f"elsewhere/{name}.tflite")
        (models / f"{name}.tflite").symlink_to(f"../elsewhere/{name}.tflite")
    ears = listen(*ways, poll_s=OFTEN_S)
    begun_s = time.monotonic()
    for name, way in ways.items():
        run(f"n={name}; {way.replace('models/', 'elsewhere/')}", models)
    for told in ears.wait_for(*(("settled", name) for name in ways)):
        assert told.content == NEW, told.name
        assert told.at_s - begun_s >= UNFINISHED_S


def test_a_slow_upload_is_told_when_it_is_closed(models: Path, listen: Callable[..., Ears]) -> None:
    ears = listen(unfinished_s=NEVER_S)
    with (models / "a.tflite").open("wb", buffering=0) as upload:
        for _ in range(3):
            upload.write(NEW)
            ears.wait_for()
        closed_s = time.monotonic()
    (told,) = ears.wait_for(("settled", "a"))
    assert told.content == NEW * 3
    assert told.at_s - closed_s >= SETTLE_S


def test_an_upload_that_is_closed_after_each_piece_ends_with_the_whole(
    models: Path, listen: Callable[..., Ears]
) -> None:
    ears = listen(unfinished_s=NEVER_S)
    for pieces in range(1, 4):
        run("cat new >> models/a.tflite", models)
        (told,) = ears.wait_for(("settled", "a"))
        assert told.content == NEW * pieces
    run("for i in 1 2 3; do cat new >> models/a.tflite; done", models)
    (told,) = ears.wait_for(("settled", "a"))
    assert told.content == NEW * 6


def test_a_file_that_is_never_closed_is_told_all_the_same(
    models: Path, listen: Callable[..., Ears]
) -> None:
    ears = listen()
    with (models / "a.tflite").open("wb", buffering=0) as upload:
        written_s = time.monotonic()
        upload.write(NEW)
        (told,) = ears.wait_for(("settled", "a"))
        assert told.at_s - written_s >= UNFINISHED_S
    ears.wait_for()  # closing it now is no news


def test_a_model_and_what_lies_beside_it_are_told_once(
    models: Path, listen: Callable[..., Ears]
) -> None:
    ears = listen()
    sides = "touch a.toml a.labels.txt a.tflite.minisig"
    run(f"{sides}; cp new models/a.tflite; cp a.toml a.labels.txt a.*.minisig models", models)
    ears.wait_for(("settled", "a"))


@pytest.mark.parametrize(
    "file", ["a.toml", "a.labels.txt", "a.json", "a.tflite.minisig", "a.json.minisig"]
)
def test_a_file_beside_the_model_is_told_as_its_model(
    file: str, models: Path, listen: Callable[..., Ears]
) -> None:
    run("cp new models/a.tflite", models)
    ears = listen("a")
    run(f"echo 1 > models/{file}", models)
    ears.wait_for(("settled", "a"))
    run(f"rm models/{file}", models)
    ears.wait_for(("settled", "a"))


def test_what_lies_beside_no_model_is_not_told(models: Path, listen: Callable[..., Ears]) -> None:
    ears = listen()
    run("echo > models/a.toml; echo > models/a.labels.txt", models)
    ears.wait_for()


def test_several_files_at_once_are_told_each(models: Path, listen: Callable[..., Ears]) -> None:
    ears = listen()
    run("for n in a b c d e; do cp new models/$n.tflite; done", models)
    told = ears.wait_for(*(("settled", name) for name in "abcde"))
    assert all(each.content == NEW for each in told)


def test_touch_and_other_permissions_are_told(models: Path, listen: Callable[..., Ears]) -> None:
    run("cp new models/a.tflite", models)
    ears = listen("a")
    run("touch models/a.tflite", models)
    ears.wait_for(("settled", "a"))
    run("chmod 600 models/a.tflite", models)
    ears.wait_for(("settled", "a"))


def test_reading_a_model_is_not_told(models: Path, listen: Callable[..., Ears]) -> None:
    run("cp new models/a.tflite", models)
    ears = listen("a", poll_s=OFTEN_S)
    run("cat models/a.tflite > /dev/null; ls -l models > /dev/null; cp models/a.tflite b", models)
    ears.wait_for()


def test_a_deleted_model_is_gone(models: Path, listen: Callable[..., Ears]) -> None:
    run("cp new models/a.tflite; cp new models/b.tflite; echo > models/a.toml", models)
    ears = listen("a", "b")
    run("rm models/a.tflite; mv models/b.tflite models/c.tflite", models)
    ears.wait_for(("gone", "a"), ("gone", "b"), ("settled", "c"))
    run("rm models/a.toml", models)
    ears.wait_for()


def test_a_link_into_nowhere_is_gone_and_comes_back(
    models: Path, listen: Callable[..., Ears]
) -> None:
    run("ln -s ../target models/a.tflite; cp new target", models)
    ears = listen("a", poll_s=OFTEN_S)
    run("rm target", models)
    ears.wait_for(("gone", "a"))
    run("cp new target", models)
    ears.wait_for(("settled", "a"))


def test_a_directory_of_links_is_turned_round_as_kubernetes_does(
    models: Path, listen: Callable[..., Ears]
) -> None:
    run(
        "cd models; mkdir ..1 ..2; cp ../old ..1/a.tflite; cp ../new ..2/a.tflite; "
        "ln -s ..1 ..data; ln -s ..data/a.tflite a.tflite",
        models,
    )
    ears = listen("a", unfinished_s=NEVER_S)
    run("cd models; ln -s ..2 ..data_tmp; mv -T ..data_tmp ..data; rm -r ..1", models)
    (told,) = ears.wait_for(("settled", "a"))
    assert told.content == NEW


def test_a_linked_directory_is_watched_and_may_be_turned_round(
    models: Path, listen: Callable[..., Ears]
) -> None:
    run("mkdir one two; cp new two/a.tflite; ln -s one current", models)
    ears = listen(poll_s=OFTEN_S, unfinished_s=NEVER_S, directory=models.parent / "current")
    run("cp old one/a.tflite", models)
    ears.wait_for(("settled", "a"))
    run("ln -sfn two current", models)
    (told,) = ears.wait_for(("settled", "a"))
    assert told.content == NEW
    run("cp old two/b.tflite", models)
    ears.wait_for(("settled", "b"))


def test_the_directory_may_be_made_later_deleted_and_made_again(
    models: Path, listen: Callable[..., Ears], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    models.rmdir()
    ears = listen(poll_s=OFTEN_S)
    run("mkdir models; cp old models/a.tflite", models)
    ears.wait_for(("settled", "a"))
    run("rm -r models", models)
    ears.wait_for(("gone", "a"))
    run("mkdir models; cp new models/a.tflite", models)
    (told,) = ears.wait_for(("settled", "a"))
    assert told.content == NEW
    run("cp old models/a.tflite", models)
    ears.wait_for(("settled", "a"))
    said = [each.getMessage() for each in caplog.records if each.name.startswith("edged")]
    waiting = f"there is no directory {models}: waiting for it"
    assert said == [waiting, f"watching {models}"] * 2


def test_another_directory_in_its_place_is_watched(
    models: Path, listen: Callable[..., Ears]
) -> None:
    ears = listen(poll_s=OFTEN_S)
    run("mkdir fresh; cp new fresh/a.tflite; mv models away; mv fresh models", models)
    ears.wait_for(("settled", "a"))
    run("cp new away/b.tflite; cp new models/c.tflite", models)
    ears.wait_for(("settled", "c"))


def test_a_directory_made_again_with_the_same_inode_is_followed(models: Path) -> None:
    changes: queue.SimpleQueue[tuple[Change, str]] = queue.SimpleQueue()
    events = FileEvents(lambda change, file: changes.put((change, file)))

    def await_change(*expected: object) -> None:
        while changes.get(timeout=PATIENCE_S) != expected:
            pass

    try:
        inode = models.stat().st_ino
        assert events.follow(models)
        run("rmdir models; mkdir models", models)
        if models.stat().st_ino != inode:
            pytest.skip("this file system does not use the number of the deleted inode again")
        await_change(Change.REMOVED, models.name)
        assert events.follow(models)
        assert not events.follow(models)
        run("cp new models/a.tflite", models)
        await_change(Change.CLOSED, "a.tflite")
    finally:
        events.close()


def test_a_file_stands_where_the_directory_should_be(
    models: Path, listen: Callable[..., Ears]
) -> None:
    models.rmdir()
    models.write_text("not a directory")
    ears = listen(poll_s=OFTEN_S)
    run("rm models; mkdir models; cp new models/a.tflite", models)
    ears.wait_for(("settled", "a"))


def test_without_events_of_the_kernel_looking_alone_serves_and_is_told_once(models: Path) -> None:
    """In a user namespace of its own, which may have no inotify instance."""
    program = """
import logging, pathlib, queue, sys
from edged.store.watcher import Watcher
logging.basicConfig(format="%(message)s", stream=sys.stdout, level=logging.INFO)
told = queue.Queue()
watcher = Watcher(pathlib.Path(sys.argv[1]), told.put, told.put, poll_s=0.1, unfinished_s=0.5)
watcher.start()
for _ in sys.stdin:
    print("told", told.get(timeout=100), flush=True)
watcher.stop()
"""
    limit = "echo 0 > /proc/sys/user/max_inotify_instances"
    unshare = ["unshare", "--user", "--map-root-user", "/bin/sh", "-ec"]
    if subprocess.run([*unshare, limit], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    run("cp old models/a.tflite", models)
    process = subprocess.Popen(
        [*unshare, f'{limit}; exec "$@"', "sh", sys.executable, "-c", program, models],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == (
            f"no file events for {models} (inotify instance limit reached): "
            "looking at it every 0.1 s instead\n"
        )
        assert process.stdout.readline() == "told a\n"
        run("cp new models/b.tflite", models)
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "told b\n"
        run("rm models/a.tflite", models)
        print(file=process.stdin, flush=True)
        assert process.stdout.readline() == "told a\n"
        rest, _ = process.communicate(timeout=PATIENCE_S)
        assert rest == ""


def test_a_watcher_may_be_stopped_unstarted_and_twice(
    models: Path, listen: Callable[..., Ears]
) -> None:
    Ears(models, NEVER_S).watcher.stop()
    before = open_files(), threading.active_count()
    ears = listen()
    assert (open_files(), threading.active_count()) != before
    ears.watcher.stop()
    ears.watcher.stop()
    assert (open_files(), threading.active_count()) == before
    run("cp new models/a.tflite", models)
    ears.wait_for()


def open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.tflite", "a"),
        ("a.b.tflite", "a.b"),
        ("a.toml", "a"),
        ("a.labels.txt", "a"),
        ("a.tflite.minisig", "a"),
        (".a.tflite.Xy12Zq", None),
        (".a.tflite", None),
        (".tflite", None),
        ("a.tflite~", None),
        ("a.tflite.part", None),
        ("a.txt", None),
        ("a.minisig", None),
        ("a\n.tflite", None),
        ("a\udcff.tflite", None),
    ],
)
def test_files_belong_to_models_by_their_names(file: str, name: str | None) -> None:
    found = model_name(file)
    assert found == name
