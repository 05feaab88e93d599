"""Models that are only tried: the runtime wants a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import EdgedError
from ..store.models import SUFFIX


@contextlib.contextmanager
def scratch(name: str, data: bytes, beside: Mapping[str, bytes]) -> Iterator[Path]:
    """A model in a directory of its own, with files beside it (by ending), which goes with it.

    Raises EdgedError where there is no room for it.
    """
    with scratch_directory() as directory:
        path = directory / f"{name}{SUFFIX}"
        try:
            path.write_bytes(data)
            for ending, content in beside.items():
                path.with_name(name + ending).write_bytes(content)
        except OSError as error:
            raise _no_room(error) from error
        yield path


@contextlib.contextmanager
def scratch_directory() -> Iterator[Path]:
    """One that goes at the end. Raises EdgedError where none can be made."""
    try:
        made = tempfile.TemporaryDirectory(prefix="edged-workshop-")
    except OSError as error:
        raise _no_room(error) from error
    with made as directory:
        yield Path(directory)


def _no_room(error: OSError) -> EdgedError:
    advice = "Make room there, or name another directory in $TMPDIR"
    if tempfile.tempdir is None:
        return EdgedError(f"no directory for temporary files can be written to. {advice}")
    why = os.strerror(error.errno or 0)
    return EdgedError(f"cannot write to {tempfile.tempdir}: {why}. {advice}")
