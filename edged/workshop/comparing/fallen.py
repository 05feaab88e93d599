"""The operators that the delegate has left to the runtime's own kernels, and what they cost.

No runtime tells Python how long each of its operators takes. So each that was left is cut out of
the model and run by itself, on what it was given in a whole run: in a process of its own.
"""

from __future__ import annotations

import pickle
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ...engine.alone import computed_inputs
from ...engine.confined import Channel, parent_of_request, serve
from ...engine.delegated import find_delegated
from ...engine.layers import read_graph
from ...engine.sandbox import run_confined
from ...errors import EdgedError
from ...records.arrays import AnyArray
from .layers import Watched, operator_alone

_MOST_TIMED = 60
_SECONDS_EACH = 0.05


class Fallen(msgspec.Struct, frozen=True):
    """``cost_ms`` None: it cannot be run by itself."""

    number: int
    kind: str
    name: str
    cost_ms: float | None


class Left(msgspec.Struct, frozen=True):
    """Of a model's ``operators``, those that were not taken. ``runtime``: its name and version."""

    runtime: str
    operators: int
    partitions: int
    fallen: tuple[Fallen, ...]

    @property
    def cost_ms(self) -> float:
        """Of those of which it is known."""
        return sum(each.cost_ms or 0.0 for each in self.fallen)


class _Request(msgspec.Struct, frozen=True):
    path: Path
    data: bytes
    remembers: bool
    numbers: tuple[int, ...]
    inputs: Sequence[AnyArray]


def find_left(path: Path, data: bytes, remembers: bool, inputs: Sequence[AnyArray]) -> Left:
    """``inputs``: of the whole model, filled. Raises EdgedError."""
    told = find_delegated(path, threads=1, delegate=None, remembers=remembers)
    layers = read_graph(data).layers
    left = tuple(layer.number for layer in layers if layer.number not in told.taken)
    request = pickle.dumps(_Request(path, data, remembers, left[:_MOST_TIMED], inputs))
    try:
        costs = run_confined(__name__, request, dict[int, float | None])
    except EdgedError:  # an operator that ends its process has a cost that nobody knows
        costs = {}
    fallen = [
        Fallen(number, layers[number].kind, layers[number].name, costs.get(number))
        for number in left
    ]
    fallen.sort(key=lambda each: -(each.cost_ms or 0.0))
    return Left(told.runtime, len(layers), told.partitions, tuple(fallen))


# ---- the child ----------------------------------------------------------------------------------


def main() -> None:
    """Called in the child."""
    serve(_time_them, parent_of_request())


def _time_them(encoded: bytes, channel: Channel) -> dict[int, float | None]:
    request = pickle.loads(encoded)  # of the parent, which the child may trust
    assert isinstance(request, _Request)
    channel.phase("load")
    watched = Watched(request.path, request.data, request.remembers)
    for position, values in enumerate(request.inputs):
        watched.engine.input_view(position)[...] = values
    channel.phase("invoke")
    watched.engine.invoke()
    return {number: _cost_ms(watched, number) for number in request.numbers}


def _cost_ms(watched: Watched, number: int) -> float | None:
    layer = watched.graph.layers[number]
    inputs = computed_inputs(watched.graph, layer)
    engine = operator_alone(watched.data, layer, inputs) if inputs else None
    if engine is None:
        return None
    try:
        for position, place in enumerate(inputs):
            engine.input_view(position)[...] = watched.engine.tensor(place)
        engine.invoke()
        times: list[int] = []
        until = time.monotonic() + _SECONDS_EACH
        while time.monotonic() < until or len(times) < 3:
            began = time.thread_time_ns()  # it works in this thread, which others may interrupt
            engine.invoke()
            times.append(time.thread_time_ns() - began)
    except (EdgedError, ValueError):
        return None
    return statistics.median(times) / 1e6
