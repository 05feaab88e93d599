"""A small model that hears a stream, for the tests."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import ModelBuilder, Quantized, Tensor
from tflite_layers import UINT8_SCORE, connected, reshape

# As micro wake word models have it.
FEATURES = Quantized(26 / 255, -128)
START = 2.0


def keyword() -> bytes:
    """What is remembered is half of what was and half the mean of the features: START at first.
    The probability is sigmoid(remembered - 8), which only loud sound brings over a half.
    """
    model = ModelBuilder("hears whatever is loud")
    first = model.graph("first")
    handle = _handle(first)
    start = first.constant("start", np.full((1, 1), START, np.float32))
    first.effect("ASSIGN_VARIABLE", [handle, start], options=schema.AssignVariableOptionsT())
    once = schema.CallOnceOptionsT()
    once.initSubgraphIndex = model.branch(first, [], [])
    model.effect("CALL_ONCE", options=once)

    features = model.tensor("features", (1, 3, 40), "int8", FEATURES)
    real = model.operator("DEQUANTIZE", [features], [model.tensor("real", (1, 3, 40))])
    axes = model.constant("axes", np.array([1, 2], np.int32))
    mean = model.operator(
        "MEAN", [real, axes], [model.tensor("mean", (1,))], schema.ReducerOptionsT()
    )
    handle = _handle(model)
    before = model.tensor("remembered", (1, 1))
    model.operator("READ_VARIABLE", [handle], [before], schema.ReadVariableOptionsT())
    both = model.tensor("both", (1, 2))
    joined = schema.ConcatenationOptionsT()
    joined.axis = 1
    model.operator("CONCATENATION", [before, reshape(model, mean, "now", (1, 1))], [both], joined)
    halves, none = np.full((1, 2), 0.5, np.float32), np.zeros(1, np.float32)
    after = connected(model, both, halves, none, model.tensor("new", (1, 1)))
    model.effect("ASSIGN_VARIABLE", [handle, after], options=schema.AssignVariableOptionsT())
    one, bias = np.ones((1, 1), np.float32), np.array([-8], np.float32)
    logit = connected(model, after, one, bias, model.tensor("logit", (1, 1)))
    share = model.operator("LOGISTIC", [logit], [model.tensor("share", (1, 1))])
    score = model.tensor("probability", (1, 1), "uint8", UINT8_SCORE)
    model.operator("QUANTIZE", [share], [score], schema.QuantizeOptionsT())
    return model.build([features], [score])


def _handle(model: ModelBuilder) -> Tensor:
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", "remembered"
    return model.operator("VAR_HANDLE", [], [model.tensor("handle", (), "resource")], options)
