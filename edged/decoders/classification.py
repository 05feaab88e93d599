"""Classification: one output with a number for each class."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from ..records import AnyArray, FloatArray, ScoredClasses
from . import check_finite


class Activation(enum.Enum):
    """What makes scores of 0..1 out of the output's numbers."""

    NONE = "none"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


class ClassificationDecoder:
    """Output ``position`` holds one number a class; any shape with all but one dimension 1."""

    def __init__(self, position: int, activation: Activation) -> None:
        self._position = position
        self._activation = activation

    def decode(self, outputs: Sequence[AnyArray]) -> ScoredClasses:
        values = outputs[self._position].reshape(-1).astype(np.float32, copy=False)
        check_finite("scores", values)
        if self._activation is Activation.SOFTMAX:
            values = softmax(values)
        elif self._activation is Activation.SIGMOID:
            values = sigmoid(values)
        return ScoredClasses(values.clip(0.0, 1.0))


def softmax(logits: FloatArray) -> FloatArray:
    """``exp(x) / sum(exp(x))`` over (classes,), shifted so that it can't overflow."""
    powers = np.exp(logits - logits.max())
    result: FloatArray = powers / powers.sum()
    return result


def sigmoid(logits: FloatArray) -> FloatArray:
    """``1 / (1 + exp(-x))`` over (classes,), in the form that can't overflow."""
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return result
