"""Layers of the small test models: the picture's mean colour, and what is made of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import ModelBuilder, Quantized, Tensor

UINT8_SHARE = Quantized(1 / 255, 0)
INT8_SHARE = Quantized(1 / 255, -128)
UINT8_SCORE = Quantized(1 / 256, 0)
INT8_SCORE = Quantized(1 / 256, -128)


def mean_colour(model: ModelBuilder, picture: Tensor) -> Tensor:
    """The mean of each channel, the last dimension, stored as the picture (or window) is."""
    axes = model.constant("axes", np.arange(1, len(picture.shape) - 1, dtype=np.int32))
    channels = picture.shape[-1]
    colour = model.tensor("colour", (1, channels), picture.dtype, picture.quantized)
    options = schema.ReducerOptionsT()
    return model.operator("MEAN", [picture, axes], [colour], options)


def connected(
    model: ModelBuilder,
    values: Tensor,
    weights: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32],
    out: Tensor,
) -> Tensor:
    """``weights @ values + bias``, with weights of the type that the values have."""
    if values.quantized is None:
        parts = [model.constant("weights", weights), model.constant("bias", bias)]
    else:
        zero_point = 128 if values.dtype == "uint8" else 0
        step = Quantized((float(np.abs(weights).max()) or 1.0) / 127, zero_point)
        sums = Quantized(values.quantized.scale * step.scale, 0)
        parts = [
            model.constant("weights", step.store(weights, values.dtype), step),
            model.constant("bias", sums.store(bias, "int32"), sums),
        ]
    options = schema.FullyConnectedOptionsT()
    return model.operator("FULLY_CONNECTED", [values, *parts], [out], options)


def logits_of(
    model: ModelBuilder,
    colour: Tensor,
    weights: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32] | None = None,
    name: str = "logits",
) -> Tensor:
    """One logit a row of ``weights``, from -4 to 4 where it is quantised."""
    zero_point = 128 if colour.dtype == "uint8" else 0
    steps = None if colour.quantized is None else Quantized(8 / 255, zero_point)
    out = model.tensor(name, (1, len(weights)), colour.dtype, steps)
    bias = np.zeros(len(weights), np.float32) if bias is None else bias
    return connected(model, colour, weights, bias, out)


def softmax(model: ModelBuilder, logits: Tensor, name: str = "scores") -> Tensor:
    steps = {"uint8": UINT8_SCORE, "int8": INT8_SCORE}.get(logits.dtype)
    scores = model.tensor(name, logits.shape, logits.dtype, steps)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    return model.operator("SOFTMAX", [logits], [scores], options)


def reshape(model: ModelBuilder, values: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
    options = schema.ReshapeOptionsT()
    options.newShape = np.array(shape, np.int32)
    out = model.tensor(name, shape, values.dtype, values.quantized)
    sizes = model.constant(f"{name} shape", np.array(shape, np.int32))
    return model.operator("RESHAPE", [values, sizes], [out], options)
