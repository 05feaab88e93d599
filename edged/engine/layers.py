"""How large a model's graph is, layer by layer: parameters, multiply-accumulates, activations.

Read off the file, without a runtime. Multiply-accumulates are counted as the literature counts
them (Howard et al., "MobileNets", 2017): those of convolutions, matrix products and recurrent
layers; what goes element by element has none. Source of the slots and of the order of an operator's
inputs: tensorflow/lite/schema/schema.fbs and tensorflow/lite/kernels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from ..errors import ModelError
from .flatbuffer import INT8, INT32, UINT32, UINT64, Damaged, FlatBytes, FlatTable
from .tflite_graph import Operator, read_kinds, read_operators
from .tflite_schema import TENSOR_TYPES

_BITS = {"int2": 2, "int4": 4, "uint4": 4, "float8_e4m3fn": 8, "float8_e5m2": 8, "bool": 8}
_NO_BITS = frozenset({"string", "resource", "variant"})
# What other graphs do, or operators that nobody here knows.
_UNKNOWN_WORK = re.compile(r"CALL|IF|WHILE|STABLEHLO_.*")
_NO_PRODUCTS = frozenset({"TFLite_Detection_PostProcess"})


class GraphTensor(msgspec.Struct, frozen=True):
    """A tensor of the main graph. ``weights_bytes``: of what the file holds of it; 0 where it is
    computed, or an input. ``scales`` and ``zero_points``: one, one a channel along ``axis``, or
    none. ``variable``: it is kept from one invocation to the next.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    weights_bytes: int
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    variable: bool

    @property
    def elements(self) -> int:
        """0 where a dimension is not known."""
        return max(0, math.prod(self.shape))

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        if self.dtype in _NO_BITS:
            return 0
        bits = _BITS.get(self.dtype) or int("".join(filter(str.isdigit, self.dtype)) or 32)
        return -(-self.elements * bits // 8)


class Layer(msgspec.Struct, frozen=True):
    """One operator of the main graph, by its ``number`` in it. ``macs`` None: nothing here knows
    how many multiply-accumulates such an operator has. ``parameters``: numbers of the weights that
    no operator before it uses.
    """

    number: int
    kind: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    weights_bytes: int
    macs: int | None


class Graph(msgspec.Struct, frozen=True):
    """A model's main graph; ``inputs`` and ``outputs`` are numbers of ``tensors``.

    ``activation_bytes``: the most that lies in memory at once of what is computed, were every
    tensor given up after its last use: no runtime needs less.
    """

    tensors: tuple[GraphTensor, ...]
    layers: tuple[Layer, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation_bytes: int

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def weights_bytes(self) -> int:
        return sum(layer.weights_bytes for layer in self.layers)

    @property
    def macs(self) -> int:
        """Of the layers of which it is known."""
        return sum(layer.macs or 0 for layer in self.layers)

    @property
    def uncounted(self) -> list[str]:
        """The kinds of operator of which it is not."""
        return sorted({layer.kind for layer in self.layers if layer.macs is None})


def read_graph(data: bytes) -> Graph:
    """The main graph of a file that ``read_model_file`` takes. Raises ModelError."""
    try:
        return _read(FlatBytes(data).root())
    except Damaged as error:
        raise ModelError(f"damaged: {error}") from error


def _read(root: FlatTable) -> Graph:
    graphs = root.tables(8)
    if not graphs:
        raise Damaged("it has no graph")
    graph = graphs[0]
    buffers = root.tables(12)
    sizes: dict[int, int] = {}
    tensors = tuple(_tensor(table, buffers, sizes) for table in graph.tables(4))
    operators = read_operators(graph, read_kinds(root))
    seen: set[int] = set()
    layers = tuple(
        _layer(number, operator, tensors, seen) for number, operator in enumerate(operators)
    )
    inputs, outputs = (tuple(graph.numbers(slot, np.int32).tolist()) for slot in (6, 8))
    if not all(0 <= place < len(tensors) for place in (*inputs, *outputs)):
        raise Damaged("one of its ends is a tensor that the file does not hold")
    return Graph(tensors, layers, inputs, outputs, _activation_bytes(tensors, layers, outputs))


def _tensor(table: FlatTable, buffers: Sequence[FlatTable], sizes: dict[int, int]) -> GraphTensor:
    kind, buffer = table.number(6, INT8), table.number(8, UINT32)
    if buffer not in sizes:
        held = buffers[buffer] if buffer < len(buffers) else None
        sizes[buffer] = max(len(held.blob(4)), held.number(8, UINT64)) if held else 0
    quantization = table.table(12)
    scales = quantization.numbers(8, np.float32).tolist() if quantization else []
    zero_points = quantization.numbers(10, np.int64).tolist() if quantization else []
    return GraphTensor(
        name=table.text(10) or "",
        shape=tuple(table.numbers(4, np.int32).tolist()),
        dtype=TENSOR_TYPES[kind] if 0 <= kind < len(TENSOR_TYPES) else f"type {kind}",
        weights_bytes=sizes[buffer],
        scales=tuple(scales),
        zero_points=tuple(zero_points) or (0,) * len(scales),
        axis=quantization.number(16, INT32) if quantization else 0,
        variable=bool(table.number(14, INT8)),
    )


def _layer(
    number: int, operator: Operator, tensors: Sequence[GraphTensor], seen: set[int]
) -> Layer:
    used = tuple(place for place in operator.inputs if place != -1)
    if not all(0 <= place < len(tensors) for place in (*used, *operator.outputs)):
        raise Damaged(f"operator {number:,} uses a tensor that the file does not hold")
    weights = [tensors[place] for place in dict.fromkeys(used) if place not in seen]
    weights = [tensor for tensor in weights if tensor.weights_bytes]
    seen.update(used)
    given = [None if place == -1 else tensors[place] for place in operator.inputs]
    made = [tensors[place] for place in operator.outputs]
    return Layer(
        number=number,
        kind=operator.kind.name,
        name=made[0].name if made else "",
        inputs=tuple(operator.inputs),
        outputs=tuple(operator.outputs),
        output_shape=made[0].shape if made else (),
        parameters=sum(tensor.elements for tensor in weights),
        weights_bytes=sum(tensor.weights_bytes for tensor in weights),
        macs=_macs(operator, given, made),
    )


# ---- multiply-accumulates ------------------------------------------------------------------------

Given = Sequence[GraphTensor | None]


def _by_filter(given: Given, made: Sequence[GraphTensor]) -> int:
    """Each number of the output takes one filter: out x height x width x in."""
    return made[0].elements * math.prod(_shape(given, 1)[1:])


def _by_depth(given: Given, made: Sequence[GraphTensor]) -> int:
    """A filter is 1 x height x width x out: each number takes a plane of it."""
    return made[0].elements * math.prod(_shape(given, 1)[1:3])


def _by_volume(given: Given, made: Sequence[GraphTensor]) -> int:
    """A filter is depth x height x width x in x out."""
    return made[0].elements * math.prod(_shape(given, 1)[:4])


def _transposed(given: Given, made: Sequence[GraphTensor]) -> int:
    """Each number of the input, the third, goes through out x height x width of the filter."""
    return math.prod(_shape(given, 2)) * math.prod(_shape(given, 1)[:-1])


def _by_product(given: Given, made: Sequence[GraphTensor]) -> int:
    """(m x k) times (k x n), either of them transposed or not: k follows from all three."""
    one, other, out = _shape(given, 0)[-2:], _shape(given, 1)[-2:], made[0].shape[-2:]
    k_squared = math.prod(one) * math.prod(other) // max(1, math.prod(out))
    return made[0].elements * math.isqrt(max(0, k_squared))


def _by_step(given: Given, made: Sequence[GraphTensor]) -> int:
    """Every matrix of weights once for each step of each sequence."""
    matrices = [each for each in given[1:] if each and each.weights_bytes and len(each.shape) == 2]
    return math.prod(_shape(given, 0)[:-1]) * sum(each.elements for each in matrices)


def _shape(given: Given, place: int) -> tuple[int, ...]:
    tensor = given[place] if place < len(given) else None
    if tensor is None:
        raise Damaged(f"one of its operators has no input {place}")
    return tensor.shape


_COUNTS: Mapping[str, Callable[[Given, Sequence[GraphTensor]], int]] = {
    "CONV_2D": _by_filter,
    "DEPTHWISE_CONV_2D": _by_depth,
    "FULLY_CONNECTED": _by_filter,
    "CONV_3D": _by_volume,
    "TRANSPOSE_CONV": _transposed,
    "CONV_3D_TRANSPOSE": _transposed,
    "BATCH_MATMUL": _by_product,
    "LSTM": _by_step,
    "RNN": _by_step,
    "SVDF": _by_step,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _by_step,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _by_step,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _by_step,
    "BIDIRECTIONAL_SEQUENCE_RNN": _by_step,
}


def _macs(operator: Operator, given: Given, made: Sequence[GraphTensor]) -> int | None:
    kind = operator.kind
    if kind.name in _COUNTS:
        return max(0, _COUNTS[kind.name](given, made)) if made else 0
    unknown = kind.custom or _UNKNOWN_WORK.fullmatch(kind.name)
    return None if unknown and kind.name not in _NO_PRODUCTS else 0


# ---- memory --------------------------------------------------------------------------------------


def _activation_bytes(
    tensors: Sequence[GraphTensor], layers: Sequence[Layer], outputs: Sequence[int]
) -> int:
    last = {place: layer.number for layer in layers for place in layer.inputs}
    last |= dict.fromkeys(outputs, len(layers))
    ends: dict[int, list[int]] = {}
    alive = 0
    made = {place for layer in layers for place in layer.outputs}
    for place, number in last.items():
        if place >= 0 and not tensors[place].weights_bytes:
            ends.setdefault(number, []).append(place)
            alive += 0 if place in made else tensors[place].bytes
    most = alive
    for layer in layers:
        alive += sum(tensors[place].bytes for place in layer.outputs)
        most = max(most, alive)
        unused = [place for place in layer.outputs if place not in last]
        alive -= sum(tensors[place].bytes for place in (*ends.get(layer.number, ()), *unused))
    return most
