#!/usr/bin/env python3
"""The daemon against the bare interpreter, in turns, in one run.

The real daemon runs in a process of its own: pictures of 1280x720 from a directory, one detector,
one inference thread, results at QoS 1 to a real mosquitto and back to this script. In turns it is
stopped (SIGSTOP) and the bare interpreter invokes the same model here, so that both meet the same
noise of the machine. Once with pictures at a camera's pace (15 a second), for the overhead (total
- inference - wait); once as fast as the engine takes them, for the rate against the bare
interpreter's. Also printed: resident memory, time to the first result.

    scripts/bench_frame.py [--model FILE] [--turns N] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edged.engine.interpreter import Engine
from edged.engine.runtime import runtime

REPO = Path(__file__).resolve().parent.parent
TESTDATA = Path(os.environ.get("EDGED_TESTDATA", REPO.parent / "shared" / "testdata"))
COCO_SSD = TESTDATA / "models" / "coco_ssd_mobilenet_v1_quant.tflite"
PHOTO = TESTDATA / "images" / "cat_720p.jpg"
TURN_S = 2.0
SETTLE_S = 0.3

CONFIG = """
[device]
id = "bench"
state_dir = "state"
[mqtt]
host = "127.0.0.1"
port = {port}
[models]
dir = "models"
[[pipelines]]
name = "front"
model = "model"
threads = {threads}
[pipelines.source]
kind = "images"
path = "pictures"
loop = true
fps = {fps}
realtime = {realtime}
"""

CAMERA_FPS = 15


@contextlib.contextmanager
def broker() -> Iterator[int]:
    """A mosquitto on a free loopback port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    path = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        sys.exit("mosquitto is not installed: run scripts/setup")
    process = subprocess.Popen([path, "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.01)
        yield port
    finally:
        process.kill()
        process.wait()


class Results:
    """The results that came back over MQTT, with the time of their coming."""

    def __init__(self, port: int) -> None:
        self.came: list[tuple[float, dict[str, Any]]] = []
        self.first = threading.Event()
        subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("edged/bench/+/result")
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        subscribed.wait(10)

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        self.came.append((time.monotonic(), json.loads(message.payload)))
        self.first.set()


def lay_out(house: Path, model: Path, port: int, threads: int, fps: int) -> None:
    """The daemon's directory: config, model, one picture of 1280x720 that is quick to read."""
    (house / "models").mkdir()
    (house / "pictures").mkdir()
    shutil.copy(model, house / "models" / "model.tflite")
    photo = cv2.imread(str(PHOTO))
    if photo is None:
        photo = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    cv2.imwrite(str(house / "pictures" / "photo.bmp"), cv2.resize(photo, (1280, 720)))
    (house / "edged.toml").write_text(
        CONFIG.format(port=port, threads=threads, fps=fps, realtime="true" if fps else "false")
    )


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(model: Path, turns: int, threads: int, fps: int) -> dict[str, Any]:
    """``fps`` 0: as fast as the engine takes the pictures."""
    engine = Engine(model, threads=threads)
    bare_rates, our_rates, bare_ms = [], [], []
    with broker() as port, tempfile.TemporaryDirectory() as directory:
        house = Path(directory)
        lay_out(house, model, port, threads, fps)
        results = Results(port)
        started = time.monotonic()
        command = [sys.executable, "-m", "edged", "run", "-c", str(house / "edged.toml")]
        with (house / "log").open("w") as log:
            daemon = subprocess.Popen(command, stderr=log)
        try:
            if not results.first.wait(60):
                sys.exit((house / "log").read_text())
            first_s = results.came[0][0] - started
            time.sleep(2 * SETTLE_S)
            kept: list[dict[str, Any]] = []
            for _ in range(turns):
                daemon.send_signal(signal.SIGCONT)
                time.sleep(SETTLE_S)
                start = time.monotonic()
                time.sleep(TURN_S)
                mine = [one for came, one in results.came if came >= start]
                our_rates.append(len(mine) / (time.monotonic() - start))
                kept += mine
                daemon.send_signal(signal.SIGSTOP)
                start = time.monotonic()
                count = 0
                while time.monotonic() - start < TURN_S:
                    before = time.perf_counter()
                    engine.invoke()
                    bare_ms.append((time.perf_counter() - before) * 1e3)
                    count += 1
                bare_rates.append(count / (time.monotonic() - start))
            daemon.send_signal(signal.SIGCONT)
            resident = resident_mb(daemon.pid)
        finally:
            daemon.send_signal(signal.SIGCONT)
            daemon.terminate()
            daemon.wait(10)
    return summed_up(model, kept, bare_rates, our_rates, bare_ms, first_s, resident)


def summed_up(
    model: Path,
    kept: list[dict[str, Any]],
    bare_rates: list[float],
    our_rates: list[float],
    bare_ms: list[float],
    first_s: float,
    resident: float,
) -> dict[str, Any]:
    latencies = [one["latency_ms"] for one in kept]
    stages = {stage: [latency[stage] for latency in latencies] for stage in latencies[0]}
    overhead = [one["total"] - one["inference"] - one["wait"] for one in latencies]
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "runtime": f"{runtime().name} {runtime().version}",
        "model": model.name,
        "frames": len(kept),
        "overhead_ms": spread(overhead),
        "stages_ms": {stage: spread(values) for stage, values in stages.items()},
        "bare_invoke_ms": spread(bare_ms),
        "rate_hz": statistics.median(our_rates),
        "bare_rate_hz": statistics.median(bare_rates),
        "rate_ratio": statistics.median(
            ours / bare for ours, bare in zip(our_rates, bare_rates, strict=True)
        ),
        "resident_mb": resident,
        "first_result_s": first_s,
    }


def spread(values: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=COCO_SSD)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.model.is_file():
        sys.exit(f"there is no file {options.model}; name a model with --model")
    paced = measure(options.model, options.turns, options.threads, CAMERA_FPS)
    full = measure(options.model, options.turns, options.threads, 0)
    if options.json:
        print(json.dumps({"paced": paced, "full": full}, indent=2))
        return
    print(f"{full['machine']}; Python {full['python']}; {full['runtime']}; {full['model']}")
    print(f"at {CAMERA_FPS} frames a second ({paced['frames']} frames):")
    for stage, values in {**paced["stages_ms"], "overhead": paced["overhead_ms"]}.items():
        print(f"  {stage:<12} p50 {values['p50']:8.3f} ms   p99 {values['p99']:8.3f} ms")
    print(f"as fast as the engine takes them ({full['frames']} frames):")
    print(
        f"  rate         {full['rate_hz']:.1f} Hz, {full['rate_ratio']:.1%} of the bare "
        f"interpreter's {full['bare_rate_hz']:.1f} Hz"
    )
    print(f"  overhead     p50 {full['overhead_ms']['p50']:8.3f} ms")
    print(f"resident       {full['resident_mb']:.1f} MB")
    print(f"first result   {full['first_result_s']:.2f} s after the start of the process")


if __name__ == "__main__":
    main()
