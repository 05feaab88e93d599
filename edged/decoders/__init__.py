"""From a model's outputs to scored classes or boxes: one file an output convention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray, FloatArray
from ..records.decoded import Decoded


class Decoder(Protocol):
    """What a decoder must do. It is built for one model, whose outputs were checked then."""

    def decode(self, outputs: Sequence[AnyArray]) -> Decoded:
        """All outputs in the model's order, dequantised -> what they say. Where its task is
        ``stored`` they are as stored, and the interpreter's own memory. For an anomaly detector the
        input comes after them, dequantised too.

        Called from the inference thread for every frame; keeps nothing of ``outputs``. Raises
        ModelError, and nothing else, where the numbers are not finite or the outputs not what
        they were; whatever it gives can be filtered and published.
        """


def numbers(outputs: Sequence[AnyArray], position: int) -> AnyArray:
    """One of the outputs, of any shape. Raises ModelError where it does not hold numbers."""
    output = outputs[position]
    if output.dtype.kind not in "biuf":
        raise ModelError(f"its output {position} holds {output.dtype}, not numbers")
    return output


def as_float32(values: AnyArray) -> FloatArray:
    """Without a copy where they are; what is too large becomes infinite."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def check_finite(what: str, values: AnyArray) -> None:
    """Raise ModelError where ``values`` hold NaN or infinity."""
    if not np.isfinite(values).all():
        raise ModelError(f"its {what} are not finite numbers")


NO_CLASS = 2**31
"""No model has so many classes."""


def not_classes() -> ModelError:
    """What to raise where a number of a class is beyond ``NO_CLASS``."""
    return ModelError("its classes are not numbers of classes")


def unlike(error: Exception) -> ModelError:
    """What to raise where outputs have other shapes than those that were checked."""
    return ModelError(f"its outputs are not what they were when it was loaded: {error}")
