"""The files of a model, as they are read: ``NAME.tflite`` and what lies beside it.

They are read once, and the bytes that were checked are the bytes that serve, from a private copy
(``vault``). A file that is overwritten while an interpreter has it mapped would end the process
with SIGBUS.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..engine.metadata import LabelFile
from ..engine.model_bytes import read_model_bytes, refuse_irregular
from ..engine.tflite_file import ModelFile, read_model_file
from ..errors import ModelError
from ..toml_text import read_file
from .manifest import Manifest, parse_manifest
from .sidecar import Sidecar, parse_sidecar

SUFFIX = ".tflite"

_SIDECAR = ".toml"
_LABELS = ".labels.txt"
_MANIFEST = ".json"
SIGNATURE = f"{SUFFIX}.minisig"
TELLING = (_SIDECAR, _LABELS, _MANIFEST)
"""What says how a model is run, and what its results mean."""
BESIDE = (*TELLING, SIGNATURE, *(f"{ending}.minisig" for ending in TELLING))
"""What belongs to ``NAME.tflite`` is called NAME and one of these."""


class ModelBytes(msgspec.Struct, frozen=True):
    """A model file as it is, and what lies beside it, by ending (those of ``BESIDE``)."""

    data: bytes
    beside: Mapping[str, bytes]

    @property
    def version(self) -> str:
        """As it is published."""
        return hashlib.sha256(self.data).hexdigest()[:12]


class ModelFiles(msgspec.Struct, frozen=True):
    """A model file's bytes and facts, and what lies beside it: ``beside`` as it is, by ending
    (those of ``BESIDE``), then as it was read.
    """

    name: str
    data: bytes
    beside: Mapping[str, bytes]
    facts: ModelFile
    sidecar: Sidecar
    labels_file: LabelFile | None
    manifest: Manifest | None

    @property
    def version(self) -> str:
        """As it is published."""
        return self.facts.sha256[:12]

    @property
    def bundle(self) -> str:
        """The name of these very bytes."""
        return bundle_name(self.facts.sha256, self.beside)


def bundle_name(sha256: str, beside: Mapping[str, bytes]) -> str:
    """The model's sha256, and 8 hex digits of that over the files beside it."""
    digest = hashlib.sha256()
    for ending, data in sorted(beside.items()):
        digest.update(f"{ending} {len(data)}\n".encode())
        digest.update(data)
    return f"{sha256}-{digest.hexdigest()[:8]}"


def read_model_files(path: Path, name: str | None = None) -> ModelFiles:
    """The model at ``path`` with what lies beside it. Raises ModelError, ConfigError.

    ``name`` is the model's where its file is called otherwise.
    """
    return understood(read_bytes(path), path, name)


def read_model_files_named(path: Path) -> ModelFiles:
    """As ``read_model_files``; each message names the file."""
    try:
        return read_model_files(path)
    except ModelError as error:
        told = str(error)
        raise ModelError(told if str(path) in told else f"{path}: {told}") from error


def read_bytes(path: Path) -> ModelBytes:
    """Of the model at ``path`` and of what lies beside it. Raises ModelError, ConfigError."""
    try:
        data = read_model_bytes(path)
    except FileNotFoundError as error:
        raise ModelError(_not_there(path)) from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    return ModelBytes(data, read_beside(path))


def understood(read: ModelBytes, path: Path, name: str | None = None) -> ModelFiles:
    """What was read at ``path``; see ``read_model_files``."""
    data, beside = read.data, read.beside
    name = name or path.name.removesuffix(SUFFIX)
    labels, manifest = beside.get(_LABELS), beside.get(_MANIFEST)
    there = _beside(path)
    return ModelFiles(
        name=name,
        data=data,
        beside=beside,
        facts=read_model_file(data),
        sidecar=parse_sidecar(beside.get(_SIDECAR, b""), str(there[_SIDECAR])),
        labels_file=None if labels is None else LabelFile(name + _LABELS, labels),
        manifest=None if manifest is None else parse_manifest(manifest, str(there[_MANIFEST])),
    )


def read_beside(path: Path) -> Mapping[str, bytes]:
    """The bytes of what lies beside the model at ``path``, by ending. Raises as above."""
    found: dict[str, bytes] = {}
    for ending, file in _beside(path).items():
        read = read_file if ending in (_SIDECAR, _MANIFEST) else Path.read_bytes
        try:
            refuse_irregular(file)
            found[ending] = read(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ModelError(f"cannot read {file}: {error.strerror}") from error
    return found


def _beside(path: Path) -> Mapping[str, Path]:
    """What may lie beside a model file, by ending; none of it need exist."""
    stem = path.name.removesuffix(SUFFIX)
    return {ending: path.with_name(stem + ending) for ending in BESIDE}


def _not_there(path: Path) -> str:
    if path.is_symlink():
        return f"{path} is a link to {path.readlink()}, which is not there"
    there = sorted(file.stem for file in path.parent.glob(f"*{SUFFIX}"))
    near = difflib.get_close_matches(path.stem, there, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ". Copy the model there"
    return f"there is no file {path}{hint}"
