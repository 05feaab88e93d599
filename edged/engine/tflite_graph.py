"""A .tflite model's graph: its operators, and its inputs and outputs.

Source of the slots: tensorflow/lite/schema/schema.fbs.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from ..errors import ModelError
from ..records.models import Quantization
from .flatbuffer import INT8, INT32, UINT32, Damaged, FlatTable
from .tflite_schema import OPERATORS, TENSOR_TYPES

# They change a tensor's type or shape and not what its values mean.
_VALUE_PRESERVING = frozenset(
    {"RESHAPE", "QUANTIZE", "DEQUANTIZE", "CAST", "SQUEEZE", "EXPAND_DIMS"}
)


class Producer(msgspec.Struct, frozen=True):
    """The operator that gives a tensor, and the tensor's place among that operator's outputs."""

    operator: str
    output: int


class FileTensor(msgspec.Struct, frozen=True):
    """An input or output as the file describes it.

    ``shape_signature`` is ``shape`` with -1 where a dimension is dynamic. ``quantization`` is None
    for a tensor that has none or, ``per_channel``, several. ``produced_by`` is None for an input,
    and looks through operators that keep the values. ``signature_name`` is what the model's
    signature calls the tensor.
    """

    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str  # NumPy's name, or the schema's where NumPy has none
    quantization: Quantization | None
    per_channel: bool
    produced_by: Producer | None
    signature_name: str | None


class OperatorKind(msgspec.Struct, frozen=True):
    """A kind of operator that a file uses; a custom one goes by its own name."""

    name: str
    custom: bool


class Operator(msgspec.Struct, frozen=True):
    """One step of a graph; ``inputs`` and ``outputs`` are numbers of tensors, -1 for none."""

    kind: OperatorKind
    inputs: list[int]
    outputs: list[int]


def read_kinds(root: FlatTable) -> list[OperatorKind]:
    """The kinds of operator that a file lists. Raises Damaged."""
    kinds = []
    for table in root.tables(6):
        # Numbers up to 127 stand in the older, one-byte field.
        number = max(table.number(4, INT8), table.number(10, INT32))
        name = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"BUILTIN_{number}"
        custom = name == "CUSTOM"
        kinds.append(OperatorKind((table.text(6) or name) if custom else name, custom))
    return kinds


def read_operators(graph: FlatTable, kinds: list[OperatorKind]) -> list[Operator]:
    """A graph's operators in their order. Raises Damaged."""
    operators = []
    for table in graph.tables(10):
        kind = table.number(4, UINT32)
        if kind >= len(kinds):
            raise Damaged(f"an operator is of kind {kind:,}, and the file lists {len(kinds):,}")
        inputs, outputs = (table.numbers(slot, np.int32).tolist() for slot in (6, 8))
        operators.append(Operator(kinds[kind], inputs, outputs))
    return operators


def signature_names(root: FlatTable) -> dict[int, str]:
    """What the main graph's signatures call its tensors, by tensor number. Raises Damaged."""
    names: dict[int, str] = {}
    for signature in root.tables(18):
        if signature.number(12, UINT32) == 0:
            for entry in (*signature.tables(4), *signature.tables(6)):
                names.setdefault(entry.number(6, UINT32), entry.text(4) or "")
    return names


def read_ends(
    graph: FlatTable, operators: list[Operator], signature_names: dict[int, str]
) -> tuple[tuple[FileTensor, ...], tuple[FileTensor, ...]]:
    """A graph's inputs and its outputs. Raises Damaged, or ModelError where it has none."""
    tensors = graph.tables(4)
    producers = {
        tensor: (operator, place)
        for operator in operators
        for place, tensor in enumerate(operator.outputs)
    }

    def ends(slot: int, what: str) -> Iterator[FileTensor]:
        numbers = graph.numbers(slot, np.int32).tolist()
        if not numbers:
            raise ModelError(f"it has no {what}")
        for number in numbers:
            if not 0 <= number < len(tensors):
                raise Damaged(f"one of its {what} is tensor {number:,} of {len(tensors):,}")
            yield _tensor(
                tensors[number], _producer(number, producers), signature_names.get(number)
            )

    return tuple(ends(6, "inputs")), tuple(ends(8, "outputs"))


def _producer(tensor: int, producers: dict[int, tuple[Operator, int]]) -> Producer | None:
    seen = set()  # damaged graphs go in circles
    while tensor in producers and tensor not in seen:
        seen.add(tensor)
        operator, place = producers[tensor]
        if operator.kind.name not in _VALUE_PRESERVING or not operator.inputs:
            return Producer(operator.kind.name, place)
        tensor = operator.inputs[0]
    return None


def _tensor(table: FlatTable, producer: Producer | None, signature_name: str | None) -> FileTensor:
    shape = tuple(table.numbers(4, np.int32).tolist())
    kind = table.number(6, INT8)
    quantization = table.table(12)
    scales = quantization.numbers(8, np.float32).tolist() if quantization else []
    zero_points = quantization.numbers(10, np.int64).tolist() if quantization else []
    return FileTensor(
        name=table.text(10) or "",
        shape=shape,
        shape_signature=tuple(table.numbers(18, np.int32).tolist()) or shape,
        dtype=TENSOR_TYPES[kind] if 0 <= kind < len(TENSOR_TYPES) else f"type {kind}",
        quantization=(
            Quantization(scales[0], zero_points[0] if zero_points else 0)
            if len(scales) == 1
            else None
        ),
        per_channel=len(scales) > 1,
        produced_by=producer,
        signature_name=signature_name,
    )
