"""How long a detector's outputs take to become boxes: the median of many, on one core.

scripts/bench_decoders.py [--json] [--plot FILE.png]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from bench_told import parser, plot_values, tell

from edged.decoders import Decoder
from edged.decoders.suppression import Suppression
from edged.decoders.yolo import Head, V5Decoder, V8Decoder, V10Decoder
from edged.records.models import Quantization

CLASSES, CANDIDATES, END_TO_END = 80, 8400, 300
OBJECTS, EACH = 20, 15
TIMES = 200
STEPS = Quantization(1 / 255, -128)
SHARES = (1.0, 1.0)

Array = npt.NDArray[Any]


def scene(rng: np.random.Generator, candidates: int) -> Array:
    """(4 + classes, candidates): objects that several candidates see, and little elsewhere."""
    head = np.empty((4 + CLASSES, candidates), np.float32)
    head[:4] = rng.uniform(0.4, 0.6, (4, candidates))
    head[4:] = rng.uniform(0, 0.005, (CLASSES, candidates))
    seeing = rng.permutation(candidates)[: OBJECTS * EACH].reshape(OBJECTS, EACH)
    for places in seeing:
        centre, size = rng.uniform(0.1, 0.9, 2), rng.uniform(0.05, 0.25, 2)
        head[:2, places] = centre[:, None] + rng.normal(0, 0.005, (2, EACH))
        head[2:4, places] = size[:, None]
        head[4 + rng.integers(CLASSES), places] = rng.uniform(0.05, 0.95, EACH)
    return head


def noise(rng: np.random.Generator, candidates: int) -> Array:
    """All is over every threshold, which no picture brings about."""
    return rng.random((4 + CLASSES, candidates), np.float32)


def rows(head: Array) -> Array:
    """The same as YOLO v5 has it."""
    sure = head[4:].max(axis=0, keepdims=True)
    return np.ascontiguousarray(np.concatenate([head[:4], sure, head[4:] / sure]).T)


def end_to_end(head: Array) -> Array:
    """The first candidates as YOLO v10 has them."""
    half = head[2:4] / 2
    parts = [head[:2] - half, head[:2] + half, head[4:].max(axis=0)[None]]
    return np.concatenate([*parts, head[4:].argmax(axis=0)[None]]).T[:END_TO_END].astype(np.float32)


def stored(head: Array) -> Array:
    """As int8."""
    return (np.rint(head * 255) - 128).clip(-128, 127).astype(np.int8)


def each_ms(decoder: Decoder, outputs: Sequence[Array]) -> list[float]:
    times_ms = []
    for _ in range(TIMES):
        began_ns = time.perf_counter_ns()
        decoder.decode(outputs)
        times_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
    return times_ms


def main() -> None:
    options = parser(__doc__, None).parse_args()
    found: dict[str, list[float]] = {}
    rng = np.random.default_rng(8)
    rule = Suppression()
    what: dict[str, Callable[[np.random.Generator, int], Array]] = {"scene": scene, "noise": noise}
    for name, make in what.items():
        head, few = make(rng, CANDIDATES), make(rng, END_TO_END)
        v8 = Head(0, *head.shape, None, SHARES)
        int8 = Head(0, *head.shape, STEPS, SHARES)
        v5 = Head(0, *rows(head).shape, None, SHARES)
        v10 = Head(0, END_TO_END, 6, None, SHARES)
        over_all = Suppression(agnostic=True)
        for said, decoder, output in (
            ("v8 float32", V8Decoder(v8, rule), head),
            ("v8 float32, over all classes", V8Decoder(v8, over_all), head),
            ("v8 int8", V8Decoder(int8, rule), stored(head)),
            ("v5 float32", V5Decoder(v5, rule), rows(head)),
            (
                f"v8 float32 of {END_TO_END}",
                V8Decoder(Head(0, *few.shape, None, SHARES), rule),
                few,
            ),
            (f"v10 float32 of {END_TO_END}", V10Decoder(v10), end_to_end(head)),
        ):
            found[f"{name:6} {said}"] = each_ms(decoder, [output[None]])
    medians_ms = {what: statistics.median(times_ms) for what, times_ms in found.items()}
    lines = [f"{what:37} {median_ms:7.3f} ms" for what, median_ms in medians_ms.items()]
    tell({"medians_ms": medians_ms}, lines, options.json)
    if options.plot:
        plot_values(found, "ms", options.plot)


if __name__ == "__main__":
    main()
