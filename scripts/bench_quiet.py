#!/usr/bin/env python3
"""What the daemon costs when nothing happens, and what the gate lets slip when something does.

- a still scene at 15 frames/s with a camera's noise: the daemon with and without a gate, by turns
- things that enter, cross, leave, pause, creep, are small or dim, at 15 frames/s: each change of
  what is found without a gate that lasts for 5 frames, and whether it is found with one
- no frames at all: a camera that is missing, and a pipeline that sleeps; a frame every 100 s

Per process: its time on the processor by time that passed, and how often its threads woke. Its
exit status is 0 where every promise of ``broken`` was kept.

    scripts/bench_quiet.py [--model FILE] [--seconds 20] [--turns 2] [--json]
        [--plot FILE.png]
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench_told import COCO_SSD, REPO, parser, plot_values, tell
from quiet_scenes import RATE_HZ, Events, compare, still_scene

from edged import config as configuration
from edged.bench.plot import figure
from edged.bench.stage import Stage, stage
from edged.build import mqtt_settings
from edged.daemon import Daemon
from edged.records.arrays import UInt8Array
from edged.records.frames import Frame, PixelOrder
from edged.samples import Want
from edged.service.logs import start_logging

SHAPES = REPO / "edged" / "models" / "shapes.tflite"
PATIENCE_S = 60.0
SETTLE_S = 5.0
GATE = 'gate = {kind = "motion"}'
V4L2 = 'source = {kind = "v4l2", device = "/dev/video-none"}'
ASLEEP = 'when = {pipeline = "front"}\nsource = {kind = "synthetic"}'
SELDOM = 'source = {kind = "synthetic", fps = 0.01}'
STILL = f'source = {{kind = "v4l2", fps = {RATE_HZ}}}'  # the camera of ``serve`` in its place


class StillCamera:
    """A source (see ``sources.Source``) that gives what is kept, by turns, at its own rate."""

    live = True

    def __init__(self, pictures: UInt8Array) -> None:
        self._pictures = pictures
        self._number = 0
        self._next_s = 0.0

    def open(self, want: Want) -> None:
        self._next_s = time.monotonic()

    def read(self) -> Frame:
        self._next_s = max(self._next_s + 1 / RATE_HZ, time.monotonic())
        time.sleep(self._next_s - time.monotonic() if self._next_s > time.monotonic() else 0)
        self._number += 1
        now_ns = time.monotonic_ns()
        pixels = self._pictures[self._number % len(self._pictures)]
        return Frame(self._number, now_ns, now_ns, pixels, PixelOrder.BGR)

    def close(self) -> None:
        """Nothing was opened."""


def serve(path: Path, pictures: Path) -> None:
    """The whole daemon but for its camera."""
    start_logging(logging.INFO)
    config = configuration.load_config(path)
    state, models = config.device.state_dir, config.models.dir
    assert state is not None
    assert models is not None
    settings = mqtt_settings(config.mqtt, config.device.id, os.environ)
    camera = StillCamera(np.load(pictures))
    Daemon(config, lambda: config, settings, state, models, lambda _: camera).run()


@dataclass(frozen=True, slots=True)
class Use:
    """``cpu``: the share of one core."""

    cpu: float
    wakeups_hz: float


def counted(pid: int) -> tuple[float, int]:
    """Seconds on the processor, and how often a thread gave it up by itself (proc(5))."""
    cpu_ns = wakeups = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu_ns += int((task / "schedstat").read_text().split()[0])
        lines = (task / "status").read_text().splitlines()
        wakeups += next(int(s.split()[1]) for s in lines if s.startswith("voluntary_ctxt"))
    return cpu_ns / 1e9, wakeups


def used(pid: int, seconds: float) -> Use:
    cpu_s, wakeups = counted(pid)
    began_s = time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - began_s
    cpu_after_s, wakeups_after = counted(pid)
    return Use((cpu_after_s - cpu_s) / took_s, (wakeups_after - wakeups) / took_s)


@contextlib.contextmanager
def daemon(
    place: Stage, model: Path, *pipelines: str, pictures: Path | None = None
) -> Iterator[int]:
    """Its process, once its models are known to be good or nothing comes that could show it."""
    house = place.house()
    (house / "models").mkdir()
    for file in model.parent.glob(f"{model.stem}.*"):
        shutil.copy(file, house / "models" / file.name)
    text = (
        f'[device]\nid = "quiet"\nstate_dir = "{house}/state"\n[mqtt]\nport = {place.broker.port}\n'
    )
    text = text.replace('"quiet"', f'"{house.name}"') + f'[models]\ndir = "{house}/models"\n'
    for name, lines in zip(("front", "back"), pipelines, strict=False):
        text += f'[[pipelines]]\nname = "{name}"\nmodel = "{model.stem}"\n{lines}\n'
    (house / "edged.toml").write_text(text)
    command = ["-m", "edged", "run", "-c", str(house / "edged.toml")]
    if pictures is not None:
        command = [__file__, "--serve", str(house / "edged.toml"), str(pictures)]
    log = house / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen([sys.executable, *command], stderr=errors)
    try:
        waits_for = "accepted" if pictures is not None else " trial"
        until_s = time.monotonic() + PATIENCE_S
        while waits_for not in log.read_text():
            if process.poll() is not None or time.monotonic() > until_s:
                sys.exit(f"edged did not get on:\n{log.read_text()}")
            time.sleep(0.2)
        time.sleep(SETTLE_S)
        yield process.pid
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait()


def by_turns(place: Stage, model: Path, seconds: float, turns: int) -> dict[str, list[Use]]:
    """Of a still scene; while one is measured the other stands still."""
    pictures = place.directory / "still.npy"
    np.save(pictures, still_scene())
    found: dict[str, list[Use]] = {"every frame": [], "gated": []}
    with (
        daemon(place, model, STILL, pictures=pictures) as every,
        daemon(place, model, f"{GATE}\n{STILL}", pictures=pictures) as gated,
    ):
        pids = {"every frame": every, "gated": gated}
        for _ in range(turns):
            for name, pid in pids.items():
                for other in pids.values():
                    os.kill(other, signal.SIGCONT if other == pid else signal.SIGSTOP)
                found[name].append(used(pid, seconds))
    return found


def idle(place: Stage, seconds: float) -> dict[str, Use]:
    found = {}
    for name, lines in {
        "no camera, and one asleep": (V4L2, ASLEEP),
        "a frame every 100 s": (SELDOM,),
    }.items():
        with daemon(place, SHAPES, *lines) as pid:
            found[name] = used(pid, seconds)
    return found


def table(
    still: dict[str, list[Use]], events: dict[str, Events], rest: dict[str, Use]
) -> list[str]:
    lines = [f"{'':<40} {'of a core':>10} {'wake-ups/s':>11}"]
    for name, use in {**{f"still scene, {k}": median(v) for k, v in still.items()}, **rest}.items():
        lines.append(f"{name:<40} {use.cpu:>10.2%} {use.wakeups_hz:>11.1f}")
    lines.append(f"gated by ungated: {ratio(still):.1%}")
    for name, found in events.items():
        lines.append(
            f"{name}: {found.changes} changes of what is found, {found.lost} of them lost; of "
            f"{found.acts} things {found.seen} are found without a gate, {found.seen_gated} with "
            f"one; {found.inferred} of {found.frames} frames were inferred"
        )
    return lines


def median(uses: list[Use]) -> Use:
    cpu = statistics.median(use.cpu for use in uses)
    return Use(cpu, statistics.median(use.wakeups_hz for use in uses))


def ratio(still: dict[str, list[Use]]) -> float:
    pairs = zip(still["gated"], still["every frame"], strict=True)
    return statistics.median(gated.cpu / every.cpu for gated, every in pairs)


def broken(
    still: dict[str, list[Use]], events: dict[str, Events], rest: dict[str, Use]
) -> list[str]:
    """What is not as promised."""
    kept = {
        "a gate saves 90 % before a still scene": ratio(still) <= 0.1,
        "no change is lost": not any(found.lost for found in events.values()),
        "idle takes 0.5 % of a core": all(use.cpu < 0.005 for use in rest.values()),
        "idle wakes 10 times a second": all(use.wakeups_hz < 10 for use in rest.values()),
        "gated wakes twice a frame": median(still["gated"]).wakeups_hz < 2 * RATE_HZ,
    }
    return [promise for promise, was_kept in kept.items() if not was_kept]


def main() -> None:
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    arguments = parser(__doc__, COCO_SSD if COCO_SSD.exists() else SHAPES)
    arguments.add_argument("--seconds", type=float, default=20, help="of one turn (20)")
    arguments.add_argument("--turns", type=int, default=2)
    options = arguments.parse_args()
    if options.plot:
        figure(1)  # what is missing is told before anything is measured
    cv2.setNumThreads(1)
    events = compare(SHAPES)
    with stage() as place:
        still = by_turns(place, options.model, options.seconds, options.turns)
        rest = idle(place, options.seconds)
    found = {
        "model": options.model.name,
        "still": still,
        "gated_by_ungated": ratio(still),
        "events": events,
        "idle": rest,
    }
    tell(found, table(still, events, rest), options.json)
    if options.plot:
        uses = still | {name: [use] for name, use in rest.items()}
        shares = {name: [100 * use.cpu for use in each] for name, each in uses.items()}
        plot_values(shares, "% of a core", options.plot)
    if promises := broken(still, events, rest):
        sys.exit(f"not kept: {'; '.join(promises)}")


if __name__ == "__main__":
    main()
