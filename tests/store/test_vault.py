"""The private store on a real disk: what is kept, what a restart knows, what is told."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edged.errors import ConfigError, EdgedError, ModelError
from edged.store.atomic import Disk
from edged.store.models import ModelFiles, read_model_files
from edged.store.shelf import Shelf
from edged.store.vault import DIED, Vault

SMALL_MODELS = Path(__file__).resolve().parent.parent / "models"
ROUNDS = 40
MORNING = datetime(2026, 11, 22, 6, 24, tzinfo=UTC)


class Counting(Disk):
    """A disk that counts what is written to it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def create(self, path: Path) -> int:
        self.calls.append(f"create {path.name}")
        return super().create(path)

    def rename(self, old: Path, new: Path) -> None:
        self.calls.append(f"rename {new.name}")
        super().rename(old, new)

    def mkdir(self, path: Path) -> None:
        self.calls.append(f"mkdir {path.name}")
        super().mkdir(path)

    def unlink(self, path: Path) -> None:
        self.calls.append(f"unlink {path.name}")
        super().unlink(path)

    def fsync(self, fd: int) -> None:
        self.calls.append("fsync")
        super().fsync(fd)


@pytest.fixture
def disk() -> Counting:
    return Counting()


@pytest.fixture
def start(tmp_path: Path, disk: Counting) -> Iterator[Callable[..., Vault]]:
    """Starts on the same directory anew, like a daemon: ``start(keep_versions=3)``."""
    vaults: list[Vault] = []

    def started(keep_versions: int = 3) -> Vault:
        for vault in vaults:
            vault.close()
        vaults.append(Vault(tmp_path, keep_versions, disk=disk, now=lambda: MORNING))
        vaults[-1].open()
        return vaults[-1]

    yield started
    for vault in vaults:
        vault.close()


@pytest.fixture
def vault(start: Callable[..., Vault]) -> Vault:
    return start()


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., ModelFiles]:
    """A model as it lies in the watched directory: ``files("cats", sidecar="...", number=2)``.

    Another ``number`` is another model.
    """
    directory = tmp_path / "models"
    directory.mkdir()

    def given(name: str = "cats", number: int = 0, **beside: str) -> ModelFiles:
        shutil.copy(SMALL_MODELS / "classifier_uint8.tflite", directory / f"{name}.tflite")
        with (directory / f"{name}.tflite").open("ab") as file:
            file.write(bytes(number))
        endings = {"sidecar": ".toml", "labels": ".labels.txt", "signature": ".tflite.minisig"}
        for what, ending in endings.items():
            (directory / (name + ending)).unlink(missing_ok=True)
            if what in beside:
                (directory / (name + ending)).write_text(beside[what])
        return read_model_files(directory / f"{name}.tflite")

    return given


def serve(vault: Vault, files: ModelFiles, pipeline: str = "front") -> str:
    """Keep it and let it pass its trial."""
    bundle = vault.keep(files, None).bundle
    vault.begin_trial(pipeline, files.name, bundle)
    vault.pass_trial(pipeline, files.name, bundle)
    return bundle


def listed(shelf: Shelf, name: str = "cats") -> list[str]:
    return [version.bundle for version in shelf.versions(name)]


def on_disk(vault: Shelf) -> set[str]:
    return {path.name for path in vault.directory.iterdir()}


# ---- bundles -----------------------------------------------------------------------------------


def test_a_bundle_is_named_by_its_model_and_by_what_lies_beside_it(
    files: Callable[..., ModelFiles],
) -> None:
    given = files(sidecar="label_offset = 1\n", labels="cat\n")
    sha256 = hashlib.sha256(given.data).hexdigest()
    assert given.bundle.startswith(f"{sha256}-")
    others = [
        files(),
        files(sidecar="label_offset = 1\n"),
        files(sidecar="label_offset = 2\n", labels="cat\n"),
        files(sidecar="label_offset = 1\n", labels="cat\n", signature="x"),
        files(number=1, sidecar="label_offset = 1\n", labels="cat\n"),
    ]
    assert len({given.bundle, *(other.bundle for other in others)}) == 6
    assert files("dogs", sidecar="label_offset = 1\n", labels="cat\n").bundle == given.bundle


def test_what_is_kept_comes_back_as_it_was(vault: Vault, files: Callable[..., ModelFiles]) -> None:
    given = files(sidecar="# mine\nlabel_offset = 1\n", labels="cat\ndog\n", signature="signed")
    kept = vault.keep(given, 12)
    assert kept.path.read_bytes() == given.data
    assert vault.path_of(kept.bundle) == kept.path
    assert vault.read("cats", kept.bundle) == given
    assert vault.find(kept.bundle) == kept
    (version,) = vault.versions("cats")
    assert (version.size_bytes, version.signed_version) == (len(given.data), 12)
    assert version.came_at == MORNING


def test_a_bundle_that_came_under_two_names_is_there_once_and_comes_back_under_each(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    cats, dogs = files("cats", labels="pet\n"), files("dogs", labels="pet\n")
    assert vault.keep(cats, None) == vault.keep(dogs, None)
    assert on_disk(vault) == {cats.bundle, "ledger.json"}
    assert vault.read("dogs", cats.bundle) == dogs
    assert vault.read("cats", cats.bundle) == cats


def test_the_copy_is_not_the_watched_file(
    vault: Vault, files: Callable[..., ModelFiles], tmp_path: Path
) -> None:
    kept = vault.keep(files(), None)
    watched = (tmp_path / "models" / "cats.tflite").stat()
    assert (kept.path.stat().st_ino, kept.path.stat().st_nlink) != (watched.st_ino, 2)
    assert kept.path.stat().st_mode & 0o022 == 0


def test_a_damaged_copy_is_refused_and_healed_when_the_model_comes_again(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    given = files(labels="cat\n")
    kept = vault.keep(given, None)
    place = given.data.rindex(b"\x00\x00")
    kept.path.write_bytes(given.data[:place] + b"\x01" + given.data[place + 1 :])
    with pytest.raises(ModelError, match=r"^the kept copy of cats [0-9a-f]{12} is damaged: the"):
        vault.read("cats", kept.bundle)
    assert vault.keep(given, None) == kept
    assert vault.read("cats", kept.bundle) == given
    assert on_disk(vault) == {given.bundle, "ledger.json"}


def test_a_model_that_serves_lives_on_when_its_damaged_copy_is_replaced(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    given = files()
    kept = vault.keep(given, None)
    with kept.path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        kept.path.with_name("model.labels.txt").write_text("not from here")
        vault.keep(given, None)
        assert mapped[:] == given.data


def test_what_is_not_kept_is_told(vault: Vault, files: Callable[..., ModelFiles]) -> None:
    bundle = files().bundle
    sentence = "is not kept any more. Copy it to the directory of models again"
    for call in (
        lambda: vault.read("cats", bundle),
        lambda: vault.find(bundle),
        lambda: vault.allow_older(bundle),
        lambda: vault.begin_trial("front", "cats", bundle),
    ):
        with pytest.raises(ModelError) as told:
            call()
        assert str(told.value).endswith(f"{bundle[:12]} {sentence}")


def test_a_kept_sidecar_with_a_mistake_is_told_as_any_other(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    given = files(sidecar="label_offset = 1")
    kept = vault.keep(given, None)
    kept.path.with_name("model.toml").write_text("label_ofset = 1")
    with pytest.raises(ConfigError, match="label_ofset: unknown key"):
        vault.read("cats", kept.bundle)


# ---- what is kept, and for how long ------------------------------------------------------------


def test_the_newest_versions_are_kept_and_the_rest_removed(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start(keep_versions=2)
    bundles = [serve(vault, files(number=number)) for number in range(4)]
    assert listed(vault) == [bundles[3], bundles[2]]
    vault = start(keep_versions=2)
    assert on_disk(vault) == {bundles[3], bundles[2], "ledger.json"}


def test_while_it_runs_there_is_no_more_than_one_version_too_many(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start(keep_versions=1)
    for number in range(5):
        serve(vault, files(number=number))
        assert len(on_disk(vault) - {"ledger.json"}) <= 2


def test_what_is_good_or_on_trial_is_never_removed(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start(keep_versions=1)
    old = serve(vault, files(), "back")
    tried = vault.keep(files(number=1), None).bundle
    vault.begin_trial("side", "cats", tried)
    newer = [serve(vault, files(number=number)) for number in (2, 3)]
    vault.drop(old)
    vault.drop(tried)
    assert listed(vault) == [newer[1], tried, old]
    assert vault.read("cats", old) == files()


def test_refused_candidates_do_not_push_out_what_served(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start(keep_versions=2)
    served = [serve(vault, files(number=number)) for number in (0, 1)]
    for number in range(2, 8):
        vault.drop(vault.keep(files(number=number), None).bundle)
        assert listed(vault) == served[::-1]
        assert on_disk(vault) == {*served, "ledger.json"}


def test_what_edged_before_kept_and_what_was_cut_off_is_removed_and_other_files_are_not(
    start: Callable[..., Vault],
) -> None:
    vault = start()
    (vault.directory / f"{'a' * 64}.tflite").touch()
    for left in (".part-x", ".gone-x", f"{'a' * 64}-{'b' * 8}"):
        (vault.directory / left).mkdir()
        (vault.directory / left / "model.tflite").touch()
    (vault.directory / ".new-ledger.json").touch()
    (vault.directory / "notes.txt").touch()
    assert on_disk(start()) == {"notes.txt"}


# ---- a restart ---------------------------------------------------------------------------------


def test_what_was_known_is_known_after_a_restart(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start()
    good = serve(vault, files())
    failed = vault.keep(files(number=1), 3).bundle
    vault.begin_trial("front", "cats", failed)
    vault.fail_trial("front", "cats", failed, "rolled back: it takes 48 ms")
    before = vault.ledger()
    vault = start()
    assert vault.ledger() == before
    assert (vault.good("front", "cats"), vault.trial("front", "cats")) == (good, None)
    assert vault.failure(failed) == "rolled back: it takes 48 ms"


def test_a_trial_that_its_daemon_did_not_survive_has_failed(
    start: Callable[..., Vault],
    files: Callable[..., ModelFiles],
    caplog: pytest.LogCaptureFixture,
) -> None:
    vault = start()
    good = serve(vault, files())
    deadly = vault.keep(files(number=1), None).bundle
    vault.begin_trial("front", "cats", deadly)
    assert vault.trial("front", "cats") == deadly
    vault = start()
    assert vault.trial("front", "cats") is None
    assert vault.good("front", "cats") == good
    assert vault.failure(deadly, "front") == DIED
    assert [record.getMessage() for record in caplog.records] == [
        f"pipeline front: edged died during its trial: cats {deadly[:12]}"
    ]


def test_where_none_is_good_a_trial_that_was_cut_off_has_a_second_try_and_no_third(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start()
    first = vault.keep(files(), None).bundle
    for failure in (None, DIED):
        vault.begin_trial("front", "cats", first)
        vault = start()
        assert vault.trial("front", "cats") is None
        assert vault.failure(first, "front") == failure
    # Put there anew, it is as new.
    vault.begin_trial("front", "cats", first)
    vault = start()
    assert vault.failure(first, "front") is None
    vault.begin_trial("front", "cats", first)
    vault.pass_trial("front", "cats", first)
    assert start().good("front", "cats") == first


def test_a_trial_that_was_abandoned_has_not_failed(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start()
    bundle = vault.keep(files(), None).bundle
    vault.begin_trial("front", "cats", bundle)
    vault.abandon_trial("front", "cats", bundle)
    assert start().failure(bundle) is None


@pytest.mark.parametrize("text", ["", "{}}", '{"schema": "other"}', "\x00" * 500])
def test_a_damaged_ledger_is_moved_aside_and_nothing_is_known_good(
    start: Callable[..., Vault],
    files: Callable[..., ModelFiles],
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    vault = start()
    serve(vault, files())
    vault.ledger_path.write_text(text)
    with pytest.raises(EdgedError, match=r"ledger\.json is damaged \(.+\)\. The daemon begins"):
        Shelf(vault.directory.parent).ledger()
    vault = start()
    assert vault.good("front", "cats") is None
    assert listed(vault) == []
    assert (vault.directory / "ledger.damaged.json").read_text() == text
    assert "no model is known good until it has passed a trial again" in caplog.text
    assert start().good("front", "cats") is None
    serve(vault, files())
    assert start().good("front", "cats") == files().bundle


@pytest.mark.parametrize("name", ["model.tflite", "model.toml"])
def test_a_bundle_that_is_not_whole_any_more_is_forgotten_with_a_warning(
    start: Callable[..., Vault],
    files: Callable[..., ModelFiles],
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    vault = start()
    older = serve(vault, files())
    newer = serve(vault, files(number=1, sidecar="label_offset = 1\n"))
    path = vault.path_of(newer).with_name(name)
    path.write_bytes(path.read_bytes()[:-1])
    vault = start()
    assert vault.good("front", "cats") is None
    assert listed(vault) == [older]
    assert on_disk(vault) == {older, "ledger.json"}
    assert f"the kept model {newer[:12]} is damaged and was forgotten" in caplog.text


def test_a_second_daemon_is_kept_out_and_does_no_harm(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start()
    bundle = vault.keep(files(), None).bundle
    vault.begin_trial("front", "cats", bundle)
    second = Vault(vault.directory.parent, 3)
    with pytest.raises(EdgedError, match=r"^another edged is using .+/store\. Stop it first"):
        second.open()
    assert Shelf(vault.directory.parent).trial("front", "cats") == bundle
    vault.close()
    vault.close()
    second.open()
    second.close()


# ---- a user goes back --------------------------------------------------------------------------


def test_going_back_leaves_the_order_so_that_one_can_go_back_further(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    bundles = [serve(vault, files(number=number)) for number in range(3)]
    vault.allow_older(bundles[1])
    serve(vault, files(number=1))
    assert listed(vault) == bundles[::-1]
    assert vault.good("front", "cats") == bundles[1]


def test_without_a_user_going_back_what_comes_again_is_the_newest(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    bundles = [serve(vault, files(number=number)) for number in range(3)]
    serve(vault, files(number=0))
    assert listed(vault) == [bundles[0], bundles[2], bundles[1]]


def test_a_permission_outlasts_a_restart_and_ends_with_the_next_file(
    start: Callable[..., Vault], files: Callable[..., ModelFiles]
) -> None:
    vault = start()
    older, _ = (vault.keep(files(number=number), number).bundle for number in range(2))
    assert not vault.is_allowed(older)
    user = Shelf(vault.directory.parent)
    user.allow_older(older)
    user.allow_older(older)
    assert start().is_allowed(older)
    vault = start()
    vault.keep(files(number=0), 0)
    assert vault.is_allowed(older)
    assert vault.read("cats", older) == files(number=0)
    vault.keep(files(number=2), 2)
    assert not user.is_allowed(older)


# ---- the SD card -------------------------------------------------------------------------------


def test_where_nothing_is_new_nothing_is_written(
    start: Callable[..., Vault], files: Callable[..., ModelFiles], disk: Counting
) -> None:
    vault = start()
    good = serve(vault, files())
    disk.calls.clear()
    vault = start()
    serve(vault, files())
    vault.abandon_trial("front", "cats", good)
    vault.drop(good)
    vault.read("cats", good)
    assert disk.calls == []


def test_a_trial_begins_with_one_small_file_written_through(
    vault: Vault, files: Callable[..., ModelFiles], disk: Counting
) -> None:
    bundle = vault.keep(files(), None).bundle
    disk.calls.clear()
    vault.begin_trial("front", "cats", bundle)
    assert disk.calls == ["create .new-ledger.json", "fsync", "rename ledger.json", "fsync"]


# ---- another process looks on ------------------------------------------------------------------


def test_a_shelf_reads_without_writing(vault: Vault, files: Callable[..., ModelFiles]) -> None:
    good = serve(vault, files(labels="cat\n"))
    watching = Counting()
    shelf = Shelf(vault.directory.parent, watching)
    before = {path: path.stat().st_mtime_ns for path in vault.directory.rglob("*")}
    assert shelf.ledger() == vault.ledger()
    assert shelf.good("front", "cats") == good
    assert shelf.read("cats", good).labels_file == files(labels="cat\n").labels_file
    assert shelf.failure(good) is None
    assert not shelf.is_allowed(good)
    assert before == {path: path.stat().st_mtime_ns for path in vault.directory.rglob("*")}
    assert watching.calls == []


def test_a_shelf_without_a_vault_is_empty(tmp_path: Path) -> None:
    assert Shelf(tmp_path / "none").versions("cats") == ()
    assert list(tmp_path.iterdir()) == []


LOOK = """
import sys
from pathlib import Path
from edged.errors import ModelError
from edged.store.shelf import Shelf

shelf = Shelf(Path(sys.argv[1]))
looks = read = 0
print("looking", flush=True)
while not Path(sys.argv[1], "stop").exists():
    ledger = shelf.ledger()
    looks += 1
    for version in ledger.versions("cats"):
        try:
            read += shelf.read("cats", version.bundle).bundle == version.bundle
        except ModelError as error:
            assert "is not kept any more" in str(error), error
assert looks > 5 and read > 5, (looks, read)
"""


def test_another_process_never_sees_half_a_state(
    vault: Vault, files: Callable[..., ModelFiles], tmp_path: Path
) -> None:
    serve(vault, files())
    looker = subprocess.Popen(
        [sys.executable, "-c", LOOK, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with looker:
        assert looker.stdout is not None
        assert looker.stdout.readline() == "looking\n"
        for number in range(ROUNDS):
            serve(vault, files(number=number, labels="cat\n"))
            vault.drop(vault.keep(files(number=ROUNDS + number), None).bundle)
        (tmp_path / "stop").touch()
        assert looker.wait(60) == 0


def test_pipelines_tell_their_trials_while_models_come(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    bundles = [vault.keep(files(number=number), None).bundle for number in range(2)]
    errors: list[EdgedError] = []

    def try_models(pipeline: str) -> None:
        try:
            for turn in range(ROUNDS):
                vault.begin_trial(pipeline, "cats", bundles[turn % 2])
                vault.pass_trial(pipeline, "cats", bundles[turn % 2])
        except EdgedError as error:
            errors.append(error)

    threads = [threading.Thread(target=try_models, args=(f"p{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for number in range(ROUNDS):
        vault.drop(vault.keep(files("dogs", number=number + 2), None).bundle)
    for thread in threads:
        thread.join()
    assert errors == []
    for number in range(3):
        assert vault.good(f"p{number}", "cats") == bundles[(ROUNDS - 1) % 2]
    assert Shelf(vault.directory.parent).ledger() == vault.ledger()


# ---- a disk that does not take it --------------------------------------------------------------


@contextlib.contextmanager
def files_limited_to(size_bytes: int) -> Iterator[None]:
    """No file of this process can grow beyond: EFBIG, by the real kernel."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_model_that_does_not_fit_is_told_and_leaves_nothing(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    good, too_big = serve(vault, files()), files(number=2000)
    before = vault.ledger()
    with files_limited_to(2000), pytest.raises(EdgedError) as told:
        vault.keep(too_big, None)
    assert str(told.value) == (
        f"cannot write to {vault.directory}: File too large. "
        "Make room there, or keep fewer versions (models.keep_versions)"
    )
    assert isinstance(told.value.__cause__, OSError)
    assert vault.ledger() == before == Shelf(vault.directory.parent).ledger()
    assert on_disk(vault) == {good, "ledger.json"}
    assert vault.read("cats", vault.keep(too_big, None).bundle) == too_big


def test_a_trial_that_cannot_be_written_does_not_begin(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    bundle = vault.keep(files(), None).bundle
    with files_limited_to(100), pytest.raises(EdgedError, match="File too large"):
        vault.begin_trial("front", "cats", bundle)
    assert vault.trial("front", "cats") is None
    assert Shelf(vault.directory.parent).ledger() == vault.ledger()
    vault.begin_trial("front", "cats", bundle)
    assert Shelf(vault.directory.parent).trial("front", "cats") == bundle


FILL = """
import sys
from pathlib import Path
from edged.errors import EdgedError
from edged.store.models import read_model_files
from edged.store.vault import Vault

directory = Path(sys.argv[1])
vault = Vault(directory, 3)
vault.open()
kept = 0
model = directory / "cats.tflite"
for number in range(100):
    model.write_bytes(Path(sys.argv[2]).read_bytes() + bytes(4096 + number))
    files = read_model_files(model)
    try:
        vault.keep(files, None)
    except EdgedError as error:
        print(error)
        break
    kept += 1
assert 0 < kept < 100 and len(vault.versions("cats")) == kept, kept
vault.close()
vault.open()
assert len(vault.versions("cats")) == 3
assert len(list(vault.directory.iterdir())) == 4
vault.keep(files, None)
"""


def test_a_disk_that_is_really_full_is_told_and_works_again_when_there_is_room(
    tmp_path: Path,
) -> None:
    mount = "mount -t tmpfs -o size=160k none $1"
    if subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting a small disk takes root")
    command = ["unshare", "-m", "sh", "-c", f'{mount}; shift; exec "$@"', "sh", str(tmp_path)]
    model = SMALL_MODELS / "classifier_uint8.tflite"
    done = subprocess.run(
        [*command, sys.executable, "-c", FILL, str(tmp_path), str(model)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        f"cannot write to {tmp_path}/store: No space left on device. "
        "Make room there, or keep fewer versions (models.keep_versions)\n"
    )


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """As a user who may write only what everybody may."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_directory_that_may_not_be_written_is_told() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o555)
        with nobody(), pytest.raises(EdgedError) as told:
            Vault(directory, 3).open()
        assert str(told.value) == (
            f"cannot write to {directory}/store: Permission denied. "
            "Let the user that runs edged write there, or name another device.state_dir"
        )


class ReadOnly(Disk):
    """A file system that the kernel has made read-only after an error."""

    def create(self, path: Path) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    mkdir = unlink = rmdir = create  # type: ignore[assignment]


def test_a_disk_gone_read_only_still_gives_what_is_known(
    vault: Vault, files: Callable[..., ModelFiles]
) -> None:
    good = serve(vault, files())
    vault.close()
    later = Vault(vault.directory.parent, 3, disk=ReadOnly())
    later.open()
    with contextlib.closing(later):
        assert later.good("front", "cats") == good
        assert later.read("cats", good) == files()
        for call in (
            lambda: later.keep(files(number=1), None),
            lambda: later.fail_trial("front", "cats", good, "slow"),
            lambda: later.allow_older(good),
        ):
            with pytest.raises(EdgedError, match=r"^cannot write to .+: Read-only file system\. "):
                call()
        assert later.good("front", "cats") == good
        assert later.failure(good) is None


def test_the_ledger_can_be_read_by_people(vault: Vault, files: Callable[..., ModelFiles]) -> None:
    good = serve(vault, files())
    told = json.loads(vault.ledger_path.read_text())
    assert told["pipelines"] == {"front": {"cats": {"good": good}}}
    assert told["models"]["cats"][0]["came_at"] == "2026-11-22T06:24:00Z"
