#!/usr/bin/env python3
"""Many pipelines of one model beside bare interpreters, one a core, in one run.

They take turns as in `edged bench`. Then what each pipeline adds to the memory, and how long
frames of a camera wait while other processes keep all cores busy.

    scripts/bench_many.py [--model FILE] [--pipelines N] [--seconds N] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench_frame import TESTDATA, shown

from edged.bench.answers import ENDED
from edged.bench.contestant import Contestant
from edged.bench.figures import Spread
from edged.bench.items import Kept
from edged.bench.machine import machine
from edged.bench.run import CAMERA
from edged.bench.settings import DEFAULT
from edged.bench.stage import Stage, Tried, stage, try_model
from edged.engine.preprocess import image_shape
from edged.errors import EdgedError
from edged.records import PixelOrder, Size
from edged.service.machine import cores

REPO = Path(__file__).resolve().parent.parent
MOBILENET = TESTDATA / "models" / "mobilenet_v2_1.0_224_quant.tflite"
TURN_S = 2.0
FPS = 15.0

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


@dataclass(frozen=True, slots=True)
class Loaded:
    """One pipeline at ``FPS`` while other processes spin on all cores, in milliseconds."""

    wait: Spread
    inference: Spread
    bound_ms: float


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


@contextlib.contextmanager
def spinning(nice: int) -> Iterator[None]:
    """As many processes as there are cores do nothing but spin."""
    command = ["nice", "-n", str(nice), sys.executable, "-c", "while True: pass"]
    spinners = [subprocess.Popen(command) for _ in range(cores())]
    try:
        yield
    finally:
        for each in spinners:
            each.kill()
            each.wait()


def under_load(place: Stage, tried: Tried, kept: Kept, frames: int, nice: int) -> Loaded:
    daemon = many(place, tried, kept, 1, FPS)
    try:
        daemon.start(place.broker)
        with spinning(nice):
            told = daemon.turn(frames)
    finally:
        daemon.close()
    inference = Spread.of(told["inference"])
    return Loaded(Spread.of(told["wait"]), inference, inference.p99 + 1e3 / FPS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MOBILENET)
    parser.add_argument("--pipelines", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
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
            frames = round(options.seconds / 4 * FPS)
            load = {nice: under_load(place, tried, own, frames, nice) for nice in (0, 10)}
    except EdgedError as error:
        sys.exit(str(error))
    if options.json:
        found = {
            "machine": machine(),
            "bare_rates_hz": bare_hz,
            "served": {what: asdict(each) for what, each in served.items()},
            "pss_mb": memory,
            "under_load_ms": {f"nice {nice}": asdict(each) for nice, each in load.items()},
        }
        print(json.dumps(found, indent=2))
        return
    print(", ".join(f"{what} {value}" for what, value in machine().items()))
    print(f"{cores()} bare interpreters: {statistics.median(bare_hz):.1f} inferences/s")
    for what, each in served.items():
        print(
            f"{options.pipelines} pipelines, {what}: {statistics.median(each.rates_hz):.1f}/s, "
            f"{each.of_bare:.1%} of bare; the slowest {each.slowest_of_mean:.1%} of the mean"
        )
    for what, megabytes in memory.items():
        print(f"PSS, {what}: {megabytes:.1f} MB")
    for nice, spread in load.items():
        print(
            f"cores busy with processes of nice {nice}: wait {spread.wait.median:.2f} "
            f"({spread.wait.p99:.2f}) ms, inference {spread.inference.median:.1f} "
            f"({spread.inference.p99:.1f}) ms; p99 bound {spread.bound_ms:.1f} ms"
        )


if __name__ == "__main__":
    main()
