"""Regression: one output with a number for each thing that is told."""

from __future__ import annotations

from collections.abc import Sequence

from ..records import AnyArray, Numbers
from . import as_float32, check_finite, numbers, unlike

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
