"""A model file's bytes, out of a directory where anybody may put anything."""

from __future__ import annotations

import stat
from pathlib import Path

from ..errors import ModelError

_HEAD_BYTES = 4096
_LARGE_BYTES = 64 << 20
_MAX_BYTES = 2**31 - 1  # what FlatBuffers can address


def refuse_irregular(path: Path) -> None:
    """Raise ModelError for a pipe, which would keep its reader waiting for ever, and for a device,
    which may never end. Raises OSError.
    """
    mode = path.stat().st_mode
    if stat.S_ISFIFO(mode):
        raise ModelError(f"{path} is a pipe. Put the file itself there")
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise ModelError(f"{path} is a device. Put the file itself there")


def read_model_bytes(path: Path) -> bytes:
    """All of the file, but of a large one that is no model only the beginning, so that a film in
    a model's place costs no memory. Raises ModelError, OSError.
    """
    refuse_irregular(path)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        size_bytes = path.stat().st_size
        if size_bytes > _LARGE_BYTES:
            _refuse_what_is_no_model(head)
        if size_bytes > _MAX_BYTES:
            raise ModelError(f"it has {size_bytes:,} bytes, and a model at most {_MAX_BYTES:,}")
        file.seek(0)
        return file.read()


def _refuse_what_is_no_model(head: bytes) -> None:
    """Raise ModelError that says what it is instead."""
    # Here, for it needs NumPy, which is not there yet when a start reads the first model.
    from .tflite_file import has_identifier, read_model_file

    if not has_identifier(head):
        read_model_file(head)
