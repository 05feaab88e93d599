#!/usr/bin/env python3
"""What a frame waits, and how many come out, while other processes have every core busy.

The daemon takes frames of 1280x720 at 15 a second, under each of several priorities and numbers of
threads, in turns; its own figures come back over MQTT. Needs root (a priority above the usual one).

    scripts/bench_load.py [--model FILE] [--seconds 10] [--turns 2]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from bench_frame import COCO_SSD
from paho.mqtt.enums import CallbackAPIVersion

from edged.bench.figures import Spread
from edged.demo.broker import local_broker

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=COCO_SSD)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    threads = range(1, cores + 1)
    ways = [
        *itertools.product((0,), (0,), threads),
        *itertools.product((cores,), (5, 0, -5), threads),
    ]
    found: dict[tuple[int, int, int], list[Mapping[str, Any]]] = {way: [] for way in ways}
    with (
        tempfile.TemporaryDirectory() as directory,
        local_broker(Path(directory), light=True) as broker,
    ):
        house = Path(directory)
        for _, (hogs, nice, count) in itertools.product(range(options.turns), ways):
            told = {"house": house, "port": broker.port, "models": options.model.resolve().parent}
            told |= {"model": options.model.stem, "threads": count, "fps": FPS}
            (house / "edged.toml").write_text(_CONFIG.format(**told))
            with busy(hogs):
                found[hogs, nice, count] += served(house, broker.port, nice, options.seconds)
    print(f"{FPS} frames a second, {cores} cores; wait, inference, total in ms: median (p99)")
    for (hogs, nice, count), results in found.items():
        rate = len(results) / options.seconds / options.turns
        spreads = [
            Spread.of([each["latency_ms"][stage] for each in results])
            for stage in ("wait", "inference", "total")
        ]
        told = "  ".join(f"{each.median:6.1f} ({each.p99:6.1f})" for each in spreads)
        print(f"{hogs} busy  nice {nice:>2}  threads {count}  {rate:5.1f}/s  {told}")


if __name__ == "__main__":
    main()
