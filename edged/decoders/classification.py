"""Classification: one output with a number for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray, FloatArray
from ..records.decoded import ScoredClasses
from . import as_float32, check_finite, numbers, unlike
from .outputs import Output, covers_0_to_1, shown
from .task import Activation, Candidate, Sure, Task, Told


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


# ---- the reading ---------------------------------------------------------------------------------


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """One output with several numbers, all of them in one dimension."""
    if len(outputs) == 1 and (classes := _class_count(outputs[0])) is not None:
        ended = outputs[0].operator in ("SOFTMAX", "LOGISTIC")
        sure = Sure.OPERATOR if ended else Sure.SHAPES
        yield Candidate("classification", f"one output of {classes} classes", sure)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    if len(outputs) != 1 or (classes := _class_count(outputs[0])) is None:
        raise ModelError(
            f"classification needs one output with a number a class, it has {shown(outputs)}"
        )
    output = outputs[0]
    activation, why = told.activation, "as told"
    if activation is None:
        activation, why = activation_of(output)
    return Task(
        name="classification",
        why=f"one output of {classes} classes; {why}",
        decoder=ClassificationDecoder(output.position, activation),
        classes=classes,
        labels_output=output.position,
    )


def _class_count(output: Output) -> int | None:
    """How many classes an output of shape 1 x ... x n x ... x 1 has; None for other shapes."""
    long = [length for length in output.shape if length != 1]
    return long[0] if len(long) == 1 and long[0] > 1 else None


def activation_of(output: Output) -> tuple[Activation, str]:
    """What is still to be done to the numbers of several classes, and why."""
    if output.operator == "SOFTMAX":
        return Activation.NONE, "probabilities (the model ends in a softmax)"
    if output.operator == "LOGISTIC":
        return Activation.NONE, "scores (the model ends in a sigmoid)"
    if covers_0_to_1(output):
        return Activation.NONE, "scores (its quantisation covers 0 to 1)"
    return Activation.SOFTMAX, "logits, so a softmax is applied"
