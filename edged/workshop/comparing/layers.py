"""Where a quantised model loses: each of its operators against the one that it was made of.

Both models are run by the runtime's own kernels, all they make is kept, and the tensors of one are
found in the other by their names, else by the place of their operators. Two numbers are told of
each: the SQNR of what it gives as the model runs, in which all losses before it add up; and its
own, given just what the other model's operator was given.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from ...engine.alone import alone, computed_inputs
from ...engine.interpreter import Engine
from ...engine.layers import Graph, GraphTensor, Layer, read_graph
from ...engine.runtime import NO_DELEGATE, Delegate
from ...errors import EdgedError, ModelError
from ...records.arrays import AnyArray, FloatArray
from .errors import sqnr_db

_CONVERTERS = ("QUANTIZE", "DEQUANTIZE")
MOST_EXAMPLES = 32
LISTS = "TFLite_Detection_PostProcess"
"""Its outputs are lists in the order of scores, and are not held against each other by place."""


class Loss(msgspec.Struct, frozen=True):
    """Of one operator of the second model, in dB; ``own_db`` None: not all that it takes is found
    in the first model, or it cannot be run alone.
    """

    number: int
    kind: str
    name: str
    sqnr_db: float
    own_db: float | None


class _Sums:
    """Of squares: of what is wanted, and of what is off."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def take(self, one: FloatArray, other: FloatArray) -> None:
        a = one.astype(np.float64).ravel()
        self.signal += float(a @ a)
        self.noise += float(np.sum((a - other.astype(np.float64).ravel()) ** 2))


class Watched:
    """A model all of whose tensors can be looked at, as real numbers."""

    def __init__(self, path: Path, data: bytes, remembers: bool) -> None:
        """Raises ModelError."""
        self.data, self.graph = data, read_graph(data)
        plain = Delegate(NO_DELEGATE)
        self.engine = Engine(path, threads=1, delegate=plain, remembers=remembers, keeps_all=True)

    def real(self, place: int) -> FloatArray | None:
        """None of what holds no numbers."""
        try:
            return real(self.engine.tensor(place), self.graph.tensors[place])
        except ModelError:
            return None


def real(stored: AnyArray, tensor: GraphTensor) -> FloatArray:
    """As float32; several scales are along the tensor's axis."""
    if not tensor.scales or stored.dtype.kind not in "iu":
        return stored.astype(np.float32)
    shape = [1] * stored.ndim
    if len(tensor.scales) > 1:
        shape[tensor.axis] = len(tensor.scales)
    scales, zeros = np.reshape(tensor.scales, shape), np.reshape(tensor.zero_points, shape)
    values: FloatArray = ((stored - zeros) * scales).astype(np.float32)
    return values


def stored(values: FloatArray, tensor: GraphTensor) -> AnyArray:
    """Real values as ``tensor`` holds them."""
    dtype = np.dtype(tensor.dtype)
    if len(tensor.scales) != 1 or dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    rounded = np.rint(values / tensor.scales[0]) + tensor.zero_points[0]
    clipped: AnyArray = rounded.clip(limits.min, limits.max).astype(dtype)
    return clipped


def matched(one: Graph, other: Graph) -> dict[int, int]:
    """The tensors of ``other`` by those of ``one`` that they stand for. Raises EdgedError."""
    pairs = dict(zip(other.inputs, one.inputs, strict=False))
    names = {tensor.name: place for place, tensor in enumerate(one.tensors)}
    made = {place for layer in one.layers for place in layer.outputs}
    for layer in other.layers:
        for place in layer.outputs:
            known = names.get(other.tensors[place].name)
            if known in made and known is not None and _alike(one, known, other, place):
                pairs[place] = known
    if len(pairs) <= len(other.inputs) + len(other.layers) // 4:
        pairs |= _by_place(one, other)
    _see_through(other, pairs)
    return pairs


def _alike(one: Graph, place: int, other: Graph, its: int) -> bool:
    return one.tensors[place].elements == other.tensors[its].elements


def _by_place(one: Graph, other: Graph) -> dict[int, int]:
    mine, its = (
        [layer for layer in graph.layers if layer.kind not in _CONVERTERS] for graph in (one, other)
    )
    if [layer.kind for layer in mine] != [layer.kind for layer in its]:
        raise EdgedError(
            "The operators of the two models do not go together, neither by the names of their "
            "tensors nor by their order, so no layers can be compared. Compare a model with what "
            "was made of it"
        )
    return {
        b: a
        for first, second in zip(mine, its, strict=True)
        for a, b in zip(first.outputs, second.outputs, strict=False)
    }


def _see_through(graph: Graph, pairs: dict[int, int]) -> None:
    """What only converts stands for what it was given, or is given."""
    for layer in graph.layers:
        if layer.kind in _CONVERTERS and layer.inputs[0] in pairs:
            pairs.setdefault(layer.outputs[0], pairs[layer.inputs[0]])


class Losses:
    """Takes pairs of models that were both invoked on the same example."""

    def __init__(self, one: Watched, other: Watched) -> None:
        """Raises EdgedError where the layers of the one are not those of the other."""
        self.one, self.other = one, other
        self._pairs = matched(one.graph, other.graph)
        self._sums: dict[int, _Sums] = {}
        self._own: dict[int, _Sums] = {}
        self._alone: dict[int, Engine | None] = {}

    def take(self) -> None:
        for layer in self.other.graph.layers:
            if (
                layer.kind in (*_CONVERTERS, LISTS)
                or not layer.outputs
                or layer.outputs[0] not in self._pairs
            ):
                continue
            place = layer.outputs[0]
            wanted, got = self.one.real(self._pairs[place]), self.other.real(place)
            if wanted is None or got is None or wanted.size != got.size:
                continue
            self._sums.setdefault(layer.number, _Sums()).take(wanted, got)
            own = self._alone_result(layer)
            if own is not None and own.size == wanted.size:
                self._own.setdefault(layer.number, _Sums()).take(wanted, own)

    def _alone_result(self, layer: Layer) -> FloatArray | None:
        """What the operator makes of what the first model's was given."""
        inputs = computed_inputs(self.other.graph, layer)
        given = {place: self._pairs.get(place) for place in inputs}
        values = {p: self.one.real(its) for p, its in given.items() if its is not None}
        if len(values) < len(inputs) or not inputs:
            return None
        if layer.number not in self._alone:
            self._alone[layer.number] = operator_alone(self.other.data, layer, inputs)
        engine = self._alone[layer.number]
        if engine is None:
            return None
        for position, place in enumerate(inputs):
            value = values[place]
            view = engine.input_view(position)
            if value is None or value.size != view.size:
                return None
            view[...] = stored(value, self.other.graph.tensors[place]).reshape(view.shape)
            del view
        engine.invoke()
        made = layer.outputs[0]
        return real(engine.tensor(made), self.other.graph.tensors[made])

    @property
    def found(self) -> list[Loss]:
        """The greatest own loss first; those without a number for it last, by what they give."""
        losses = []
        for number, sums in self._sums.items():
            layer, own = self.other.graph.layers[number], self._own.get(number)
            own_db = sqnr_db(own.signal, own.noise) if own is not None else None
            as_it_runs = sqnr_db(sums.signal, sums.noise)
            losses.append(Loss(number, layer.kind, layer.name, as_it_runs, own_db))
        return sorted(losses, key=lambda e: (math.inf if e.own_db is None else e.own_db, e.sqnr_db))


def operator_alone(data: bytes, layer: Layer, inputs: Sequence[int]) -> Engine | None:
    """An engine of nothing else; None where it cannot be run so."""
    file = os.memfd_create("alone")
    try:
        with os.fdopen(file, "wb", closefd=False) as written:
            written.write(alone(data, layer, inputs))
        path = Path(f"/proc/self/fd/{file}")
        engine = Engine(path, threads=1, delegate=Delegate(NO_DELEGATE), remembers=True)
        return engine if len(engine.inputs) == len(inputs) else None
    except ModelError:
        return None
    finally:
        os.close(file)
