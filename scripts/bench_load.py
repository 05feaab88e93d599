#!/usr/bin/env python3
"""What a frame waits, and how many come out, while other processes have every core busy.

The daemon takes frames of 1280x720 at 15 a second, under each of several priorities and numbers of
threads, in turns; its own figures come back over MQTT. Needs root (a priority above the usual one).

    scripts/bench_load.py [--model FILE] [--frames 240] [--turns 2] [--json] [--plot FILE.png]
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from bench_told import parser, plot_values, tell
from paho.mqtt.enums import CallbackAPIVersion

from edged.bench.figures import Spread
from edged.bench.plot import figure
from edged.demo.broker import local_broker
from edged.errors import EdgedError

FPS = 15
_WARM_UP = 10  # results
_PATIENCE_S = 60.0

_CONFIG = """
[device]
id = "load"
state_dir = "{house}/state"
[mqtt]
port = {port}
[models]
dir = "{models}"
[[pipelines]]
name = "load"
model = "{model}"
threads = {threads}
[pipelines.source]
kind = "synthetic"
size = [1280, 720]
fps = {fps}
"""


def served(house: Path, port: int, nice: int, seconds: float) -> list[Mapping[str, Any]]:
    """The results of so many seconds, once it has warmed up."""
    results: list[Mapping[str, Any]] = []
    warm = threading.Event()

    def heard(*told: Any) -> None:
        results.append(json.loads(told[-1].payload))
        if len(results) >= _WARM_UP:
            warm.set()

    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = heard
    client.on_connect = lambda *_: client.subscribe("edged/load/load/result")
    client.connect("127.0.0.1", port)
    client.loop_start()
    command = ["nice", "-n", str(nice), sys.executable, "-m", "edged", "run", "-c"]
    with (house / "log").open("w") as log:
        daemon = subprocess.Popen([*command, str(house / "edged.toml")], stderr=log)
        try:
            if not warm.wait(_PATIENCE_S):
                sys.exit(f"no results came: {(house / 'log').read_text()[-500:]}")
            results.clear()
            time.sleep(seconds)
            return list(results)
        finally:
            daemon.terminate()
            daemon.wait()
            client.loop_stop()


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@dataclass(frozen=True, slots=True)
class Found:
    """Of one way, in milliseconds. ``bound_ms``: an inference and the time between two frames, of
    which the 99th percentile of ``wait`` is to stay below.
    """

    rate_hz: float
    wait: Spread
    inference: Spread
    total: Spread
    bound_ms: float

    @classmethod
    def of(cls, results: Sequence[Mapping[str, Any]], seconds: float) -> Found:
        wait, inference, total = (
            Spread.of([each["latency_ms"][stage] for each in results])
            for stage in ("wait", "inference", "total")
        )
        return cls(len(results) / seconds, wait, inference, total, inference.p99 + 1e3 / FPS)

    def line(self) -> str:
        spreads = (self.wait, self.inference, self.total)
        told = "  ".join(f"{each.median:6.1f} ({each.p99:6.1f})" for each in spreads)
        return f"{self.rate_hz:5.1f}/s  {told}  {self.bound_ms:6.1f}"


def measured(model: Path, seconds: float, turns: int) -> dict[str, list[Mapping[str, Any]]]:
    """The results by way."""
    cores = len(os.sched_getaffinity(0))
    threads = range(1, cores + 1)
    ways = [
        *itertools.product((0,), (0,), threads),
        *itertools.product((cores,), (5, 0, -5), threads),
    ]
    found: dict[str, list[Mapping[str, Any]]] = {}
    with (
        tempfile.TemporaryDirectory() as directory,
        local_broker(Path(directory), light=True) as broker,
    ):
        house = Path(directory)
        for turn, (hogs, nice, count) in itertools.product(range(turns), ways):
            filled = {"house": house, "port": broker.port, "models": model.resolve().parent}
            filled |= {"model": model.stem, "threads": count, "fps": FPS}
            (house / "edged.toml").write_text(_CONFIG.format(**filled))
            way = f"{hogs} busy, nice {nice:2}, threads {count}"
            with busy(hogs):
                came = served(house, broker.port, nice, seconds)
            print(f"turn {turn + 1} of {turns}: {way}: {len(came)} results", file=sys.stderr)
            found.setdefault(way, []).extend(came)
    return found


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--frames", type=int, default=240, help="given to each way (240)")
    arguments.add_argument("--turns", type=int, default=2, help="in so many turns (2)")
    options = arguments.parse_args()
    seconds = options.frames / FPS
    try:
        if options.plot:
            figure(1)  # what is missing is told before anything is measured
        results = measured(options.model, seconds / options.turns, options.turns)
        if options.plot:
            waits = {
                way: [each["latency_ms"]["wait"] for each in came] for way, came in results.items()
            }
            plot_values(waits, "ms that a frame waits", options.plot)
    except EdgedError as error:
        sys.exit(str(error))
    found = {way: Found.of(came, seconds) for way, came in results.items()}
    head = f"{FPS} frames a second; wait, inference, total in ms: median (p99); bound of wait's p99"
    lines = [head, *(f"{way}  {each.line()}" for way, each in found.items())]
    tell(found, lines, options.json)


if __name__ == "__main__":
    main()
