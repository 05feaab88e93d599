"""litert-quantizer (google-ai-edge/LiteRT), as the workshop uses it: a float model's bytes in, a
quantised one's out.

Its scheme: weights int8, symmetric, one scale a channel; activations int8, asymmetric, one scale a
tensor (https://ai.google.dev/edge/litert/models/quantization_spec).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from litert_quantizer import algorithm_manager, calibrator, qtyping, quantizer, recipe_manager
from litert_quantizer.utils import qsv_utils

from ..engine.interpreter import one_line
from ..engine.tflite_schema import OPERATORS
from ..errors import ModelError
from ..records.arrays import AnyArray
from .quiet import quiet
from .tables import name_tensors, read_tables, sign, write_tables

_ALL = qtyping.TFLOperationName.ALL_SUPPORTED
_ENDS = (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT)
_UNTOUCHED = algorithm_manager.AlgorithmName.NO_QUANTIZE
_CONVERTERS = ("QUANTIZE", "DEQUANTIZE")

Ranges = Mapping[str, Any]
"""By a tensor's name its ``{"min": ..., "max": ...}``."""


class Mode(enum.Enum):
    """What becomes of a float model: weights and activations int8; weights int8, which the runtime
    multiplies with activations that it quantises itself; weights float16.
    """

    INT8 = "int8"
    DYNAMIC = "dynamic"
    FLOAT16 = "float16"


class Layer(msgspec.Struct, frozen=True):
    """An operator of the main graph. ``name`` is its first output's; ``scope`` litert-quantizer's
    name for it.
    """

    number: int
    operator: str
    name: str
    scope: str


class FloatModel:
    """A float model's bytes as litert-quantizer takes them: signed, each tensor with a name."""

    def __init__(self, data: bytes) -> None:
        """Raises ModelError where it is quantised already."""
        model = read_tables(data)
        _refuse_quantized(model)
        name_tensors(model)
        self.signature = sign(model)
        self.data = write_tables(model)
        self._model = model

    @property
    def layers(self) -> list[Layer]:
        """In their order."""
        tensors = self._model.subgraphs[0].tensors
        found = []
        for number, operator in enumerate(self._model.subgraphs[0].operators):
            names = [tensors[place].name.decode() for place in operator.outputs if place >= 0]
            kind = _kind(self._model, operator)
            found.append(Layer(number, kind, names[0] if names else "", f"{';'.join(names)};"))
        return found

    @property
    def inputs(self) -> list[str]:
        """The names of the input tensors, in the model's order."""
        return self._names("inputs")

    @property
    def outputs(self) -> list[str]:
        """Those of the output tensors."""
        return self._names("outputs")

    def _names(self, ends: str) -> list[str]:
        graph = self._model.subgraphs[0]
        return [graph.tensors[number].name.decode() for number in getattr(graph, ends)]

    def arguments(self) -> list[str]:
        """What the signature calls the inputs."""
        signed = next(s for s in self._model.signatureDefs if s.subgraphIndex == 0)
        names = {int(each.tensorIndex): each.name.decode() for each in signed.inputs}
        return [names[int(number)] for number in self._model.subgraphs[0].inputs]


class Calibrator:
    """Collects the least and the greatest value of each tensor."""

    def __init__(self, model: FloatModel, threads: int) -> None:
        self._model = model
        with quiet():
            self._calibrator = calibrator.Calibrator(
                model.data,
                num_threads=threads,
                mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
                qsv_update_func=qsv_utils.min_max_update,
            )
        self._arguments = model.arguments()
        self._recipe = recipe_manager.RecipeManager()

    def take(self, inputs: Sequence[AnyArray]) -> None:
        """``inputs`` in the model's order. Raises ModelError."""
        named = dict(zip(self._arguments, inputs, strict=True))
        try:
            self._calibrator.calibrate({self._model.signature: [named]}, self._recipe)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"it cannot be calibrated: {one_line(error)}") from error

    @property
    def ranges(self) -> dict[str, Any]:
        return dict(self._calibrator.get_model_qsvs())


def as_range(least: float, greatest: float) -> dict[str, Any]:
    """A range as litert-quantizer has it."""
    return {"min": np.array([least], np.float32), "max": np.array([greatest], np.float32)}


def quantize(
    model: FloatModel,
    mode: Mode,
    ranges: Ranges | None = None,
    *,
    float_ends: bool = False,
    left_float: Iterable[Layer] = (),
    only: Layer | None = None,
    fed_back: Collection[str] = (),
) -> bytes:
    """The quantised model. ``float_ends``: its inputs and outputs stay float32; ``ranges`` are for
    INT8; ``only``: all other layers stay float; ``fed_back``: the outputs that inputs have to be
    like. Raises ModelError.
    """
    where = ".*" if only is None else _scopes([only])
    maker = quantizer.Quantizer(model.data, _recipe(mode, where, float_ends, left_float))
    given = dict(ranges) if ranges is not None and maker.need_calibration else None
    try:
        with quiet():
            result = maker.quantize(given, enable_progress_report=False)
    except Exception as error:  # it has no errors of its own
        raise ModelError(f"litert-quantizer cannot quantise it: {one_line(error)}") from error
    made = read_tables(bytes(result.quantized_model))
    _leave_outputs_float(made, fed_back)
    _keep_names_of_outputs(made, read_tables(model.data))
    return write_tables(made)


def _recipe(
    mode: Mode, where: str, float_ends: bool, left_float: Iterable[Layer]
) -> list[dict[str, Any]]:
    """What is to be done where; the later rule stands above the earlier one."""
    rules = recipe_manager.RecipeManager()
    match mode:
        case Mode.INT8:
            rules.add_static_config(where, _ALL, activation_num_bits=8, weight_num_bits=8)
        case Mode.DYNAMIC:
            rules.add_dynamic_config(where, _ALL, num_bits=8)
        case Mode.FLOAT16:
            casting = algorithm_manager.AlgorithmName.FLOAT_CASTING
            rules.add_weight_only_config(where, _ALL, num_bits=16, algorithm_key=casting)
    if float_ends:
        for end in _ENDS:
            rules.add_quantization_config(".*", end, algorithm_key=_UNTOUCHED)
    if layers := list(left_float):
        rules.add_quantization_config(_scopes(layers), _ALL, algorithm_key=_UNTOUCHED)
    return list(rules.get_quantization_recipe())


def _scopes(layers: Iterable[Layer]) -> str:
    """A pattern that finds these layers and no other."""
    return f"^(?:{'|'.join(re.escape(layer.scope) for layer in layers)})$"


def _leave_outputs_float(made: Any, fed_back: Collection[str]) -> None:
    """Give an output as it is computed where that is float32: a detector's boxes, out of its own
    post-processing, would get steps of a hundredth of the picture for nothing.
    """
    graph = made.subgraphs[0]
    used = {int(place) for operator in graph.operators for place in operator.inputs}
    computed: dict[int, int] = {}
    for operator in graph.operators:
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        if (
            _kind(made, operator) == "QUANTIZE"
            and graph.tensors[source].type == qtyping.TensorType.FLOAT32
            and source not in graph.inputs
            and target in graph.outputs
            and target not in used
            and graph.tensors[target].name.decode() not in fed_back
        ):
            computed[target] = source
    graph.operators = [o for o in graph.operators if int(o.outputs[0]) not in computed]
    graph.outputs = [computed.get(int(place), int(place)) for place in graph.outputs]
    for signature in made.signatureDefs:
        if signature.subgraphIndex == 0:
            for entry in signature.outputs:
                entry.tensorIndex = computed.get(int(entry.tensorIndex), int(entry.tensorIndex))


def _keep_names_of_outputs(made: Any, original: Any) -> None:
    """An output that is dequantised at the end would have another name, and may be known by it."""
    graph, before = made.subgraphs[0], original.subgraphs[0]
    by_name = {tensor.name: tensor for tensor in graph.tensors}
    for number, old in zip(graph.outputs, before.outputs, strict=True):
        tensor, name = graph.tensors[number], before.tensors[old].name
        if tensor.name != name:
            if name in by_name:
                by_name[name].name = tensor.name
            tensor.name = name


def _refuse_quantized(model: Any) -> None:
    """Raises ModelError."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    if any(map(_is_quantized, tensors)):
        raise ModelError("it is quantised already. Quantise the float model that it was made from")
    if any(tensor.type == qtyping.TensorType.FLOAT16 for tensor in tensors):
        raise ModelError(
            "its weights are float16 already. Quantise the float32 model that it was made from"
        )


def _is_quantized(tensor: Any) -> bool:
    scale = tensor.quantization.scale if tensor.quantization is not None else None
    return scale is not None and len(scale) > 0


class Made(msgspec.Struct, frozen=True):
    """What became of a model's operators, without those that only convert: how many there are, how
    many work with quantised numbers or hold such weights, and of which kinds the others are that
    compute with float32.
    """

    operators: int
    quantized: int
    left_float: tuple[str, ...]


def look_at(data: bytes) -> Made:
    """At a quantised model."""
    model = read_tables(data)
    graph = model.subgraphs[0]
    halves = {
        int(o.outputs[0])
        for o in graph.operators
        if _kind(model, o) == "DEQUANTIZE"
        and graph.tensors[o.inputs[0]].type == qtyping.TensorType.FLOAT16
    }
    count = quantized = 0
    left = []
    for operator in graph.operators:
        kind = _kind(model, operator)
        if kind in _CONVERTERS:
            continue
        count += 1
        places = [int(n) for n in (*operator.inputs, *operator.outputs) if n >= 0]
        tensors = [graph.tensors[place] for place in places]
        if halves.intersection(places) or any(map(_is_quantized, tensors)):
            quantized += 1
        elif any(tensor.type == qtyping.TensorType.FLOAT32 for tensor in tensors):
            left.append(kind)
    return Made(count, quantized, tuple(left))


def _kind(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = OPERATORS[number] if number < len(OPERATORS) else f"BUILTIN_{number}"
    return code.customCode.decode() if name == "CUSTOM" and code.customCode else name
