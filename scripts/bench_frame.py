#!/usr/bin/env python3
"""The daemon beside the minimal script that people write, and the bare interpreter, in one run.

They take turns as in `edged bench`: the daemon with frames of 1280x720 and of the model's
own size, scripts/bench_naive.py at QoS 0 and at QoS 1, the bare interpreter. The frames show a
cat, so that there is something to decode and publish.

    scripts/bench_frame.py [--model FILE] [--frames N] [--threads N] [--json] [--plot FILE.png]
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import cv2
from bench_told import REPO, TESTDATA, parser, tell
from msgspec.structs import replace

from edged.bench.contestant import Contestant
from edged.bench.figures import BESIDES, OVERHEAD, median_rate_hz, rate_ratio, spreads
from edged.bench.items import Kept, frames
from edged.bench.plot import figure, plot
from edged.bench.report import outcome_json
from edged.bench.run import CAMERA, Outcome, measure
from edged.bench.settings import DEFAULT, described
from edged.bench.stage import Stage, Tried, stage, try_model
from edged.engine.preprocess import image_shape
from edged.errors import EdgedError
from edged.records.frames import PixelOrder, Size

PHOTO = TESTDATA / "images" / "cat_720p.jpg"


def shown(size: Size, order: PixelOrder) -> Kept:
    photo = cv2.imread(str(PHOTO))
    if photo is None:
        sys.exit(f"there is no photo {PHOTO}; name its place with EDGED_TESTDATA")
    return frames([cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)], size, order)


def naive(place: Stage, tried: Tried, kept: Kept, qos: int, name: str | None = None) -> Contestant:
    house = place.house()
    items, *_ = kept.arguments(house / "items.npy")
    topic = f"naive/{house.name}"
    command = [str(REPO / "scripts" / "bench_naive.py"), str(tried.path), items, "--topic", topic]
    command += ["--port", str(place.broker.port), "--qos", str(qos)]
    command += ["--threads", str(tried.options.threads)]
    return Contestant(name or f"minimal script, QoS {qos}", command, house / "log", topic)


def side_by_side(model: Path, threads: int, count: int) -> dict[str, Outcome]:
    tried = try_model(model, replace(DEFAULT, threads=threads))
    height, width, _ = image_shape(tried.tensor)
    camera = shown(CAMERA, PixelOrder.BGR)
    with stage() as place:
        contestants = [
            place.served("edged, 1280x720", tried, camera),
            place.served("edged, own size", tried, shown(Size(width, height), PixelOrder.RGB)),
            naive(place, tried, camera, 0),
            naive(place, tried, camera, 1),
            place.bare(tried, camera),
        ]
        return measure(contestants, place, count, lambda line: print(line, file=sys.stderr))


def table(outcomes: dict[str, Outcome]) -> list[str]:
    *_, bare = outcomes.values()
    lines = [
        f"{'median (p99), ms':<24} {'overhead':>16} {'between frames':>17} "
        f"{'rate':>7} {'of bare':>8} {'RSS MB':>7} {'PSS MB':>7} {'starts s':>9}"
    ]
    for name, outcome in outcomes.items():
        found = spreads(outcome.turns)
        own, between = found.get(OVERHEAD), found[BESIDES]
        starts = outcome.later_s or [outcome.first_s or 0.0]
        lines.append(
            f"{name:<24} {f'{own.median:.3f} ({own.p99:.2f})' if own else '':>16} "
            f"{f'{between.median:.3f} ({between.p99:.2f})':>17} "
            f"{median_rate_hz(outcome.turns):>7.1f} {rate_ratio(outcome.turns, bare.turns):>8.1%} "
            f"{outcome.memory.resident_mb:>7.1f} {outcome.memory.proportional_mb or 0:>7.1f} "
            f"{statistics.median(starts):>9.2f}"
        )
    for name, outcome in outcomes.items():
        medians = (
            f"{stage} {spread.median:.3f}" for stage, spread in spreads(outcome.turns).items()
        )
        lines.append(f"{name}: {', '.join(medians)}")
    return lines


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--frames", type=int, default=1000)
    arguments.add_argument("--threads", type=int, default=1)
    options = arguments.parse_args()
    try:
        if options.plot:
            figure(2)  # what is missing is told before anything is measured
        outcomes = side_by_side(options.model, options.threads, options.frames)
        if options.plot:
            asked = described(replace(DEFAULT, threads=options.threads))
            plot(f"{options.model.name}, {asked}", outcomes, options.plot)
    except EdgedError as error:
        sys.exit(str(error))
    *_, bare = outcomes.values()
    found = {name: outcome_json(each, bare) for name, each in outcomes.items()}
    tell({"contestants": found}, table(outcomes), options.json)


if __name__ == "__main__":
    main()
