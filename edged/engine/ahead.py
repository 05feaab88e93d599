"""A probe that is begun before anybody asks for it: while the daemon still imports its parts.

Both take about as long, and a model that nobody has tried yet serves that much sooner. What is
tried are bytes in memory that nobody else can write; the outcome holds for a model of that sha256.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import msgspec

from ..errors import ModelError
from .model_bytes import read_model_bytes
from .runtime import Delegate
from .sandbox import Child, write_all

PROBE = "edged.engine.probe"
"""The module whose ``main`` answers a request. Its imports are what is not to be waited for."""


class Request(msgspec.Struct, frozen=True):
    """For the child. ``remembers`` is as of ``Engine``; ``batch``: so many at once, of a model that
    takes any number.
    """

    path: str
    threads: int
    delegate: Delegate | None
    remembers: bool
    batch: int = 1


class _Begun(msgspec.Struct, frozen=True):
    """``how`` has no path."""

    sha256: str
    how: Request
    child: Child


_begun: list[_Begun] = []  # at most one


def begin(path: Path, *, threads: int, delegate: Delegate | None) -> None:
    """Begin to try the file, where there is one. What is wrong with it, the probe itself tells."""
    drop()
    with contextlib.suppress(OSError, ModelError):
        data = read_model_bytes(path)
        model = os.memfd_create("model")
        try:
            write_all(model, data)
            how = Request("", threads, delegate, remembers=False)
            request = msgspec.structs.replace(how, path=f"/proc/self/fd/{model}")
            child = Child(PROBE, msgspec.json.encode(request), given=[model])
        finally:
            os.close(model)
        _begun.append(_Begun(hashlib.sha256(data).hexdigest(), how, child))


def take(sha256: str, request: Request) -> Child | None:
    """The child that tries these very bytes like that, if one was begun. It is the caller's now."""
    how = msgspec.structs.replace(request, path="")
    for begun in _begun:
        if (begun.sha256, begun.how) == (sha256, how):
            _begun.clear()
            return begun.child
    return None


def drop() -> None:
    """End what was begun and nobody took."""
    while _begun:
        _begun.pop().child.drop()
