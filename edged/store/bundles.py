"""The directories of the private store, one a bundle: ``<bundle>/model.tflite`` and, with their
own endings, the files that lay beside it.

A bundle is there whole or not at all: it is written and removed under other names.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection
from pathlib import Path

from ..errors import EdgedError
from .atomic import Disk
from .models import SUFFIX, ModelFiles, bundle_name, read_beside

_MODEL = f"model{SUFFIX}"
_BUNDLE = re.compile(r"[0-9a-f]{64}-[0-9a-f]{8}")
# Half-written and half-removed things, and the copies that edged 0.1 kept.
_RUBBISH = re.compile(r"\.(part|gone)-.*|[0-9a-f]{64}\.tflite")


class Bundles:
    """``directory`` holds nothing else whose name is like a bundle's. Raises OSError; one thread
    at a time writes.
    """

    def __init__(self, directory: Path, disk: Disk) -> None:
        self._directory = directory
        self._disk = disk

    def path_of(self, bundle: str) -> Path:
        """The model file."""
        return self._directory / bundle / _MODEL

    def holds(self, files: ModelFiles) -> bool:
        """Whether these very bytes are there."""
        path = self.path_of(files.bundle)
        try:
            return self.is_whole(files.bundle, len(files.data)) and path.read_bytes() == files.data
        except OSError:
            return False

    def is_whole(self, bundle: str, size_bytes: int) -> bool:
        """By the model's size and all that lies beside it; quick, however large the model is."""
        path = self.path_of(bundle)
        try:
            if path.stat().st_size != size_bytes:
                return False
            return bundle_name(bundle[:64], read_beside(path)) == bundle
        except (OSError, EdgedError):
            return False

    def write(self, files: ModelFiles) -> None:
        """In place of a damaged one, if there is one."""
        target = self.path_of(files.bundle).parent
        part = self._directory / f".part-{files.bundle}"
        self._disk.remove(part)
        try:
            self._disk.mkdir(part)
            for ending, data in {SUFFIX: files.data, **files.beside}.items():
                self._disk.write_file(part / f"model{ending}", data)
            self._disk.sync_directory(part)
            self._discard(target)
            self._disk.rename(part, target)
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.remove(part)
            raise
        self._disk.sync_directory(self._directory)

    def sweep(self, named: Collection[str]) -> None:
        """Remove all bundles but the named ones, and whatever was cut off half-way."""
        for path in sorted(self._directory.iterdir()):
            unnamed = _BUNDLE.fullmatch(path.name) and path.name not in named
            if unnamed or _RUBBISH.fullmatch(path.name):
                self._discard(path)

    def _discard(self, path: Path) -> None:
        """Out of sight first. Where its model still serves, the mapped file lives on until it is
        let go.
        """
        if path.name.startswith("."):
            self._disk.remove(path)
        elif path.exists():
            gone = self._directory / f".gone-{path.name}"
            self._disk.remove(gone)
            self._disk.rename(path, gone)
            self._disk.remove(gone)
