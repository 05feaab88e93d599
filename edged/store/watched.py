"""The directory that users put models into: ``NAME.tflite`` with what belongs to it."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from ..engine.model_bytes import read_model_bytes
from ..errors import ModelError
from .models import BESIDE, SUFFIX
from .settling import Fingerprint, Stamp

SUFFIXES = (SUFFIX, *BESIDE)
"""Of a model's files: the model itself, and what belongs to it."""


def path_in(models_dir: Path, name: str) -> Path:
    """Where the model of that name is put."""
    return models_dir / f"{name}{SUFFIX}"


def fingerprint(models_dir: Path, name: str) -> Fingerprint:
    """What changes when a model's file, or one beside it, is replaced or touched; in the order of
    ``SUFFIXES``.
    """
    return tuple(_stamp(f"{models_dir}/{name}{suffix}") for suffix in SUFFIXES)


def version_of(path: Path) -> str | None:
    """The version that the model file would have; None where there is none to read."""
    try:
        return hashlib.sha256(read_model_bytes(path)).hexdigest()[:12]
    except (ModelError, OSError):
        return None


def _stamp(path: str) -> Stamp | None:
    """Of the regular file there, following links; None where there is none to be had."""
    try:
        found = os.stat(path)  # noqa: PTH116 - making Paths would double the cost of a look
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
