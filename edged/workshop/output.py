"""Where a made model goes: with all that belongs to it, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import EdgedError
from ..golden import read_golden
from ..store.atomic import DISK, Disk
from ..store.install import install
from ..store.models import BESIDE, SUFFIX, TELLING, ModelFiles


def refuse_target(target: Path, source: Path, force: bool) -> None:
    """Before any work. Raises EdgedError where nothing can, or may, be written there."""
    if not target.name.endswith(SUFFIX) or target.name == SUFFIX:
        raise EdgedError(f"{target}: a model's file is called NAME{SUFFIX}. Give -o such a name")
    if target.exists() and source.exists() and target.samefile(source):
        raise EdgedError(f"{target} is the model itself. Give -o another name")
    stem = target.name.removesuffix(SUFFIX)
    there = [target.with_name(stem + ending) for ending in (SUFFIX, *BESIDE)]
    there = [path for path in there if path.exists() or path.is_symlink()]
    if there and not force:
        names = " and ".join(path.name for path in there)
        raise EdgedError(
            f"{names} {'is' if len(there) == 1 else 'are'} in {target.parent} already. Give -o "
            "another name, or --force to replace what is there"
        )
    if not target.parent.is_dir():
        raise EdgedError(f"there is no directory {target.parent}. Make it first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise EdgedError(
            f"{target.parent} may not be written to. Name a directory that may, or run this as a "
            "user that may"
        )


def carried(files: ModelFiles) -> Mapping[str, bytes]:
    """What lies beside a model and says how it is run, by ending; signatures hold for it alone."""
    return {ending: data for ending, data in files.beside.items() if ending in TELLING}


def write_model(
    target: Path,
    data: bytes,
    beside: Mapping[str, bytes],
    others: Mapping[str, bytes],
    disk: Disk = DISK,
) -> None:
    """The model with files beside it, by ending, and ``others`` by name; what lay beside one that
    it replaces is gone. Raises EdgedError, with everything as it was.
    """
    gone = [ending for ending in BESIDE if ending not in beside]
    install(target, data, beside, gone, others=others, disk=disk)


def golden_inputs(source: Path, files: ModelFiles, target: Path) -> Mapping[str, bytes]:
    """Those that the sidecar names, by name, where they have to go with it. Raises ModelError."""
    if source.parent.resolve() == target.parent.resolve():
        return {}
    goldens = read_golden(files.sidecar.goldens, source.parent)
    return {golden.given.name: golden.given.data for golden in goldens}
