"""``edged model list``: by name, what lies in the watched directory, what the pipelines hold good,
and what is kept.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..errors import EdgedError
from ..store.ledger import Ledger, Standing, Version
from ..store.models import SUFFIX, ModelFiles, read_model_files
from ..store.shelf import Shelf
from ..store.watched import path_in
from ..toml_text import printable
from .places import Places

_WIDTH = 80


class Listed(msgspec.Struct, frozen=True):
    """A model's name. ``file`` is what lies in the watched directory (None: nothing that can be
    read), ``problem`` why it cannot be read. ``pipelines`` are those that use it or have used it;
    ``kept`` the newest first.
    """

    name: str
    path: Path
    file: ModelFiles | None
    problem: str | None
    pipelines: Mapping[str, Standing]
    kept: Sequence[Version]


def list_models(places: Places) -> list[Listed]:
    """In the order of names. Raises EdgedError where the store cannot be read."""
    ledger = Shelf(places.state_dir).ledger()
    used = {pipeline.model for pipeline in places.config.pipelines}
    known = {model for standings in ledger.pipelines.values() for model in standings}
    there = _names_in(places.models_dir)
    names = there | used | known | set(ledger.models)
    return [_listed(name, name in there, places, ledger) for name in sorted(names)]


def as_json(places: Places, models: Iterable[Listed]) -> dict[str, Any]:
    """All of it, as plain values."""
    return {
        "models_dir": str(places.models_dir),
        "state_dir": str(places.state_dir),
        "models": [_plain(model) for model in models],
    }


def as_text(places: Places, models: Sequence[Listed]) -> list[str]:
    """Lines for a person, of at most 80 columns as far as names allow."""
    lines = [f"models in {places.models_dir} ({places.told})"]
    if not models:
        lines.append("there are none yet; edged model add gets one")
    for model in models:
        lines += ["", model.name, *_lines(model)]
    return lines


# ---- what is there -------------------------------------------------------------------------------


def _names_in(models_dir: Path) -> set[str]:
    """Raises EdgedError."""
    try:
        found = [path.name for path in models_dir.iterdir()]
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise EdgedError(
            f"cannot look into {models_dir}: {error.strerror}. Run this as a user that may"
        ) from error
    models = (name for name in found if name.endswith(SUFFIX) and not name.startswith("."))
    return {name.removesuffix(SUFFIX) for name in models}


def _listed(name: str, there: bool, places: Places, ledger: Ledger) -> Listed:
    path = path_in(places.models_dir, name)
    file, problem = None, None
    try:
        file = read_model_files(path)
    except EdgedError as error:
        problem = str(error) if there else "there is no file"
    users = [pipeline.name for pipeline in places.config.pipelines if pipeline.model == name]
    past = [pipeline for pipeline, standings in ledger.pipelines.items() if name in standings]
    pipelines = {p: ledger.standing(p, name) for p in dict.fromkeys([*users, *past])}
    return Listed(name, path, file, problem, pipelines, ledger.versions(name))


# ---- how it is told ------------------------------------------------------------------------------


def _lines(model: Listed) -> list[str]:
    bundles = [version.bundle for version in model.kept]
    if model.file is not None:
        bundles.append(model.file.bundle)
        lines = [f"  file      {_short(model.file.bundle, bundles)}  {_mb(len(model.file.data))}"]
    else:
        lines = _wrapped("  file      ", printable(model.problem or ""))
    for pipeline, standing in model.pipelines.items():
        lines += _wrapped("  pipeline  ", f"{pipeline}: {_state(standing, bundles)}")
    for n, version in enumerate(model.kept):
        came = version.came_at.astimezone().strftime("%Y-%m-%d %H:%M")
        signed = "" if version.signed_version is None else f"  signed {version.signed_version}"
        start = "  kept      " if n == 0 else " " * 12
        size = _mb(version.size_bytes)
        lines.append(f"{start}{_short(version.bundle, bundles)}  {size}  {came}{signed}")
        for pipeline, reason in _failures(model, version.bundle).items():
            lines += _wrapped(" " * 14, f"failed in {pipeline}: {printable(reason)}")
    return lines


def _state(standing: Standing, bundles: Sequence[str]) -> str:
    good = f"{_short(standing.good, bundles)} is good" if standing.good else "none is good yet"
    if standing.trial is None:
        return good
    return f"{_short(standing.trial, bundles)} is on trial, {good}"


def _short(bundle: str, bundles: Iterable[str]) -> str:
    """The version; where there are bundles with the same model, with what tells them apart."""
    alike = {other for other in bundles if other[:12] == bundle[:12]} | {bundle}
    return bundle[:12] if len(alike) == 1 else f"{bundle[:12]}+{bundle[-8:]}"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:7.2f} MB"


def _wrapped(start: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * (len(start) + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _failures(model: Listed, bundle: str) -> dict[str, str]:
    standings = model.pipelines.items()
    return {p: s.failures[bundle] for p, s in standings if bundle in s.failures}


def _plain(model: Listed) -> dict[str, Any]:
    file = model.file
    return {
        "name": model.name,
        "file": {
            "path": str(model.path),
            "bundle": file.bundle if file else None,
            "version": file.version if file else None,
            "size_bytes": len(file.data) if file else None,
            "problem": model.problem,
        },
        "pipelines": [
            {"name": pipeline, "good": standing.good, "trial": standing.trial}
            for pipeline, standing in model.pipelines.items()
        ],
        "kept": [
            {
                "bundle": version.bundle,
                "version": version.version,
                "size_bytes": version.size_bytes,
                "came_at": version.came_at.isoformat(),
                "signed_version": version.signed_version,
                "failures": _failures(model, version.bundle),
            }
            for version in model.kept
        ],
    }
