"""From a model's outputs to scored classes or boxes: one file an output convention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import ModelError
from ..records import AnyArray, Decoded


class Decoder(Protocol):
    """What a decoder must do. It is built for one model, whose outputs were checked then."""

    def decode(self, outputs: Sequence[AnyArray]) -> Decoded:
        """All outputs in the model's order, dequantised -> what they say.

        Called from the inference thread for every frame; keeps nothing of ``outputs``. Raises
        ModelError where the numbers are not finite.
        """


def check_finite(what: str, values: AnyArray) -> None:
    """Raise ModelError where ``values`` hold NaN or infinity."""
    if not np.isfinite(values).all():
        raise ModelError(f"its {what} are not finite numbers")
