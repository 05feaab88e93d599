"""Building .tflite files operator by operator, where a converter would choose names and order.

Source of the tables: tensorflow/lite/schema/schema.fbs. The same calls give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

# The first version of each operator that knows int8; all others are used at their first.
_VERSIONS = {"ADD": 2, "FULLY_CONNECTED": 4, "MEAN": 2, "MUL": 2, "PADV2": 2, "SOFTMAX": 2}


@dataclass(frozen=True)
class Quantized:
    """A tensor's scale and zero point: ``real = (stored - zero_point) * scale``."""

    scale: float
    zero_point: int

    def store(self, real: npt.ArrayLike, dtype: str) -> npt.NDArray[Any]:
        """Real values as they are stored."""
        stored = np.rint(np.asarray(real, np.float64) / self.scale) + self.zero_point
        limits = np.iinfo(dtype)
        clipped: npt.NDArray[Any] = np.clip(stored, limits.min, limits.max).astype(dtype)
        return clipped


@dataclass(frozen=True)
class Tensor:
    """A tensor that has been added to a model."""

    number: int
    shape: tuple[int, ...]
    dtype: str
    quantized: Quantized | None


@dataclass
class ModelBuilder:
    """One model. ``graph`` begins a further graph of it, for the branches of an IF."""

    description: str
    _tensors: list[Any] = field(default_factory=list)
    _buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    _codes: list[tuple[str, str | None]] = field(default_factory=list)
    _operators: list[Any] = field(default_factory=list)
    _branches: list[Any] = field(default_factory=list)

    def graph(self, name: str) -> ModelBuilder:
        """A branch, to be filled and then given to ``branch``."""
        return ModelBuilder(name, _buffers=self._buffers, _codes=self._codes)

    def branch(
        self, graph: ModelBuilder, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> int:
        """Add the graph; gives its number in the file, where the main graph is 0."""
        self._branches.append(graph._graph(inputs, outputs, graph.description))
        return len(self._branches)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        quantized: Quantized | None = None,
        signature: Sequence[int] | None = None,
    ) -> Tensor:
        """A tensor that is computed, or given as an input."""
        table = schema.TensorT()
        table.name, table.shape = name, np.array(shape, np.int32)
        table.type, table.buffer = getattr(schema.TensorType, dtype.upper()), 0
        if signature is not None:
            table.shapeSignature = np.array(signature, np.int32)
        if quantized is not None:
            table.quantization = schema.QuantizationParametersT()
            table.quantization.scale = np.array([quantized.scale], np.float32)
            table.quantization.zeroPoint = np.array([quantized.zero_point], np.int64)
        self._tensors.append(table)
        return Tensor(len(self._tensors) - 1, tuple(shape), dtype, quantized)

    def constant(
        self, name: str, values: npt.NDArray[Any], quantized: Quantized | None = None
    ) -> Tensor:
        """A tensor that holds ``values``, which are of the stored type."""
        tensor = self.tensor(name, values.shape, str(values.dtype), quantized)
        self._tensors[tensor.number].buffer = self._buffer(values.tobytes())
        return tensor

    def operator(
        self,
        code: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        options: Any = None,
        custom_options: bytes | None = None,
    ) -> Tensor:
        """``effect`` of what gives something; gives its first output."""
        self.effect(code, inputs, outputs, options, custom_options)
        return outputs[0]

    def effect(
        self,
        code: str,
        inputs: Sequence[Tensor] = (),
        outputs: Sequence[Tensor] = (),
        options: Any = None,
        custom_options: bytes | None = None,
    ) -> None:
        """Add an operator, a custom one where it has ``custom_options``."""
        key = ("CUSTOM", code) if custom_options is not None else (code, None)
        if key not in self._codes:
            self._codes.append(key)
        table = schema.OperatorT()
        table.opcodeIndex = self._codes.index(key)
        table.inputs = np.array([tensor.number for tensor in inputs], np.int32)
        table.outputs = np.array([tensor.number for tensor in outputs], np.int32)
        if options is not None:
            table.builtinOptions = options
            kind = type(options).__name__.removesuffix("T")
            table.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        if custom_options is not None:
            table.customOptions = np.frombuffer(custom_options, np.uint8)
        self._operators.append(table)

    def build(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], metadata: bytes | None = None
    ) -> bytes:
        """The file."""
        model = schema.ModelT()
        model.version, model.description = 3, self.description
        model.subgraphs = [self._graph(inputs, outputs, "main"), *self._branches]
        model.operatorCodes = [_operator_code(*code) for code in self._codes]
        if metadata is not None:
            entry = schema.MetadataT()
            entry.name, entry.buffer = "TFLITE_METADATA", self._buffer(metadata)
            model.metadata = [entry]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _graph(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], name: str) -> Any:
        graph = schema.SubGraphT()
        graph.name = name
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs = np.array([tensor.number for tensor in inputs], np.int32)
        graph.outputs = np.array([tensor.number for tensor in outputs], np.int32)
        return graph

    def _buffer(self, data: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1


def _operator_code(code: str, custom_code: str | None) -> Any:
    table = schema.OperatorCodeT()
    table.builtinCode = getattr(schema.BuiltinOperator, code)
    table.deprecatedBuiltinCode = min(table.builtinCode, 127)
    table.version = _VERSIONS.get(code, 1)
    table.customCode = custom_code
    return table
