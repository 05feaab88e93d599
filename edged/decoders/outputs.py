"""A model's outputs, and what their numbers say of themselves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from ..errors import ModelError
from ..records.models import Quantization


class Output(msgspec.Struct, frozen=True):
    """One output, with all that is known of it.

    ``names`` are the tensor's own, the signature's and the metadata's. ``operator`` gives it,
    as that operator's output number ``operator_output``; None where unknown.
    """

    position: int
    names: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None
    operator: str | None
    operator_output: int

    def __str__(self) -> str:
        return f'"{self.names[0]}" {"x".join(map(str, self.shape)) or "scalar"} {self.dtype}'


def shown(outputs: Sequence[Output]) -> str:
    """All of them, for messages."""
    return ", ".join(map(str, outputs)) or "none"


def named(outputs: Sequence[Output], role: str, wanted: int | str) -> Output:
    """The output whose number or name a sidecar gives for ``role``. Raises ModelError."""
    found = [one for one in outputs if wanted == one.position or wanted in one.names]
    if len(found) != 1:
        raise ModelError(
            f"its sidecar names the output {wanted!r} for {role}, it has {shown(outputs)}"
        )
    return found[0]


def covers_0_to_1(output: Output) -> bool:
    """Whether its quantisation holds just that."""
    if output.quantization is None:
        return False
    limits = np.iinfo(np.dtype(output.dtype))
    scale, zero = output.quantization.scale, output.quantization.zero_point
    low, high = (limits.min - zero) * scale, (limits.max - zero) * scale
    # 255 steps of 1/255, stored in 32 bits, are a little more than 1.
    return low == 0 and 0.9 < high <= 1.0001


def is_probability(output: Output) -> bool:
    """Whether one number may well say how likely something is, rather than how much it is."""
    return output.operator == "LOGISTIC" or covers_0_to_1(output)
