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
    with contextlib.ExitStack() as made:
        try:
            directory = tempfile.TemporaryDirectory(prefix="edged-workshop-")
            path = Path(made.enter_context(directory)) / f"{name}{SUFFIX}"
            path.write_bytes(data)
            for ending, content in beside.items():
                path.with_name(name + ending).write_bytes(content)
        except OSError as error:
            raise EdgedError(
                f"cannot write to {tempfile.gettempdir()}: {os.strerror(error.errno or 0)}. Make "
                "room there, or name another directory in $TMPDIR"
            ) from error
        yield path
