"""What the numbers of a comparison mean, in sentences."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterator

from ...engine.layers import Graph
from ...runtime_advice import is_quantized, slow_here
from .run import Compared
from .speed import Pair

_FEW = 100
_AS_GOOD = 0.03


def meanings(compared: Compared) -> Iterator[str]:
    """The most telling ones, in the order of the numbers."""
    yield from _of_size(compared)
    yield from _of_accuracy(compared)
    if not compared.outputs and compared.pairs:
        yield (
            "their outputs are lists in the order of scores, and so are not held against each "
            "other number by number"
        )
    for pair in compared.pairs:
        yield from _of_speed(compared, pair)
    yield from _of_fallen(compared)
    yield from _of_losses(compared)


def _of_size(compared: Compared) -> Iterator[str]:
    one, other = (subject.files.facts.size_bytes for subject in (compared.one, compared.other))
    small, large = sorted((one, other))
    if small < large:
        name = (compared.one if one < other else compared.other).path.name
        yield f"{name} is {large / small:.1f} times smaller"


def _of_accuracy(compared: Compared) -> Iterator[str]:
    name = compared.other.path.name
    pairs = []
    if compared.accuracy is not None:
        one, other = compared.accuracy
        pairs.append(("accuracy", one.top_1, other.top_1))
    if compared.precision is not None:
        first, second = compared.precision
        pairs.append(("mAP", first.mean, second.mean))
    for what, before, after in pairs:
        lost = 100 * (before - after)
        if not lost:
            yield f"{name} has the same {what}"
            continue
        how = f"loses {lost:.1f}" if lost > 0 else f"gains {-lost:.1f}"
        few = compared.examples < _FEW
        doubt = f"; of so few examples ({compared.examples}) that says little" if few else ""
        yield f"{name} {how} percentage points of {what}{doubt}"
    if not pairs and compared.unlabelled is not None:
        yield compared.unlabelled


def _of_speed(compared: Compared, pair: Pair) -> Iterator[str]:
    quantized = [is_quantized(graph) for graph in compared.graphs]
    slower, faster = compared.other, compared.one
    ratio = pair.ratio
    if ratio < 1:
        slower, faster, ratio = faster, slower, 1 / ratio
    where = f"with {pair.runtime}, {pair.threads} thread{'s' * (pair.threads != 1)}"
    if ratio < 1 + _AS_GOOD:
        yield f"{where}, one is as fast as the other"
        return
    yield f"{where}, {faster.path.name} is {ratio:.2f} times as fast"
    place = 0 if slower is compared.one else 1
    if quantized[place] and not quantized[1 - place]:
        reason = slow_here(pair.runtime, platform.machine())
        if reason is not None:
            yield reason


def _of_fallen(compared: Compared) -> Iterator[str]:
    for subject, left in zip((compared.one, compared.other), compared.left, strict=True):
        if left.fallen and left.cost_ms:
            most = left.fallen[0]
            cost = f"{left.cost_ms:.3f} ms, {most.cost_ms or 0:.3f} of it {most.kind}"
            share = f"{len(left.fallen)} of {left.operators}"
            yield f"{subject.path.name}: {share} operators fell out of XNNPACK and cost {cost}"


def _of_losses(compared: Compared) -> Iterator[str]:
    told = [loss for loss in compared.losses or () if loss.own_db is not None]
    if told and math.isfinite(told[0].own_db or 0.0):
        worst = told[0]
        yield (
            f"{compared.other.path.name} loses most in operator {worst.number}, {worst.kind} "
            f"({worst.name}): {worst.own_db:.1f} dB by itself; 20 dB is noise of a tenth of the "
            "signal, 40 dB of a hundredth"
        )


def kind_of(graph: Graph) -> str:
    """ "quantised" or "float"."""
    return "quantised" if is_quantized(graph) else "float"
