"""A comparison as rows of a table, and as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict

from ..subject import Subject
from .run import Compared
from .words import kind_of, meanings

SCHEMA = "edged.compare/1"
_LAYERS_SHOWN = 10
_FALLEN_SHOWN = 5

Row = tuple[str, ...]


def rows(compared: Compared) -> Iterator[Row]:
    """What, of the first model, of the second, and how they differ; "" where there is nothing."""
    subjects = (compared.one, compared.other)
    one, other = (subject.files.facts.size_bytes for subject in subjects)
    yield "size", f"{one:,} B", f"{other:,} B", f"{other / one:.3f} x"
    kinds = [kind_of(graph) for graph in compared.graphs]
    yield "arithmetic", kinds[0], kinds[1], ""
    for what, get in (("parameters", "parameters"), ("activations, least", "activation_bytes")):
        a, b = (getattr(graph, get) for graph in compared.graphs)
        yield what, f"{a:,}", f"{b:,}", f"{b / a:.3f} x" if a else ""
    if compared.accuracy is not None:
        first, second = compared.accuracy
        yield _shares("accuracy, top 1", first.top_1, second.top_1)
        yield _shares("accuracy, top 5", first.top_5, second.top_5)
    if compared.precision is not None:
        before, after = compared.precision
        yield _shares("mAP, IoU 0.50 to 0.95", before.mean, after.mean)
        yield _shares("mAP, IoU 0.50", before.at_half, after.at_half)
    yield from _agreement(compared)
    for pair in compared.pairs:
        a_ms, b_ms = pair.one.spread, pair.other.spread
        how = f"{pair.runtime}, {pair.threads} thr."
        yield f"ms, {how}", f"{a_ms.median:.3f}", f"{b_ms.median:.3f}", f"{pair.ratio:.3f} x"
        yield "   99 %", f"{a_ms.p99:.3f}", f"{b_ms.p99:.3f}", f"{b_ms.p99 / a_ms.p99:.3f} x"
        a_mb, b_mb = pair.one.memory.resident_mb, pair.other.memory.resident_mb
        yield "   process, MB", f"{a_mb:.1f}", f"{b_mb:.1f}", f"{b_mb - a_mb:+.1f}"
    taken = [f"{e.operators - len(e.fallen)} of {e.operators}" for e in compared.left]
    yield "operators of XNNPACK", taken[0], taken[1], ""
    costs = [left.cost_ms for left in compared.left]
    yield "   the others, ms", f"{costs[0]:.3f}", f"{costs[1]:.3f}", ""


def _agreement(compared: Compared) -> Iterator[Row]:
    yield "agreement", "", "", f"{compared.share:.1%}"
    if compared.top_1 is not None and compared.top_5 is not None:
        yield "   the same best", "", "", f"{compared.top_1:.1%}"
        yield "   among the five best", "", "", f"{compared.top_5:.1%}"
    for each in compared.outputs:
        yield f"output {each.name}", "", "", decibel(each.sqnr_db)
        yield "   cosine", "", "", f"{each.cosine:.5f}"
        yield "   at most off", "", "", f"{each.largest:.4g}"


def _shares(what: str, one: float, other: float) -> Row:
    return what, f"{one:.1%}", f"{other:.1%}", f"{100 * (other - one):+.1f} points"


def fallen_rows(compared: Compared) -> Iterator[Row]:
    """The model, the operator, its name and its cost: the dearest of each model."""
    for subject, left in zip((compared.one, compared.other), compared.left, strict=True):
        for each in left.fallen[:_FALLEN_SHOWN]:
            cost = "" if each.cost_ms is None else f"{each.cost_ms:.4f}"
            yield subject.path.name, f"{each.number} {each.kind}", each.name, cost


def loss_rows(compared: Compared) -> Iterator[Row]:
    """The operator, its name, its own SQNR, and that of what it gives as the model runs."""
    for each in (compared.losses or ())[:_LAYERS_SHOWN]:
        own = "" if each.own_db is None else decibel(each.own_db)
        yield f"{each.number} {each.kind}", each.name, own, decibel(each.sqnr_db)


def decibel(value: float) -> str:
    return "exact" if math.isinf(value) and value > 0 else f"{value:.1f} dB"


def as_json(compared: Compared) -> dict[str, Any]:
    """All of it, as plain values; null where a number is infinite."""
    told = {
        "schema": SCHEMA,
        "models": [_model(compared, place) for place in (0, 1)],
        "data": compared.data,
        "examples": compared.examples,
        "agreement": {
            "share": compared.share,
            "top_1": compared.top_1,
            "top_5": compared.top_5,
        },
        "outputs": [asdict(each) for each in compared.outputs],
        "unlabelled": compared.unlabelled,
        "latency": [
            {
                "runtime": pair.runtime,
                "threads": pair.threads,
                "ratio": pair.ratio,
                "models": [
                    {
                        "median_ms": run.spread.median,
                        "p99_ms": run.spread.p99,
                        "inferences": len(run.times_ms),
                        "memory_mb": asdict(run.memory),
                    }
                    for run in (pair.one, pair.other)
                ],
            }
            for pair in compared.pairs
        ],
        "layers": None if compared.losses is None else [asdict(each) for each in compared.losses],
        "meaning": list(meanings(compared)),
        "passed_over": list(compared.passed_over),
    }
    plain: dict[str, Any] = _finite(told)
    return plain


def _model(compared: Compared, place: int) -> dict[str, Any]:
    subject: Subject = (compared.one, compared.other)[place]
    graph, left = compared.graphs[place], compared.left[place]
    return {
        "file": str(subject.path),
        "version": subject.files.version,
        "size_bytes": subject.files.facts.size_bytes,
        "arithmetic": kind_of(graph),
        "parameters": graph.parameters,
        "multiply_accumulates": graph.macs,
        "activation_bytes": graph.activation_bytes,
        "accuracy": compared.accuracy and asdict(compared.accuracy[place]),
        "precision": compared.precision and asdict(compared.precision[place]),
        "delegated": {
            "runtime": left.runtime,
            "operators": left.operators - len(left.fallen),
            "of": left.operators,
            "partitions": left.partitions,
            "left": [
                {"number": e.number, "operator": e.kind, "output": e.name, "cost_ms": e.cost_ms}
                for e in left.fallen
            ],
        },
    }


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case list() | tuple():
            return [_finite(each) for each in value]
    return value
