"""The model files: read where users put them, copied to where nobody else can write.

``<models.dir>/NAME.tflite`` and what lies beside it is read once; the bytes that were checked are
the bytes that serve, from ``<state>/store/<sha256>.tflite``. A file that is overwritten while an
interpreter has it mapped would end the process with SIGBUS.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..engine.metadata import LabelFile
from ..engine.tflite_file import ModelFile, read_model_file
from ..errors import EdgedError, ModelError
from .sidecar import Sidecar, read_sidecar

SUFFIX = ".tflite"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model file's bytes and facts, and what lies beside it."""

    name: str
    data: bytes
    facts: ModelFile
    sidecar: Sidecar
    labels_file: LabelFile | None


def read_model_files(path: Path) -> ModelFiles:
    """The model at ``path`` with ``.toml`` and ``.labels.txt``. Raises ModelError, ConfigError."""
    sidecar, labels = _beside(path)
    data = _read(path)
    if data is None:
        raise ModelError(_not_there(path))
    labels_data = _read(labels)
    return ModelFiles(
        name=path.name.removesuffix(SUFFIX),
        data=data,
        facts=read_model_file(data),
        sidecar=read_sidecar(sidecar),
        labels_file=None if labels_data is None else LabelFile(labels.name, labels_data),
    )


def _beside(path: Path) -> tuple[Path, Path]:
    """The sidecar and the labels file of a model file; neither need exist."""
    stem = path.name.removesuffix(SUFFIX)
    return path.with_name(f"{stem}.toml"), path.with_name(f"{stem}.labels.txt")


def _read(path: Path) -> bytes | None:
    """A file's bytes; None where there is none. Raises ModelError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error


def _not_there(path: Path) -> str:
    there = sorted(file.stem for file in path.parent.glob(f"*{SUFFIX}"))
    near = difflib.get_close_matches(path.stem, there, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ". Copy the model there"
    return f"there is no file {path}{hint}"


class ModelStore:
    """The watched directory ``models_dir`` and the private copies below ``state_dir``."""

    def __init__(self, models_dir: Path, state_dir: Path) -> None:
        self.models_dir = models_dir
        self._store_dir = state_dir / "store"

    def open(self) -> None:
        """Make the directories. Raises EdgedError."""
        for directory in (self._store_dir, self.models_dir):
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise EdgedError(
                    f"cannot make the directory {directory}: {error.strerror}. Give edged a "
                    "directory to write to in device.state_dir, or run it as a user that may"
                ) from error

    def path_of(self, name: str) -> Path:
        return self.models_dir / f"{name}{SUFFIX}"

    def fingerprint(self, name: str) -> tuple[tuple[int, int, int] | None, ...]:
        """What changes when the model file or a file beside it is replaced."""
        path = self.path_of(name)
        return tuple(map(_stamp, (path, *_beside(path))))

    def version_of(self, name: str) -> str | None:
        """The version that the model file would have; None where there is none to read."""
        try:
            return hashlib.sha256(self.path_of(name).read_bytes()).hexdigest()[:12]
        except OSError:
            return None

    def keep(self, files: ModelFiles) -> Path:
        """The private copy, written atomically where it is not there whole. Raises ModelError."""
        kept = self._store_dir / f"{files.facts.sha256}{SUFFIX}"
        # Compared byte by byte: memory cards wear out.
        if _read(kept) == files.data:
            return kept
        try:
            _write_atomically(kept, files.data)
        except OSError as error:
            raise ModelError(
                f"cannot keep a copy of it in {self._store_dir}: {error.strerror}"
            ) from error
        return kept


def _write_atomically(path: Path, data: bytes) -> None:
    """All of it is there afterwards, or nothing. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        try:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        except OSError:
            Path(part.name).unlink()
            raise


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
