"""Keeping what native code writes to standard error off the terminal."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """TFLite announces its delegate, and litert-quantizer warns and draws bars of its own. For one
    thread.
    """
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stderr(io.StringIO()),
        Path(os.devnull).open("wb") as null,
    ):
        before = os.dup(2)
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)
