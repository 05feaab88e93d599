from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from household import SMALL_MODELS
from patience import PATIENCE_S
from secure_server import Page, Server, make_authority

from edged.commands.bar import Bar
from edged.commands.model_add import Downloads, Order, add, catalog_text
from edged.commands.model_list import as_json, as_text, list_models
from edged.commands.model_rollback import roll_back
from edged.commands.places import Places, find_places
from edged.errors import ConfigError, EdgedError
from edged.store.catalog import Catalog, load_catalog
from edged.store.models import read_model_files
from edged.store.shelf import Shelf
from edged.store.vault import Vault

A = (SMALL_MODELS / "classifier_uint8.tflite").read_bytes()
B = (SMALL_MODELS / "classifier_int8.tflite").read_bytes()
C = (SMALL_MODELS / "classifier_float32.tflite").read_bytes()
LABELS = b"red\ngreen\nblue\n"
PIPELINES = '[[pipelines]]\nname = "front"\nmodel = "cats"\nsource.kind = "synthetic"\n'
MOST_COLUMNS = 80


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "edged.toml"
    path.write_text(f'[device]\nstate_dir = "state"\n[models]\ndir = "models"\n{PIPELINES}')
    (tmp_path / "models").mkdir()
    return path


@pytest.fixture
def places(config: Path) -> Places:
    return find_places(config, {}, is_root=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: tuple[Path, Path]) -> Iterator[Server]:
    server = Server(authority[1])
    yield server
    server.close()


class Adding:
    """``edged model add`` in this process. ``said`` is what it told."""

    def __init__(self, places: Places, authority: tuple[Path, Path]) -> None:
        self.places = places
        self.said: list[str] = []
        self.progress: list[tuple[int, int | None]] = []
        self.catalog: Catalog | None = None
        self._context = ssl.create_default_context(cafile=str(authority[0]))

    def __call__(
        self, what: str | Path, name: str | None = None, sha256: str | None = None
    ) -> None:
        downloads = Downloads(lambda *way: self.progress.append(way), self._context, (0.0,))
        order = Order(str(what), name, sha256)
        add(order, self.places, downloads, self.said.append, self.catalog)

    @property
    def files(self) -> dict[str, bytes]:
        return contents(self.places.models_dir)


@pytest.fixture
def adding(places: Places, authority: tuple[Path, Path]) -> Adding:
    return Adding(places, authority)


def contents(directory: Path) -> dict[str, bytes]:
    """All files of a directory, hidden ones too."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def written(directory: Path) -> dict[Path, tuple[int, int, int]]:
    """What changes when anything in a directory is written."""
    stats = {path: path.stat() for path in directory.rglob("*")}
    return {path: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns) for path, s in stats.items()}


# ---- add: files ----------------------------------------------------------------------------------


def test_a_file_is_added_with_what_lies_beside_it_under_the_name_it_is_given(
    adding: Adding, tmp_path: Path
) -> None:
    beside = {".toml": b"label_offset = 0\n", ".labels.txt": LABELS, ".tflite.minisig": b"signed"}
    for ending, data in {".tflite": A, **beside}.items():
        (tmp_path / f"mine{ending}").write_bytes(data)
    adding(tmp_path / "mine.tflite", name="cats")
    assert adding.files == {f"cats{e}": data for e, data in {".tflite": A, **beside}.items()}
    assert not any("no pipeline" in line for line in adding.said)
    adding(tmp_path / "mine.tflite")
    assert adding.said[-1] == 'note: no pipeline uses it yet; one with model = "mine" does'


def test_what_is_added_again_is_not_written_again(adding: Adding, tmp_path: Path) -> None:
    (tmp_path / "cats.tflite").write_bytes(A)
    adding(tmp_path / "cats.tflite")
    before = written(adding.places.models_dir)
    adding(tmp_path / "cats.tflite")
    assert written(adding.places.models_dir) == before
    assert "is there already, just so" in adding.said[-1]


def test_another_model_s_signature_goes_and_what_the_user_wrote_stays_and_is_told(
    adding: Adding, tmp_path: Path
) -> None:
    for ending in (".toml", ".toml.minisig", ".labels.txt.minisig", ".tflite.minisig"):
        (adding.places.models_dir / f"cats{ending}").write_bytes(b"")
    (tmp_path / "cats.tflite").write_bytes(A)
    (tmp_path / "cats.labels.txt").write_bytes(LABELS)
    adding(tmp_path / "cats.tflite")
    assert set(adding.files) == {"cats.tflite", "cats.labels.txt", "cats.toml", "cats.toml.minisig"}
    assert any("cats.toml and cats.toml.minisig lay there before" in s for s in adding.said)


def test_what_is_no_model_is_refused_before_anything_changes(
    adding: Adding, tmp_path: Path
) -> None:
    (adding.places.models_dir / "cats.tflite").write_bytes(A)
    (tmp_path / "cats.tflite").write_bytes(B[: len(B) // 2])
    with pytest.raises(EdgedError, match="truncated"):
        adding(tmp_path / "cats.tflite")
    (tmp_path / "cats.tflite").write_bytes(B)
    with pytest.raises(EdgedError, match="its sha256 is"):
        adding(tmp_path / "cats.tflite", sha256=sha256(A))
    (tmp_path / "cats.toml").write_bytes(b"nonsense = 1")
    with pytest.raises(ConfigError, match="nonsense"):
        adding(tmp_path / "cats.tflite")
    assert adding.files == {"cats.tflite": A}


@pytest.mark.parametrize("name", ["../cats", ".cats", "cats.tflite", "a/b", ""])
def test_a_name_that_no_model_can_have_is_refused(
    name: str, adding: Adding, tmp_path: Path
) -> None:
    (tmp_path / ".tflite").write_bytes(A)
    with pytest.raises(EdgedError, match=r"cannot be a model's name. Give it one"):
        adding(tmp_path / ".tflite", name=name or None)
    assert adding.files == {}


def test_a_name_that_is_nowhere_is_told_with_the_nearest(adding: Adding) -> None:
    with pytest.raises(EdgedError) as refused:
        adding("coco-sd")
    assert str(refused.value) == (
        '"coco-sd" is neither in the catalogue nor a file; did you mean "coco-ssd"? '
        "edged model catalog shows what there is"
    )


def test_a_model_without_a_signature_where_one_is_required_is_told(
    config: Path, adding: Adding, tmp_path: Path
) -> None:
    rule = 'dir = "models"\nrequire_signature = true\ntrusted_keys = ["key.pub"]'
    config.write_text(config.read_text().replace('dir = "models"', rule))
    adding.places = find_places(config, {}, is_root=False)
    (tmp_path / "cats.tflite").write_bytes(A)
    adding(tmp_path / "cats.tflite")
    assert any("require_signature is set" in line for line in adding.said)


# ---- add: downloads ------------------------------------------------------------------------------


def test_an_address_is_added_and_the_hash_of_what_came_is_told(
    adding: Adding, server: Server
) -> None:
    url = server.put("/some/cats%20and%20dogs.tflite?raw=true", Page(A, breaks=[500]))
    adding(url)
    assert adding.files == {"cats and dogs.tflite": A}
    assert any(sha256(A) in line and "--sha256" in line for line in adding.said)
    assert adding.progress[-1] == (len(A), len(A))
    adding(url, name="cats", sha256=sha256(A).upper())
    assert adding.files["cats.tflite"] == A


def test_a_download_with_the_wrong_hash_leaves_all_as_it_was(
    adding: Adding, server: Server
) -> None:
    (adding.places.models_dir / "cats.tflite").write_bytes(A)
    with pytest.raises(EdgedError, match=f"its sha256 is {sha256(B)}, not {sha256(C)}. Nothing"):
        adding(server.put("/cats.tflite", Page(B)), sha256=sha256(C))
    assert adding.files == {"cats.tflite": A}


def test_an_error_page_in_place_of_a_model_is_refused(adding: Adding, server: Server) -> None:
    with pytest.raises(EdgedError, match="no TFLite model"):
        adding(server.put("/cats.tflite", Page(b"<html>Please log in</html>")))
    assert adding.files == {}


def catalogued(server: Server, directory: Path, data: bytes) -> Catalog:
    """Our server's cats, in a zip archive with their labels."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("detect.tflite", data)
        zipped.writestr("labelmap.txt", LABELS)
    url = server.put("/cats.zip", Page(archive.getvalue(), breaks=[1000]))
    path = directory / "catalog.toml"
    path.write_text(f"""
[[models]]
name = "cats"
task = "classification"
description = "three colours"
licence = "Apache-2.0"
source = "https://example.com/cats"
url = "{url}"
member = "detect.tflite"
size_bytes = {len(A)}
sha256 = "{sha256(A)}"
[[models.beside]]
ending = ".labels.txt"
member = "labelmap.txt"
size_bytes = {len(LABELS)}
sha256 = "{sha256(LABELS)}"
""")
    return load_catalog(path)


def test_a_catalogued_model_is_downloaded_unpacked_and_not_downloaded_again(
    adding: Adding, server: Server, tmp_path: Path
) -> None:
    adding.catalog = catalogued(server, tmp_path, A)
    adding("cats")
    assert adding.files == {"cats.tflite": A, "cats.labels.txt": LABELS}
    assert len(server.asked) == 2
    assert "licence Apache-2.0; more at https://example.com/cats" in adding.said
    adding("cats")
    assert len(server.asked) == 2
    assert "is there already, just so" in adding.said[-1]


def test_a_catalogued_model_that_was_replaced_is_refused(
    adding: Adding, server: Server, tmp_path: Path
) -> None:
    tampered = bytes([A[0] ^ 1]) + A[1:]
    adding.catalog = catalogued(server, tmp_path, tampered)
    with pytest.raises(EdgedError, match=r"^detect.tflite in https://.* is not what it should be"):
        adding("cats")
    assert adding.files == {}


def test_the_catalogue_is_shown() -> None:
    lines = catalog_text(load_catalog())
    assert lines[0] == "coco-ssd             detection        4.18 MB  Apache-2.0"
    assert all(len(line) <= MOST_COLUMNS or "https://" in line for line in lines)


@pytest.mark.skipif("EDGED_NETWORK" not in os.environ, reason="EDGED_NETWORK=1 downloads them all")
@pytest.mark.parametrize("name", [entry.name for entry in load_catalog().models])
def test_every_model_of_the_catalogue_can_be_had(name: str, places: Places) -> None:
    add(Order(name), places, Downloads(lambda _have, _total: None), print)
    read_model_files(places.models_dir / f"{name}.tflite")


# ---- add: as a process ---------------------------------------------------------------------------


def edged(
    *arguments: str, config: Path, authority: tuple[Path, Path], prefix: str = ""
) -> subprocess.Popen[str]:
    """The command, started by a shell that may do something first."""
    script = f'{prefix} exec "$0" -m edged model "$@"'
    command = ["sh", "-c", script, sys.executable, *arguments, "-c", str(config)]
    environ = os.environ | {"SSL_CERT_FILE": str(authority[0])}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environ, stdout=pipe, stderr=pipe, text=True)


def test_the_command_shows_its_progress_and_what_it_did(
    config: Path, authority: tuple[Path, Path], server: Server
) -> None:
    url = server.put("/cats.tflite", Page(A))
    process = edged("add", url, "--sha256", sha256(A), config=config, authority=authority)
    out, progress = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, progress
    models = config.parent / "models"
    assert out.splitlines() == [
        f"models in {models} (of {config})",
        f"downloading {url}",
        f"installed {models / 'cats.tflite'} ({len(A):,} bytes, version {sha256(A)[:12]})",
    ]
    assert progress == "  100 % of 0.0 MB\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended_half_way_leaves_nothing(
    number: signal.Signals, config: Path, authority: tuple[Path, Path], server: Server
) -> None:
    url = server.put("/cats.tflite", Page(A, breaks=[500], silent=True))
    process = edged("add", url, config=config, authority=authority)
    assert server.served.wait(PATIENCE_S)
    process.send_signal(number)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (1 if number is signal.SIGINT else -number)
    assert "Traceback" not in error
    assert contents(config.parent / "models") == {}


@pytest.mark.parametrize("source", ["address", "file"])
@pytest.mark.parametrize("blocks", [1, 16])
def test_a_full_disk_is_told_and_leaves_all_as_it_was(
    source: str, blocks: int, config: Path, authority: tuple[Path, Path], server: Server
) -> None:
    """Full for this process: no file of it may grow beyond some blocks of 512 bytes."""
    big = A + bytes(blocks * 1000)
    (config.parent / "cats.tflite").write_bytes(big)
    what = {
        "address": server.put("/cats.tflite", Page(big)),
        "file": str(config.parent / "cats.tflite"),
    }[source]
    (config.parent / "models" / "cats.tflite").write_bytes(B)
    process = edged("add", what, config=config, authority=authority, prefix=f"ulimit -f {blocks};")
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert error.startswith("edged: cannot ")
    assert "File too large. Make room there" in error
    assert contents(config.parent / "models") == {"cats.tflite": B}


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["add", "http://example.com/cats.tflite"], 1, "edged: http://example.com/cats.tflite is"),
        (["add", "cats.tflite", "--sha256", "12"], 2, "12 is not allowed; 64 hex digits"),
        (["rollback", "cats"], 1, 'edged: nothing is kept of a model "cats"'),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_a_status(
    arguments: list[str],
    status: int,
    told: str,
    config: Path,
    authority: tuple[Path, Path],
) -> None:
    process = edged(*arguments, config=config, authority=authority)
    _, error = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status
    assert told in error


# ---- places --------------------------------------------------------------------------------------


@pytest.mark.skipif(Path("/etc/edged/edged.toml").exists(), reason="edged is configured here")
def test_without_a_configuration_the_default_directory_is_used_and_told(tmp_path: Path) -> None:
    places = find_places(None, {"HOME": str(tmp_path)}, is_root=False)
    assert places.models_dir == tmp_path / ".local" / "state" / "edged" / "models"
    assert places.told == "there is no /etc/edged/edged.toml: the default directory"
    assert find_places(None, {}, is_root=True).models_dir == Path("/var/lib/edged/models")


def test_a_configuration_that_is_named_and_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        find_places(tmp_path / "edged.toml", {}, is_root=False)
    with pytest.raises(ConfigError, match="there is no such file"):
        find_places(None, {"EDGED_CONFIG": str(tmp_path / "edged.toml")}, is_root=False)


# ---- the bar -------------------------------------------------------------------------------------


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_tells_each_tenth_once_where_nobody_watches() -> None:
    out = io.StringIO()
    bar = Bar(out)
    for have in range(0, 1001, 5):
        bar(have * 10_000, 10_000_000)
    bar.end()
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["    0 % of 10.0 MB", "   10 % of 10.0 MB"]
    assert len(lines) == 11


def test_a_bar_moves_on_a_terminal_and_ends_its_line() -> None:
    screen = Screen()
    bar = Bar(screen)
    bar(5_000_000, 10_000_000)
    bar(10_000_000, 10_000_000)
    bar.end()
    bar.end()
    half, whole = screen.getvalue().split("\r")[1:]
    assert half == f"  [{'#' * 12:<25}]  50 % of 10.0 MB"
    assert whole == f"  [{'#' * 25}] 100 % of 10.0 MB\n"


def test_a_bar_of_unknown_length_tells_how_much_there_is() -> None:
    out = io.StringIO()
    bar = Bar(out)
    for have in range(0, 25_000_001, 100_000):
        bar(have, None)
    assert out.getvalue().split("\n") == ["  0.0 MB", "  10.0 MB", "  20.0 MB", ""]


# ---- list and rollback ---------------------------------------------------------------------------


class Keeping:
    """A store as the daemon would have filled it."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.vault = Vault(places.state_dir, 3)
        self.vault.open()

    def put(self, data: bytes, **beside: bytes) -> str:
        """What lies in the watched directory from now on; the bundle's name."""
        directory = self.places.models_dir
        for path in directory.glob("cats.*"):
            path.unlink()
        (directory / "cats.tflite").write_bytes(data)
        for ending, content in beside.items():
            (directory / f"cats.{ending.replace('_', '.')}").write_bytes(content)
        return read_model_files(directory / "cats.tflite").bundle

    def take(self, version: int | None = None) -> str:
        """Keep what lies there, and begin its trial."""
        files = read_model_files(self.places.models_dir / "cats.tflite")
        self.vault.keep(files, version)
        self.vault.begin_trial("front", "cats", files.bundle)
        return files.bundle

    def passed(self, data: bytes, version: int | None = None, **beside: bytes) -> str:
        bundle = self.put(data, **beside)
        self.take(version)
        self.vault.pass_trial("front", "cats", bundle)
        return bundle


@pytest.fixture
def keeping(places: Places) -> Iterator[Keeping]:
    keeping = Keeping(places)
    yield keeping
    keeping.vault.close()


def listed(places: Places) -> list[str]:
    return as_text(places, list_models(places))


def test_a_list_tells_what_lies_there_what_is_good_and_what_is_kept(keeping: Keeping) -> None:
    keeping.passed(A, 12)
    keeping.put(B)
    keeping.take()
    lines = listed(keeping.places)
    a, b = sha256(A)[:12], sha256(B)[:12]
    assert lines[0].startswith(f"models in {keeping.places.models_dir} (of ")
    assert lines[2] == "cats"
    assert lines[3].split()[:2] == ["file", b]
    assert lines[4] == f"  pipeline  front: {b} is on trial, {a} is good"
    assert lines[5].split()[:2] == ["kept", b]
    assert lines[6].split()[0] == a
    assert lines[6].endswith("signed 12")
    assert all(len(line) <= MOST_COLUMNS for line in lines[2:])


def test_a_list_tells_why_versions_failed(keeping: Keeping) -> None:
    keeping.passed(A)
    bundle = keeping.put(B)
    keeping.take()
    reason = "it became too slow after 20 results: 512.7 ms for one inference, its budget is 100 ms"
    keeping.vault.fail_trial("front", "cats", bundle, reason)
    lines = listed(keeping.places)
    assert (
        lines[6] == f"{' ' * 14}failed in front: it became too slow after 20 results: 512.7 ms for"
    )
    assert all(len(line) <= MOST_COLUMNS for line in lines[2:])
    assert f"failed in front: {reason}" in " ".join(" ".join(lines).split())


def test_a_list_tells_apart_bundles_of_one_model(keeping: Keeping) -> None:
    first = keeping.passed(A)
    second = keeping.passed(A, labels_txt=LABELS)
    text = "\n".join(listed(keeping.places))
    assert f"{first[:12]}+{first[-8:]}" in text
    assert f"{second[:12]}+{second[-8:]} is good" in text


def test_a_list_tells_of_files_that_cannot_be_read_and_models_that_are_not_there(
    places: Places,
) -> None:
    (places.models_dir / "dogs.tflite").write_bytes(b"text")
    (places.models_dir / ".new-birds.tflite").write_bytes(b"half")
    lines = listed(places)
    assert lines[2:5] == [
        "cats",
        "  file      there is no file",
        "  pipeline  front: none is good yet",
    ]
    assert lines[6:] == ["dogs", "  file      no TFLite model: it is a text file"]


def test_a_list_as_json_holds_all_of_it(keeping: Keeping) -> None:
    good = keeping.passed(A, 12)
    bad = keeping.put(B)
    keeping.take()
    keeping.vault.fail_trial("front", "cats", bad, "it is no good")
    told = json.loads(json.dumps(as_json(keeping.places, list_models(keeping.places))))
    (cats,) = told["models"]
    assert cats["file"]["bundle"] == bad
    assert cats["pipelines"] == [{"name": "front", "good": good, "trial": None}]
    assert [kept["bundle"] for kept in cats["kept"]] == [bad, good]
    assert cats["kept"][0]["failures"] == {"front": "it is no good"}
    assert cats["kept"][1]["signed_version"] == 12
    assert cats["kept"][1]["size_bytes"] == len(A)


def test_a_list_changes_nothing(keeping: Keeping) -> None:
    keeping.passed(A)
    before = written(keeping.places.state_dir)
    listed(keeping.places)
    assert written(keeping.places.state_dir) == before


def test_a_rollback_puts_back_the_model_and_just_what_lay_beside_it(keeping: Keeping) -> None:
    before = keeping.passed(A, 12, labels_txt=LABELS)
    keeping.passed(B, 13, toml=b"label_offset = 0\n", tflite_minisig=b"signed")
    said: list[str] = []
    roll_back("cats", keeping.places, said.append)
    found = contents(keeping.places.models_dir)
    assert found == {"cats.tflite": A, "cats.labels.txt": LABELS}
    assert Shelf(keeping.places.state_dir).is_allowed(before)
    wanted = f"is version {sha256(A)[:12]} again instead of {sha256(B)[:12]}; it first came at"
    assert wanted in said[0]


def test_a_rollback_twice_goes_back_twice_when_the_daemon_has_taken_the_first(
    keeping: Keeping,
) -> None:
    for data in (A, B, C):
        keeping.passed(data)

    def rolled_back() -> bytes:
        roll_back("cats", keeping.places, lambda _: None)
        return (keeping.places.models_dir / "cats.tflite").read_bytes()

    assert rolled_back() == B
    assert rolled_back() == B  # nobody has taken it yet
    keeping.take()
    assert rolled_back() == A  # what is on trial counts as serving
    keeping.vault.pass_trial("front", "cats", keeping.take())
    with pytest.raises(EdgedError, match="nothing older is kept than version"):
        rolled_back()


def test_a_rollback_passes_over_what_failed(keeping: Keeping) -> None:
    keeping.passed(A)
    failed = keeping.put(B)
    keeping.take()
    keeping.vault.fail_trial("front", "cats", failed, "it is no good")
    keeping.passed(C)
    roll_back("cats", keeping.places, lambda _: None)
    assert (keeping.places.models_dir / "cats.tflite").read_bytes() == A


def test_where_there_is_nothing_sound_to_go_back_to_all_stays_as_it_is(keeping: Keeping) -> None:
    keeping.passed(A)
    with pytest.raises(EdgedError, match=r"nothing older is kept than version \w{12} of cats, wh"):
        roll_back("cats", keeping.places, lambda _: None)
    failed = keeping.put(B)
    keeping.take()
    keeping.vault.fail_trial("front", "cats", failed, "it is no good")
    keeping.passed(A)  # now the newest again
    with pytest.raises(EdgedError, match=f"only versions that failed: {sha256(B)[:12]}"):
        roll_back("cats", keeping.places, lambda _: None)
    with pytest.raises(EdgedError, match='nothing is kept of a model "dogs"'):
        roll_back("dogs", keeping.places, lambda _: None)
    assert contents(keeping.places.models_dir) == {"cats.tflite": A}


def test_a_kept_version_that_is_damaged_is_not_put_back(keeping: Keeping) -> None:
    damaged = keeping.passed(A)
    keeping.passed(B)
    path = keeping.vault.path_of(damaged)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(EdgedError, match="is damaged"):
        roll_back("cats", keeping.places, lambda _: None)
    assert contents(keeping.places.models_dir) == {"cats.tflite": B}
    shutil.rmtree(path.parent)
    with pytest.raises(EdgedError, match="is not kept any more"):
        roll_back("cats", keeping.places, lambda _: None)
