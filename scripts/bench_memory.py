#!/usr/bin/env python3
"""What the daemon holds in memory, beside the minimal script that people write, and over time.

    scripts/bench_memory.py [--model FILE] [--minutes N] [--json] [--plot FILE.png]

Both have the same model and the same frames, as in scripts/bench_frame.py, and are given 15 of
them a second. Without --minutes it is told what they hold after the first 300; with it, also how
that changes: a straight line through what is resident every 10 s, without the first 10 minutes.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence

import numpy as np
from bench_frame import naive, shown
from bench_told import parser, plot_values, tell
from msgspec.structs import replace

from edged.bench.contestant import Contestant
from edged.bench.plot import figure
from edged.bench.run import CAMERA
from edged.bench.settings import DEFAULT
from edged.bench.stage import stage, try_model
from edged.engine.preprocess import image_shape
from edged.errors import EdgedError
from edged.records.frames import PixelOrder, Size

FPS = 15
EVERY_S = 10.0
SETTLED_S = 600.0
WARM_UP = 300  # frames


def watched(contestants: Sequence[Contestant], minutes: float) -> dict[str, list[list[float]]]:
    """Of each, by its name: minutes since the start and resident MB, every ``EVERY_S``."""
    seen: dict[str, list[list[float]]] = {each.name: [] for each in contestants}
    began_s = due_s = time.monotonic()
    while time.monotonic() < began_s + minutes * 60:
        due_s += EVERY_S
        for each in contestants:
            each.turn(round(FPS * EVERY_S))
            passed_min = (time.monotonic() - began_s) / 60
            seen[each.name].append([passed_min, each.memory().resident_mb])
        time.sleep(max(0.0, due_s - time.monotonic()))
    return seen


def slope_mb_per_h(seen: Sequence[Sequence[float]]) -> float | None:
    """None: it was not watched for long enough."""
    settled = np.array([each for each in seen if each[0] * 60 >= SETTLED_S])
    if len(settled) < 2:
        return None
    return float(np.polyfit(settled[:, 0] / 60, settled[:, 1], 1)[0])


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--minutes", type=float, default=0.0)
    options = arguments.parse_args()
    try:
        if options.plot:
            figure(1)  # what is missing is told before anything is measured
        tried = try_model(options.model, replace(DEFAULT, threads=1))
        height, width, _ = image_shape(tried.tensor)
        frames = {"1280x720": shown(CAMERA, PixelOrder.BGR)}
        frames["own size"] = shown(Size(width, height), PixelOrder.BGR)
        with stage() as place, contextlib.ExitStack() as at_end:
            contestants = []
            for size, kept in frames.items():
                contestants.append(place.served(f"edged, {size}", tried, kept))
                contestants.append(naive(place, tried, kept, 1, f"minimal script, {size}"))
            for each in contestants:
                at_end.callback(each.close)
                each.start(place.broker)
                each.turn(WARM_UP)
            found = {each.name: each.memory() for each in contestants}
            seen = watched(contestants[:2], options.minutes)
        if options.plot:
            held = {name: [at_mb for _, at_mb in each] for name, each in seen.items()}
            first = {name: [memory.resident_mb] for name, memory in found.items()}
            plot_values(held if options.minutes else first, "MB resident", options.plot)
    except EdgedError as error:
        sys.exit(str(error))
    slopes = {name: slope_mb_per_h(each) for name, each in seen.items()}
    lines = []
    for name, memory in found.items():
        line = f"{name:<26} RSS {memory.resident_mb:6.1f} MB"
        if memory.proportional_mb is not None:
            line += f", PSS {memory.proportional_mb:6.1f} MB"
        if (slope := slopes.get(name)) is not None:
            line += f", {slope:+.2f} MB/h"
        lines.append(line)
    tell({"memory": found, "slopes_mb_per_h": slopes, "seen": seen}, lines, options.json)


if __name__ == "__main__":
    main()
