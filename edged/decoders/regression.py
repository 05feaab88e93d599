"""Regression: one output with a number for each thing that is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.decoded import Numbers
from . import as_float32, check_finite, numbers, unlike
from .outputs import Output, is_probability, shown
from .task import Candidate, Sure, Task, Told

MOST_NUMBERS = 100
"""As many as a result has room for."""


class RegressionDecoder:
    """``counts``: how many numbers, of any shape and in the model's own units, the output at each
    position holds.
    """

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._counts = counts

    def decode(self, outputs: Sequence[AnyArray]) -> Numbers:
        try:
            values = np.concatenate(
                [
                    as_float32(numbers(outputs, position)).reshape(count)
                    for position, count in self._counts.items()
                ]
            )
        except (IndexError, ValueError) as error:
            raise unlike(error) from error
        check_finite("numbers", values)
        return Numbers(values)


# ---- the reading ---------------------------------------------------------------------------------


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """Outputs of one number each, if none looks like the probability of something."""
    if all(math.prod(output.shape) == 1 and not is_probability(output) for output in outputs):
        yield Candidate("regression", _said(outputs, len(outputs)), Sure.SHAPES)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for too many numbers."""
    counts = {output.position: math.prod(output.shape) for output in outputs}
    count = sum(counts.values())
    if count > MOST_NUMBERS:
        raise ModelError(
            f"a result of regression has at most {MOST_NUMBERS} numbers, it has {shown(outputs)}"
        )
    return Task(
        name="regression",
        why=_said(outputs, count),
        decoder=RegressionDecoder(counts),
        classes=None,
        labels_output=outputs[0].position,
        threshold=None,
        numbers=count,
        names=_names(outputs) if len(outputs) > 1 else (),
    )


def _said(outputs: Sequence[Output], count: int) -> str:
    several = f"{len(outputs)} outputs" if len(outputs) > 1 else "one output"
    return f"{several} of {count} number{'s' if count != 1 else ''}"


def _names(outputs: Sequence[Output]) -> tuple[str, ...]:
    """The metadata's name of each output, else the signature's, else the tensor's."""
    return tuple(
        output.names[-1] if count == 1 else f"{output.names[-1]} {number}"
        for output in outputs
        for count in [math.prod(output.shape)]
        for number in range(count)
    )
