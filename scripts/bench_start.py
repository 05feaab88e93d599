#!/usr/bin/env python3
"""From the start of a process to its first published result, on a warm disk.

    scripts/bench_start.py [--model FILE] [--starts N] [--json]

In turns: `edged run` with a state directory that is empty, so that the model is tried first; the
same once more, with the model known to be good; and the minimal script that people write. All have
the same model and give results of a picture of 1280x720; edged reads it itself, the script has it
in memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench_frame import COCO_SSD, PHOTO, naive, shown

from edged.bench.contestant import PATIENCE_S, Contestant
from edged.bench.machine import machine
from edged.bench.run import CAMERA, started_again
from edged.bench.settings import DEFAULT
from edged.bench.stage import Stage, Tried, stage, try_model
from edged.errors import EdgedError
from edged.records import PixelOrder
from edged.store.ledger import PLACE

CONFIG = """
[device]
id = "{name}"
state_dir = "{house}/state"
[mqtt]
host = "127.0.0.1"
port = {port}
[[pipelines]]
name = "bench"
model = "model"
source = {{kind = "images", path = "{photo}", loop = true, fps = 15}}
"""


class Run(Contestant):
    """``edged run``, which ends when it is told to and not when nobody asks for more."""

    def __init__(self, place: Stage, tried: Tried, name: str) -> None:
        house = place.house()
        self.state = house / "state"
        self._kept = house / "models"
        self._kept.mkdir()
        shutil.copy(tried.path, self._kept / "model.tflite")
        config = house / "edged.toml"
        config.write_text(
            CONFIG.format(name=house.name, house=house, port=place.broker.port, photo=PHOTO)
        )
        command = ["-m", "edged", "run", "-c", str(config)]
        super().__init__(name, command, house / "log", f"edged/{house.name}/bench/result")

    def forget(self) -> None:
        """All but the model's file."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir()
        shutil.copytree(self._kept, self.state / "models")

    def wait_until_good(self) -> None:
        """Until the model has passed its trial. Raises EdgedError."""
        until_s = time.monotonic() + PATIENCE_S
        while '"good"' not in (self.state / PLACE).read_text():
            if time.monotonic() > until_s:
                raise EdgedError("The model does not pass its trial")
            time.sleep(0.1)

    def close(self) -> dict[str, object]:
        process = self._process
        if process is not None:
            process.send_signal(signal.SIGTERM)
        super().close()
        return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=COCO_SSD)
    parser.add_argument("--starts", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    took: dict[str, list[float]] = {}
    try:
        tried = try_model(options.model, replace(DEFAULT, threads=1))
        with stage() as place, contextlib.ExitStack() as at_end:
            fresh, again = Run(place, tried, "edged, fresh"), Run(place, tried, "edged, restarted")
            script = naive(place, tried, shown(CAMERA, PixelOrder.BGR), 1, "minimal script")
            prepared: list[tuple[Contestant, Callable[[], None]]] = [
                (fresh, fresh.forget),
                (again, lambda: None),
                (script, lambda: None),
            ]
            for each, _ in prepared:
                at_end.callback(each.close)
            again.forget()
            again.start(place.broker)
            again.wait_until_good()
            again.close()
            for _ in range(options.starts):
                for each, prepare in prepared:
                    prepare()
                    took.setdefault(each.name, []).append(started_again(each, place.broker))
    except EdgedError as error:
        sys.exit(str(error))
    if options.json:
        print(json.dumps({"machine": machine(), "seconds": took}, indent=2))
        return
    print(", ".join(f"{what} {value}" for what, value in machine().items()))
    for name, seconds in took.items():
        median, low, high = statistics.median(seconds), min(seconds), max(seconds)
        print(f"{name:<18} {median:.2f} s (from {low:.2f} to {high:.2f}, {len(seconds)} starts)")


if __name__ == "__main__":
    main()
