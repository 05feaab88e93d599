"""``edged model rollback``: the version before the one that serves, back in the watched directory.

The daemon takes it from there by the ordinary way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import EdgedError
from ..store.install import install, make_directory
from ..store.ledger import Ledger, Version
from ..store.models import BESIDE, read_model_files
from ..store.shelf import Shelf
from ..store.watched import path_in
from ..toml_text import shown
from .places import Places


def roll_back(name: str, places: Places, tell: Callable[[str], None]) -> None:
    """Raises EdgedError, with everything as it was, where there is nothing to go back to."""
    shelf = Shelf(places.state_dir)
    ledger = shelf.ledger()
    versions = ledger.versions(name)
    if not versions:
        raise EdgedError(
            f"nothing is kept of a model {shown(name)} in {shelf.directory}. "
            "edged model list shows what is"
        )
    serving = _serving(name, versions, ledger, places)
    before = _before(name, versions, serving, ledger)
    files = shelf.read(name, before.bundle)
    # The signed version of what was before is lower; that it comes back is the user's own will.
    shelf.allow_older(before.bundle)
    make_directory(places.models_dir)
    others = [ending for ending in BESIDE if ending not in files.beside]
    path = path_in(places.models_dir, name)
    install(path, files.data, files.beside, others)
    instead = f" instead of {serving.version}" if serving else ""
    came = before.came_at.astimezone().strftime("%Y-%m-%d %H:%M")
    tell(f"{path} is version {before.version} again{instead}; it first came at {came}")
    tell("edged takes it within a second or two, where it is running; edged model list shows it")


def _serving(
    name: str, versions: Sequence[Version], ledger: Ledger, places: Places
) -> Version | None:
    """The newest version that is on trial or good anywhere; without one, what lies in the
    directory. None: neither.
    """
    pipelines = [pipeline.name for pipeline in places.config.pipelines if pipeline.model == name]
    standings = [ledger.standing(pipeline, name) for pipeline in pipelines or ledger.pipelines]
    bundles = {standing.trial or standing.good for standing in standings} - {None}
    if not bundles:
        try:
            bundles = {read_model_files(path_in(places.models_dir, name)).bundle}
        except EdgedError:
            return None
    return next((version for version in versions if version.bundle in bundles), None)


def _before(
    name: str, versions: Sequence[Version], serving: Version | None, ledger: Ledger
) -> Version:
    """Without those that failed their trial."""
    start = versions.index(serving) + 1 if serving else 0
    older = versions[start:]
    sound = [version for version in older if ledger.failure(version.bundle) is None]
    if sound:
        return sound[0]
    what = f"version {serving.version} of {name}, which serves" if serving else name
    if older:
        failed = ", ".join(version.version for version in older)
        raise EdgedError(f"before {what}, there are only versions that failed: {failed}")
    raise EdgedError(
        f"nothing older is kept than {what}. Copy an older file to {name}.tflite yourself, or "
        "keep more versions (models.keep_versions)"
    )
