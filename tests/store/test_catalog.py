from __future__ import annotations

import hashlib
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from edged.errors import ConfigError, EdgedError
from edged.store.catalog import CATALOG, already, load_catalog, unpack

REPO = Path(__file__).resolve().parent.parent.parent
LABELS = b"red\ngreen\n"
MODEL = b"\0\0\0\0TFL3 and so on"
IN_TESTDATA = {
    "coco-ssd": "coco_ssd_mobilenet_v1_quant",
    "efficientnet-lite0": "efficientnet_lite0_int8",
    "mobilenet-v2": "mobilenet_v2_1.0_224_quant",
    "mobilenet-v1-small": "mobilenet_v1_0.25_128_quant",
    "deeplab-v3": "deeplabv3_mnv2_dm05_pascal_quant",
    "movenet-lightning": "movenet_single_pose_lightning_ptq",
    "mnist-lstm": "keras_lstm_mnist_ptq",
}


def written(path: Path, **changed: str | None) -> Path:
    """A catalogue of one entry, with some of its lines changed or (None) left out."""
    lines: dict[str, str | None] = {
        "name": '"cats"',
        "task": '"classification"',
        "description": '"cats"',
        "licence": '"Apache-2.0"',
        "source": '"https://example.com"',
        "url": '"https://example.com/cats.zip"',
        "member": '"in/cats.tflite"',
        "size_bytes": str(len(MODEL)),
        "sha256": f'"{hashlib.sha256(MODEL).hexdigest()}"',
        "beside": f'[{{ending = ".labels.txt", member = "labels.txt", size_bytes = {len(LABELS)}, '
        f'sha256 = "{hashlib.sha256(LABELS).hexdigest()}"}}]',
    }
    lines |= changed
    text = "\n".join(f"{key} = {value}" for key, value in lines.items() if value is not None)
    path.write_text(f"[[models]]\n{text}\n")
    return path


def zipped(**members: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return file


def test_the_catalogue_can_be_read_and_its_names_are_given_once() -> None:
    names = [entry.name for entry in load_catalog().models]
    assert len(names) == len(set(names))
    assert set(IN_TESTDATA) < set(names)


def test_the_catalogue_is_found_in_the_repository_where_people_look() -> None:
    assert (REPO / "models" / "catalog.toml").samefile(CATALOG)


@pytest.mark.parametrize(("name", "file"), IN_TESTDATA.items())
def test_the_catalogue_holds_the_hash_of_the_very_model(
    name: str, file: str, testdata: Path
) -> None:
    data = (testdata / "models" / f"{file}.tflite").read_bytes()
    entry = load_catalog().named(name)
    assert entry is not None
    assert (entry.size_bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_an_archive_with_the_members_of_coco_ssd_is_unpacked(testdata: Path) -> None:
    entry = load_catalog().named("coco-ssd")
    assert entry is not None
    model = testdata / "models" / "coco_ssd_mobilenet_v1_quant.tflite"
    labels = model.with_name("coco_ssd_mobilenet_v1_quant.labels.txt").read_bytes()
    archive = zipped(detect_tflite=model.read_bytes(), labelmap_txt=labels)
    found = unpack(entry, archive, "the archive")
    assert found == {".tflite": model.read_bytes(), ".labels.txt": labels}


def test_other_members_than_the_catalogue_s_are_refused(tmp_path: Path) -> None:
    entry = load_catalog(written(tmp_path / "catalog.toml")).models[0]
    right = {"in__cats_tflite": MODEL, "labels_txt": LABELS}
    assert unpack(entry, zipped(**right), "a zip")[".labels.txt"] == LABELS
    with pytest.raises(EdgedError, match=r"^labels.txt in a zip is not what it should be: its sha"):
        unpack(entry, zipped(**right | {"labels_txt": LABELS.upper()}), "a zip")
    with pytest.raises(EdgedError, match=r"cats.tflite in a zip is larger than the expected 18"):
        unpack(entry, zipped(**right | {"in__cats_tflite": bytes(10**7)}), "a zip")
    bomb = zipped(**right | {"in__cats_tflite": bytes(10**8)})
    tracemalloc.start()
    with pytest.raises(EdgedError, match="larger than the expected"):
        unpack(entry, bomb, "a zip")
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 10**7
    with pytest.raises(EdgedError, match=r"a zip holds no file in/cats.tflite"):
        unpack(entry, zipped(labels_txt=LABELS), "a zip")


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_an_archive_that_is_damaged_is_refused(damage: str, tmp_path: Path) -> None:
    entry = load_catalog(written(tmp_path / "catalog.toml")).models[0]
    whole = zipped(in__cats_tflite=MODEL, labels_txt=LABELS).getvalue()
    flipped = bytearray(whole)
    flipped[whole.index(b"in/cats.tflite") + 20] ^= 0xFF
    data = {
        "empty": b"",
        "cut": whole[:-40],
        "flipped": bytes(flipped),
        "text": b"<html>not found</html>",
    }[damage]
    with pytest.raises(EdgedError):
        unpack(entry, io.BytesIO(data), "a zip")


def test_what_is_there_already_is_known_by_all_its_files(tmp_path: Path) -> None:
    entry = load_catalog(written(tmp_path / "catalog.toml")).models[0]
    model = tmp_path / "cats.tflite"
    assert already(entry, model) is None
    model.write_bytes(MODEL)
    assert already(entry, model) is None
    (tmp_path / "cats.labels.txt").write_bytes(LABELS)
    assert already(entry, model) == {".tflite": MODEL, ".labels.txt": LABELS}
    (tmp_path / "cats.labels.txt").write_bytes(LABELS.upper())
    assert already(entry, model) is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sha256": None}, "models[0].sha256"),
        ({"url": None}, "either url or package is needed"),
        ({"package": '"cats==1.0"'}, "either url or package is needed"),
        ({"url": None, "package": '"cats==1.0"'}, "models[0].package_sha256: missing"),
        ({"url": None, "package": '"cats>=1.0"'}, "models[0].package:"),
        ({"url": '"http://example.com"'}, "models[0].url"),
        ({"member": None}, "models[0].member: missing; beside is given"),
        ({"name": '"../cats"'}, "models[0].name"),
    ],
)
def test_an_entry_that_cannot_be_got_safely_is_refused(
    changed: dict[str, str | None], told: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refused:
        load_catalog(written(tmp_path / "catalog.toml", **changed))
    assert told in str(refused.value)
