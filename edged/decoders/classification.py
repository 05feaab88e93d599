"""Classification: one output with a number for each class."""

from __future__ import annotations

import enum
from collections.abc import Sequence

import numpy as np

from ..records import AnyArray, FloatArray, ScoredClasses
from . import as_float32, check_finite, numbers, unlike


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
        try:
            values = as_float32(numbers(outputs, self._position).reshape(-1))
            check_finite("scores", values)
            return ScoredClasses(self._activated(values).clip(0.0, 1.0))
        except (IndexError, ValueError) as error:
            raise unlike(error) from error

    def _activated(self, values: FloatArray) -> FloatArray:
        if self._activation is Activation.SOFTMAX:
            return softmax(values)
        if self._activation is Activation.SIGMOID:
            return sigmoid(values)
        return values


def softmax(logits: FloatArray) -> FloatArray:
    """``exp(x) / sum(exp(x))`` over (classes,), shifted so that it can't overflow."""
    with np.errstate(over="ignore"):  # the difference of the largest numbers
        powers = np.exp(logits - logits.max())
    result: FloatArray = powers / powers.sum()
    return result


def sigmoid(logits: FloatArray) -> FloatArray:
    """``1 / (1 + exp(-x))`` over (classes,), in the form that can't overflow."""
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * logits))
    return result
