"""The catalogue: models that ``edged model add`` gets by name, and what their bytes must be."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from msgspec import Meta

from ..config_types import ModelName, Text
from ..errors import EdgedError
from ..toml_text import printable, read_file
from ..toml_types import Problem, Table
from ..typed_toml import parse
from .models import SUFFIX
from .unpack import read_member

CATALOG = Path(__file__).resolve().parent.parent / "models" / "catalog.toml"

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 hex digits")]
HttpsUrl = Annotated[str, Meta(pattern=r"^https://\S+\Z", description="an https address")]
Bytes = Annotated[int, Meta(ge=1)]


class Part(Table, frozen=True):
    """A file that belongs beside the model, out of the same archive."""

    ending: Literal[".labels.txt", ".toml", ".json"]
    member: Text
    size_bytes: Bytes
    sha256: Sha256


class Entry(Table, frozen=True, kw_only=True):
    """A model. It comes from ``url``, which is the model itself or a zip archive with ``member``,
    or is ``member`` of a pinned ``package``.

    ``source`` is a page for people. ``package_sha256`` is that of the package's one archive that is
    used: the wheel for ``package_platform``, else the source archive. ``size_bytes`` and ``sha256``
    are the model's own.
    """

    name: ModelName
    task: Literal["classification", "detection", "segmentation", "pose", "keyword"]
    description: Text
    licence: Text
    source: HttpsUrl
    url: HttpsUrl | None = None
    package: Annotated[str, Meta(pattern=r"^[\w.-]+==[\w.]+\Z")] | None = None
    package_sha256: Sha256 | None = None
    package_platform: Text | None = None
    member: Text | None = None
    size_bytes: Bytes
    sha256: Sha256
    beside: tuple[Part, ...] = ()

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """One place to get it from, and what that needs."""
        if ("url" in table) == ("package" in table):
            yield Problem("url", "either url or package is needed")
        needs = {"package": ("package_sha256", "member"), "beside": ("member",)}
        for given, absent in ((given, key) for given, keys in needs.items() for key in keys):
            if given in table and absent not in table:
                yield Problem(absent, f"missing; {given} is given, and needs it")


class Catalog(Table, frozen=True):
    """The whole file."""

    models: tuple[Entry, ...]

    def named(self, name: str) -> Entry | None:
        return next((entry for entry in self.models if entry.name == name), None)

    def nearest(self, name: str) -> Sequence[str]:
        """Names that look like one that is not there; at most three."""
        return difflib.get_close_matches(name, [entry.name for entry in self.models])


def load_catalog(path: Path = CATALOG) -> Catalog:
    """Raises ConfigError with all that is wrong."""
    return parse(read_file(path), str(path), Catalog)


def already(entry: Entry, model: Path) -> dict[str, bytes] | None:
    """The files of an entry by their ending, where ``model`` and those beside it are just these."""
    stem = model.name.removesuffix(SUFFIX)
    hashes = {SUFFIX: entry.sha256} | {part.ending: part.sha256 for part in entry.beside}
    try:
        found = {ending: model.with_name(stem + ending).read_bytes() for ending in hashes}
    except OSError:
        return None
    same = all(hashlib.sha256(data).hexdigest() == hashes[ending] for ending, data in found.items())
    return found if same else None


def unpack(entry: Entry, archive: IO[bytes], name: str) -> dict[str, bytes]:
    """The files of an entry by their ending, the model among them, out of what was downloaded and
    is called ``name``. Raises EdgedError where they are not what the catalogue says.
    """
    found = {SUFFIX: _read(archive, entry.member, entry.size_bytes, entry.sha256, name)}
    for part in entry.beside:
        found[part.ending] = _read(archive, part.member, part.size_bytes, part.sha256, name)
    return found


def refuse_other(data: bytes, sha256: str, what: str) -> None:
    """Raises EdgedError where ``data`` are not the bytes with that hash."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise EdgedError(
            f"{printable(what)} is not what it should be: its sha256 is {found}, not {sha256}. "
            "Nothing was installed; somebody may have replaced it, or it was damaged on its way"
        )


def _read(archive: IO[bytes], member: str | None, size_bytes: int, sha256: str, name: str) -> bytes:
    if member is None:
        archive.seek(0)
        data = archive.read()
    else:
        data = read_member(archive, member, size_bytes, name)
    refuse_other(data, sha256, f"{member} in {name}" if member else name)
    return data
