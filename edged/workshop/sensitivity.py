"""Which layers a model loses most by: those that are to stay float, where it loses too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..engine.interpreter import Engine
from ..records.arrays import AnyArray
from .calibration import Progress
from .quantizer import FloatModel, Layer, Mode, Ranges, look_at, quantize
from .quiet import quiet
from .scratch import scratch

_MOST_PRUNED = 16

Inputs = Sequence[Sequence[AnyArray]]
"""Of some examples: a float model's inputs, in its order."""


def most_sensitive(
    model: FloatModel, ranges: Ranges, inputs: Inputs, progress: Progress
) -> list[Layer]:
    """The layers that can be quantised, the one first whose quantisation alone changes the outputs
    most.
    """
    expected = _outputs(model.data, inputs)
    layers = model.layers
    errors: list[tuple[float, Layer]] = []
    for done, layer in enumerate(layers):
        progress("trying each layer alone", done, len(layers))
        candidate = quantize(model, Mode.INT8, ranges, only=layer)
        if look_at(candidate).quantized:
            errors.append((_error(expected, _outputs(candidate, inputs)), layer))
    progress("trying each layer alone", len(layers), len(layers))
    return [layer for _, layer in sorted(errors, key=lambda each: (-each[0], each[1].number))]


def least_to_skip(
    layers: Sequence[Layer], agreement: Callable[[Sequence[Layer]], float], bound: float
) -> list[Layer]:
    """The first of ``layers`` that have to stay float so that ``agreement`` is ``bound`` at least:
    found by bisection, and without those of them that need not.
    """
    if agreement([]) >= bound:
        return []
    too_few, enough = 0, len(layers)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if agreement(layers[:middle]) >= bound:
            enough = middle
        else:
            too_few = middle
    found = list(layers[:enough])
    # The last one is needed: without it the bisection had too few.
    for layer in found[-2::-1] if len(found) <= _MOST_PRUNED else ():
        without = [each for each in found if each is not layer]
        if agreement(without) >= bound:
            found = without
    return found


def _outputs(data: bytes, inputs: Inputs) -> list[list[AnyArray]]:
    with scratch("candidate", data, {}) as path:
        with quiet():
            engine = Engine(path, threads=1)
        found = []
        for given in inputs:
            for place, array in enumerate(given):
                np.copyto(engine.input_view(place), array)
            engine.invoke()
            found.append([engine.output(place) for place in range(len(engine.outputs))])
    return found


def _error(expected: list[list[AnyArray]], found: list[list[AnyArray]]) -> float:
    """The squares of the differences as a share of the squares of what was expected, by output."""
    total = 0.0
    for each in range(len(expected[0])):
        one = np.concatenate([outputs[each].ravel() for outputs in expected]).astype(np.float64)
        other = np.concatenate([outputs[each].ravel() for outputs in found]).astype(np.float64)
        if one.shape == other.shape:
            total += float(np.sum((one - other) ** 2) / (np.sum(one**2) or 1.0))
        else:
            total += 1.0
    return total
