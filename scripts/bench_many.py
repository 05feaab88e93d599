#!/usr/bin/env python3
"""Many pipelines of one model beside bare interpreters, one a core, in one run.

They take turns as in `edged bench`. Then what each pipeline adds to the memory. (What frames wait
while other processes keep the cores busy: scripts/bench_load.py.)

    scripts/bench_many.py [--model FILE] [--pipelines N] [--seconds N] [--json] [--plot FILE.png]
"""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from bench_frame import shown
from bench_told import REPO, TESTDATA, parser, plot_values, tell

from edged.bench.answers import ENDED
from edged.bench.contestant import Contestant
from edged.bench.items import Kept
from edged.bench.plot import figure
from edged.bench.run import CAMERA
from edged.bench.settings import DEFAULT
from edged.bench.stage import Stage, Tried, stage, try_model
from edged.engine.preprocess import image_shape
from edged.errors import EdgedError
from edged.records.frames import PixelOrder, Size
from edged.service.machine import cores

MOBILENET = TESTDATA / "models" / "mobilenet_v2_1.0_224_quant.tflite"
TURN_S = 2.0

CONFIG = """
[device]
id = "{house.name}"
state_dir = "{house}/state"
[mqtt]
host = "127.0.0.1"
port = {port}
[models]
dir = "{house}/models"
"""

PIPELINE = """
[[pipelines]]
name = "p{number}"
model = "model"
source = {{kind = "images", path = "{house}", {pace}}}
"""


@dataclass(frozen=True, slots=True)
class Rates:
    """Inferences a second of all pipelines together, by turn; what they are of the bare
    interpreters' in the turn beside; the least busy pipeline's share of the mean one's.
    """

    rates_hz: list[float]
    of_bare: float
    slowest_of_mean: float
    pss_mb: float | None


def many(place: Stage, tried: Tried, kept: Kept, count: int, fps: float = 0) -> Contestant:
    house = place.house()
    (house / "models").mkdir()
    (house / "models" / "model.tflite").write_bytes(tried.files.data)
    text = CONFIG.format(house=house, port=place.broker.port)
    for number in range(count):
        pace = "realtime = true, fps = 1000" if fps else "realtime = false"
        text += PIPELINE.format(number=number, house=house, pace=pace)
    (house / "edged.toml").write_text(text)
    command = [str(REPO / "scripts" / "many_served.py"), str(house / "edged.toml")]
    command += [*kept.arguments(house / "items.npy"), "--fps", str(fps)]
    return Contestant(f"{count} pipelines", command, house / "log", f"edged/{house.name}/p0/result")


def rate_hz(ended_ms: Sequence[float]) -> float:
    ordered = sorted(ended_ms)
    return 1e3 * (len(ordered) - 1) / (ordered[-1] - ordered[0])


def bare_rate_hz(bare: Sequence[Contestant], frames: int) -> float:
    """All at the same time."""
    with ThreadPoolExecutor(len(bare)) as pool:
        told = list(pool.map(lambda each: each.turn(frames), bare))
    return sum(rate_hz(each[ENDED]) for each in told)


def rates(
    place: Stage, tried: Tried, given: Mapping[str, Kept], count: int, seconds: float
) -> tuple[list[float], dict[str, Rates]]:
    """Of the bare interpreters, and of the daemon by what it is given."""
    with contextlib.ExitStack() as at_end:
        bare = [place.bare(tried, next(iter(given.values()))) for _ in range(cores())]
        served = {what: many(place, tried, kept, count) for what, kept in given.items()}
        for each in (*bare, *served.values()):
            at_end.callback(each.close)
            each.start(place.broker)
        alone_hz = bare_rate_hz(bare, 50)
        frames = max(2, round(TURN_S * alone_hz))
        for each in served.values():
            each.turn(frames)  # also loads the interpreters that it finds it needs
        bare_hz: list[float] = []
        turns: dict[str, list[Mapping[str, Any]]] = {what: [] for what in served}
        for _ in range(max(2, round(seconds / TURN_S / (len(served) + 1)))):
            bare_hz.append(bare_rate_hz(bare, frames // len(bare)))
            for what, each in served.items():
                turns[what].append(each.turn(frames))
        memory = {what: each.memory().proportional_mb for what, each in served.items()}
    found = {}
    for what, told in turns.items():
        rates_hz = [rate_hz(each[ENDED]) for each in told]
        shares = [sum(each) for each in zip(*(each["shares"] for each in told), strict=True)]
        found[what] = Rates(
            rates_hz,
            statistics.median(one / other for one, other in zip(rates_hz, bare_hz, strict=True)),
            min(shares) / statistics.mean(shares),
            memory[what],
        )
    return bare_hz, found


def pss_mb(place: Stage, tried: Tried, kept: Kept, count: int, fps: float) -> float:
    """After some hundred inferences."""
    daemon = many(place, tried, kept, count, fps)
    try:
        daemon.start(place.broker)
        daemon.turn(150)
        return daemon.memory().proportional_mb or 0.0
    finally:
        daemon.close()


def main() -> None:
    arguments = parser(__doc__, MOBILENET)
    arguments.add_argument("--pipelines", type=int, default=16)
    arguments.add_argument("--seconds", type=float, default=60)
    options = arguments.parse_args()
    try:
        if options.plot:
            figure(1)  # what is missing is told before anything is measured
        tried = try_model(options.model, DEFAULT)
        height, width, _ = image_shape(tried.tensor)
        own = shown(Size(width, height), PixelOrder.RGB)
        given = {"own size": own, "1280x720": shown(CAMERA, PixelOrder.BGR)}
        with stage() as place:
            bare_hz, served = rates(place, tried, given, options.pipelines, options.seconds)
            memory = {
                f"{what}, {count} pipelines": pss_mb(place, tried, own, count, fps)
                for what, fps in {"as fast as can be": 0.0, "5 frames/s": 5.0}.items()
                for count in (1, 2, options.pipelines)
            }
        if options.plot:
            shown_hz = {"bare": bare_hz, **{what: each.rates_hz for what, each in served.items()}}
            plot_values(shown_hz, "inferences/s of all together", options.plot)
    except EdgedError as error:
        sys.exit(str(error))
    lines = [f"{cores()} bare interpreters: {statistics.median(bare_hz):.1f} inferences/s"]
    lines += [
        f"{options.pipelines} pipelines, {what}: {statistics.median(each.rates_hz):.1f}/s, "
        f"{each.of_bare:.1%} of bare; the slowest {each.slowest_of_mean:.1%} of the mean"
        for what, each in served.items()
    ]
    lines += [f"PSS, {what}: {megabytes:.1f} MB" for what, megabytes in memory.items()]
    found = {
        "bare_rates_hz": bare_hz,
        "served": served,
        "pss_mb": memory,
    }
    tell(found, lines, options.json)


if __name__ == "__main__":
    main()
