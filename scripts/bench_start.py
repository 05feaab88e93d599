#!/usr/bin/env python3
"""From the start of a process to its first published result, on a warm disk.

    scripts/bench_start.py [--model FILE] [--starts N] [--json] [--plot FILE.png]

In turns: `edged run` with a state directory that is empty, so that the model is tried first; the
same once more, with the model known to be good; and the minimal script that people write. All have
the same model and give results of a picture of 1280x720; edged reads it itself, the script has it
in memory.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import statistics
import sys
import time
from collections.abc import Callable

from bench_frame import PHOTO, naive, shown
from bench_told import parser, plot_values, tell
from msgspec.structs import replace

from edged.bench.contestant import PATIENCE_S, Contestant
from edged.bench.plot import figure
from edged.bench.run import CAMERA, started_again
from edged.bench.settings import DEFAULT
from edged.bench.stage import Stage, Tried, stage, try_model
from edged.errors import EdgedError
from edged.records.frames import PixelOrder
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
    arguments = parser(__doc__)
    arguments.add_argument("--starts", type=int, default=11)
    options = arguments.parse_args()
    took: dict[str, list[float]] = {}
    try:
        if options.plot:
            figure(1)  # what is missing is told before anything is measured
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
        if options.plot:
            plot_values(took, "s from the start to the first result", options.plot)
    except EdgedError as error:
        sys.exit(str(error))
    lines = [
        f"{name:<18} {statistics.median(seconds):.2f} s "
        f"(from {min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)} starts)"
        for name, seconds in took.items()
    ]
    tell({"seconds": took}, lines, options.json)


if __name__ == "__main__":
    main()
