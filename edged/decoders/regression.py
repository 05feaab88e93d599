"""Regression: one output with a number for each thing that is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..errors import ModelError
from ..records import AnyArray, Numbers
from . import as_float32, check_finite, numbers, unlike
from .outputs import Output, is_probability, shown
from .task import Candidate, Sure, Task, Told

MOST_NUMBERS = 100
"""As many as a result has room for."""


class RegressionDecoder:
    """Output ``position`` holds ``count`` numbers, of any shape; in the model's own units."""

    def __init__(self, position: int, count: int) -> None:
        self._position = position
        self._count = count

    def decode(self, outputs: Sequence[AnyArray]) -> Numbers:
        try:
            values = as_float32(numbers(outputs, self._position)).reshape(self._count)
        except (IndexError, ValueError) as error:
            raise unlike(error) from error
        check_finite("numbers", values)
        return Numbers(values.copy())


# ---- the reading ---------------------------------------------------------------------------------


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """One number, if it does not look like the probability of something."""
    if len(outputs) == 1 and math.prod(outputs[0].shape) == 1 and not is_probability(outputs[0]):
        yield Candidate("regression", "one output of 1 number", Sure.SHAPES)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    if len(outputs) != 1:
        raise ModelError(f"regression needs one output, it has {shown(outputs)}")
    (output,) = outputs
    count = math.prod(output.shape)
    if count > MOST_NUMBERS:
        raise ModelError(
            f"a result of regression has at most {MOST_NUMBERS} numbers, it has {shown(outputs)}"
        )
    return Task(
        name="regression",
        why=f"one output of {count} number{'s' if count != 1 else ''}",
        decoder=RegressionDecoder(output.position, count),
        classes=None,
        labels_output=output.position,
        threshold=None,
        numbers=count,
    )
