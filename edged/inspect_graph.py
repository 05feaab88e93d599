"""A picture of the size of a model's graph: for ``edged model inspect``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .engine.delegated import Delegated
from .engine.layers import Graph, Layer

_LAYERS_SHOWN = 10
_LONGEST_NAME = 40


def graph_lines(graph: Graph, delegated: Delegated | None) -> list[str]:
    """Totals, what is delegated (None: it cannot be run), and the layers that have most to do."""
    lines = [
        f"graph      {_plural(len(graph.layers), 'operator')}, "
        f"{short(graph.parameters)} parameters in {_memory(graph.weights_bytes)}, "
        f"{short(graph.macs)} multiply-accumulates"
    ]
    if graph.uncounted:
        lines.append(f"           not counted: what {', '.join(graph.uncounted)} multiplies")
    lines.append(f"memory     at least {_memory(graph.activation_bytes)} for activations at once")
    if delegated is not None:
        lines.append(f"delegated  {_delegated(graph, delegated)}")
    busy = sorted((layer for layer in graph.layers if layer.macs), key=_most_work)
    if not busy:
        return lines
    lines.append(f"layers     {'MACs':>8} {'share':>6} {'params':>8}  output, name")
    for layer in busy[:_LAYERS_SHOWN]:
        assert layer.macs is not None
        name = (
            layer.name
            if len(layer.name) <= _LONGEST_NAME
            else f"…{layer.name[1 - _LONGEST_NAME :]}"
        )
        shape = "x".join(map(str, layer.output_shape))
        lines.append(
            f"  {layer.number:>4}     {short(layer.macs):>8} {layer.macs / graph.macs:>6.1%} "
            f"{short(layer.parameters):>8}  {layer.kind} {shape} {name}".rstrip()
        )
    rest = busy[_LAYERS_SHOWN:]
    if rest:
        macs = sum(layer.macs or 0 for layer in rest)
        lines.append(f"           {short(macs):>8} {macs / graph.macs:>6.1%} in {len(rest)} more")
    return lines


def graph_json(graph: Graph, delegated: Delegated | None) -> dict[str, Any]:
    """All of it, as plain values."""
    taken = set(delegated.taken) if delegated else set()
    return {
        "parameters": graph.parameters,
        "weights_bytes": graph.weights_bytes,
        "multiply_accumulates": graph.macs,
        "not_counted": graph.uncounted,
        "activation_bytes": graph.activation_bytes,
        "delegated": None
        if delegated is None
        else {
            "runtime": delegated.runtime,
            "operators": len(delegated.taken),
            "partitions": delegated.partitions,
        },
        "layers": [
            {
                "number": layer.number,
                "operator": layer.kind,
                "output": layer.name,
                "shape": list(layer.output_shape),
                "parameters": layer.parameters,
                "weights_bytes": layer.weights_bytes,
                "multiply_accumulates": layer.macs,
                "delegated": None if delegated is None else layer.number in taken,
            }
            for layer in graph.layers
        ],
    }


def short(number: int) -> str:
    """Three digits that count: 300781856 is "301 M"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def counted(kinds: Iterable[str]) -> str:
    """ "SOFTMAX, 2 RESHAPE", the most frequent first."""
    return ", ".join(
        kind if count == 1 else f"{count} {kind}" for kind, count in Counter(kinds).most_common()
    )


def _delegated(graph: Graph, delegated: Delegated) -> str:
    if not delegated.taken:
        return f"nothing: {delegated.runtime} runs it by its own kernels"
    left = [layer.kind for layer in graph.layers if layer.number not in delegated.taken]
    told = f"XNNPACK of {delegated.runtime} takes {len(delegated.taken)} of {len(graph.layers)}"
    if delegated.partitions > 1:
        told += f", in {delegated.partitions} parts"
    return f"{told}; left: {counted(left)}" if left else told


def _most_work(layer: Layer) -> tuple[int, int]:
    return -(layer.macs or 0), layer.number


def _plural(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _memory(size: int) -> str:
    return f"{size / 1e6:.3g} MB" if size >= 1e6 else f"{size / 1e3:.3g} kB"
