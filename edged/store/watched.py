"""The directory that users put models into: ``NAME.tflite`` with what belongs to it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .models import BESIDE, SUFFIX

Fingerprint = tuple[tuple[int, int, int] | None, ...]


def path_in(models_dir: Path, name: str) -> Path:
    """Where the model of that name is put."""
    return models_dir / f"{name}{SUFFIX}"


def fingerprint(path: Path) -> Fingerprint:
    """What changes when the model file at ``path``, or a file beside it, is replaced or touched."""
    stem = path.name.removesuffix(SUFFIX)
    return tuple(_stamp(path.with_name(stem + ending)) for ending in (SUFFIX, *BESIDE))


def version_of(path: Path) -> str | None:
    """The version that the model file would have; None where there is none to read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError:
        return None


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
