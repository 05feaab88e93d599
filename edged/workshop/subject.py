"""A model on the bench: tried in a process of its own, and understood as the daemon would."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from ..engine.geometry import Fit
from ..errors import ModelError
from ..loading import Examined, LoadOptions, examine
from ..samples import Gives
from ..store.models import ModelFiles, read_model_files_named
from .data import Data

_TAKES = {
    Gives.FRAMES: "looks at pictures",
    Gives.WINDOWS: "looks at windows of recordings (.csv, .wav)",
}


class Subject(msgspec.Struct, frozen=True):
    """A model and its reading. ``options`` are those to load it with."""

    path: Path
    files: ModelFiles
    examined: Examined
    options: LoadOptions


def take(path: Path, data: Data | None, fit: Fit = Fit.STRETCH) -> Subject:
    """The model at ``path``, for ``data`` (None: for none in particular). Raises EdgedError where
    it cannot serve, or not with such data; the message names it.
    """
    files = read_model_files_named(path)
    _refuse_any_batch(path, files)
    options = LoadOptions(min(4, os.cpu_count() or 1), None, fit, data.gives if data else None)
    try:
        return Subject(path, files, examine(files, path, options), options)
    except ModelError as error:
        if data is not None:
            _refuse_other_kind(path, files, data)
        raise ModelError(f"{path} cannot be used: {error}") from error


def _refuse_any_batch(path: Path, files: ModelFiles) -> None:
    """Raises ModelError for what conversion mends."""
    for tensor in files.facts.inputs:
        if tensor.shape_signature[:1] == (-1,) and -1 not in tensor.shape_signature[1:]:
            raise ModelError(
                f'{path} takes a batch of any size (its input "{tensor.name}"). Make it one of 1: '
                f"edged model convert {path} -o NAME.tflite"
            )


def _refuse_other_kind(path: Path, files: ModelFiles, data: Data) -> None:
    """Raises ModelError where the model takes what the data are not."""
    other = next(gives for gives in Gives if gives is not data.gives)
    try:
        examine(files, path, LoadOptions(1, None, Fit.STRETCH, other))
    except ModelError:
        return
    raise ModelError(
        f"{path.name} {_TAKES[other]}, and {data.directory} holds {data.said}. Name a directory "
        "with what it takes"
    )
