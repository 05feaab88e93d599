"""Which operators of a model a delegate, such as XNNPACK, has taken: by the runtime's own list."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .confined import Channel, parent_of_request, serve
from .interpreter import Engine
from .runtime import Delegate, runtime
from .sandbox import run_confined


class Delegated(msgspec.Struct, frozen=True):
    """``runtime`` is its name and version. ``taken``: the numbers of the operators, in the file's
    order, that no longer run by the runtime's own kernels. ``partitions``: into how many parts.
    """

    runtime: str
    taken: tuple[int, ...]
    partitions: int


class _Request(msgspec.Struct, frozen=True):
    path: Path
    threads: int
    delegate: Delegate | None
    remembers: bool


def find_delegated(
    path: Path, *, threads: int, delegate: Delegate | None, remembers: bool
) -> Delegated:
    """Load the model in a process of its own, and look. Raises ModelError, DelegateError."""
    request = pickle.dumps(_Request(path, threads, delegate, remembers))
    return run_confined(__name__, request, Delegated)


def taken(nodes: Sequence[Mapping[str, Any]]) -> tuple[int, ...]:
    """Those of ``nodes`` (the interpreter's own list of them) that nodes of a delegate stand for:
    those from which a delegate's node makes its outputs of its inputs.
    """
    own = [node for node in nodes if node["op_name"] != "DELEGATE"]
    made = {int(tensor): node for node in own for tensor in node["outputs"]}
    found: set[int] = set()
    for delegate in (node for node in nodes if node["op_name"] == "DELEGATE"):
        given, wanted = set(map(int, delegate["inputs"])), [*map(int, delegate["outputs"])]
        while wanted:
            node = made.get(tensor) if (tensor := wanted.pop()) not in given else None
            if node is not None and node["index"] not in found:
                found.add(node["index"])
                wanted += map(int, node["inputs"])
    return tuple(sorted(found))


# ---- the child ----------------------------------------------------------------------------------


def main() -> None:
    """Called in the child."""
    serve(_look, parent_of_request())


def _look(encoded: bytes, channel: Channel) -> Delegated:
    request = pickle.loads(encoded)  # of the parent, which the child may trust
    assert isinstance(request, _Request)
    channel.phase("load")
    engine = Engine(
        request.path,
        threads=request.threads,
        delegate=request.delegate,
        remembers=request.remembers,
    )
    nodes = engine.nodes()
    parts = sum(node["op_name"] == "DELEGATE" for node in nodes)
    found = runtime()
    return Delegated(f"{found.name} {found.version}", taken(nodes), parts)
