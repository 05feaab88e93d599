#!/usr/bin/env python3
"""What a sensor costs besides the model: 6 channels at 1 kHz, in per cent of one core.

From a table that is played in real time, and from a sensor of Linux industrial I/O whose kernel is
another process. Samples go the whole way that they go in the daemon, through windows to the slot
and out of it in another thread, which does nothing with them: as windows of a second, every half
and every tenth of one, and resampled to 100 Hz. In turns; the figure is the process's time on the
processor, all threads, per time that passed.

    scripts/bench_sensor.py [--seconds 5] [--turns 3] [--json] [--plot FILE.png]
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench_told import parser, plot_values, tell
from played_iio import RATE_HZ, played_sensor

from edged.capture import Capture
from edged.handoff import LatestSlot
from edged.samples import Captured, WindowShape
from edged.sources import SampleSource
from edged.sources.csv_table import CsvSource
from edged.sources.windowed import WindowedSource

COLUMNS = [
    f"{kind}_{axis} ({unit})"
    for kind, unit in (("accel", "m/s^2"), ("gyro", "rad/s"))
    for axis in "xyz"
]
WAYS = {
    "windows of 1 s, every 0.5 s": (WindowShape(RATE_HZ, RATE_HZ), 0.5),
    "windows of 1 s, every 0.1 s": (WindowShape(RATE_HZ, RATE_HZ), 0.1),
    "resampled to 100 Hz, every 0.1 s": (WindowShape(100, 100), 0.1),
}


def write_table(path: Path, seconds: float) -> Path:
    with path.open("w") as file:
        file.write(",".join(["time (s)", *COLUMNS]) + "\n")
        for n in range(round(seconds * RATE_HZ)):
            values = [f"{9.81 * math.sin(n / 50 + phase):.6f}" for phase in range(len(COLUMNS))]
            file.write(",".join([f"{n / RATE_HZ:.3f}", *values]) + "\n")
    return path


def cost(source: SampleSource, shape: WindowShape, hop_s: float, seconds: float) -> float:
    """The share of one core."""
    slot: LatestSlot[Captured] = LatestSlot()
    capture = Capture(
        "bench",
        WindowedSource(source, hop_s=hop_s),
        slot,
        fps=None,
        realtime=True,
        on_state=lambda state, reason: None if reason is None else print(reason),
    )
    capture.start(shape)
    slot.take()  # the first window is full after a second
    began, cpu, windows = time.monotonic(), time.process_time(), 0
    while (took := time.monotonic() - began) < seconds:
        slot.take()
        windows += 1
    share = (time.process_time() - cpu) / took
    capture.stop()
    if windows < 0.9 * took / hop_s or capture.gaps:
        sys.exit(f"only {windows} windows came in {took:.1f} s, and {capture.gaps} gaps")
    return share


def main() -> None:
    arguments = parser(__doc__, None)
    arguments.add_argument("--seconds", type=float, default=5, help="of one turn (5)")
    arguments.add_argument("--turns", type=int, default=3, help="of each way (3)")
    options = arguments.parse_args()
    shares: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        table = write_table(Path(directory) / "imu.csv", options.seconds + 5)
        for _ in range(options.turns):
            for way, (shape, hop_s) in WAYS.items():
                recording = CsvSource(table, loop=False, realtime=True, rate_hz=None)
                share = cost(recording, shape, hop_s, options.seconds)
                shares.setdefault(f"csv, {way}", []).append(share)
                with played_sensor() as sensor:
                    share = cost(sensor, shape, hop_s, options.seconds)
                shares.setdefault(f"iio, {way}", []).append(share)
    lines = [
        f"{way}: {statistics.median(found):.2%} of a core ({max(found):.2%} at most)"
        for way, found in shares.items()
    ]
    tell({"shares_of_a_core": shares}, lines, options.json)
    if options.plot:
        percent = {way: [100 * share for share in found] for way, found in shares.items()}
        plot_values(percent, "% of a core", options.plot)


if __name__ == "__main__":
    main()
