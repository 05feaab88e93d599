"""Anomaly detection: an autoencoder's output against its input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.decoded import Reconstruction
from . import as_float32, numbers, unlike
from .outputs import Output, shown
from .task import Candidate, Sure, Task, Told


class ReconstructionDecoder:
    """Output ``position`` is what the model makes of its input, which comes after all outputs.

    The error is ``mean((output - input) ** 2)`` over all samples and channels, both dequantised: in
    the units of the model's input, so that 1 is what reproducing nothing at all would come to
    where each channel has mean 0 and deviation 1.
    """

    def __init__(self, position: int) -> None:
        self._position = position

    def decode(self, outputs: Sequence[AnyArray]) -> Reconstruction:
        try:
            made = as_float32(numbers(outputs, self._position))
            given = as_float32(numbers(outputs, len(outputs) - 1))
            if made.shape != given.shape or not made.size:
                raise ValueError(f"{made.shape} was to be {given.shape}")
        except (IndexError, ValueError) as error:
            raise unlike(error) from error
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(np.square(made - given).mean())
        if not np.isfinite(mean):
            raise ModelError("its error is not a finite number")
        return Reconstruction(mean)


# ---- the reading ---------------------------------------------------------------------------------


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """An autoencoder gives what it was given."""
    shape = told.input_shape
    if len(outputs) == 1 and outputs[0].shape == shape and math.prod(shape) > 1:
        yield Candidate("anomaly", "its output has the shape of its input", Sure.SHAPES)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    if len(outputs) != 1 or outputs[0].shape != told.input_shape:
        shape = "x".join(map(str, told.input_shape))
        raise ModelError(
            f"anomaly needs one output of the shape of the input ({shape}), as an autoencoder has "
            f"it; it has {shown(outputs)}"
        )
    return Task(
        name="anomaly",
        why="an autoencoder: its output has the shape of its input",
        decoder=ReconstructionDecoder(outputs[0].position),
        classes=None,
        labels_output=outputs[0].position,
        threshold=told.learning.threshold,
        anomaly=told.learning,
    )
