#!/usr/bin/env python3
"""What a sensor of Linux industrial I/O costs: 6 channels at 1 kHz, in per cent of one core.

    .venv/bin/python scripts/bench_iio.py [--seconds 20]

Another process plays the kernel: it writes scans of 16-bit values with time stamps into a FIFO, 50
at a time, as a buffer with that watermark gives them. Two sources read it in turns: samples alone,
and windows of one second, every half second. The processor time is that of the reading process,
all threads, from the first block on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edged.samples import WindowShape
from edged.sources.iio import IioSource
from edged.sources.windowed import WindowedSource

RATE_HZ = 1000
AT_ONCE = 50
AXES = [f"{kind}_{axis}" for kind in ("accel", "anglvel") for axis in "xyz"]


def plant(root: Path) -> Path:
    """A sensor's tree below ``root``; the path of its character device."""
    device = root / "sys/bus/iio/devices/iio:device0"
    attributes = {
        "name": "bench",
        "current_timestamp_clock": "realtime",
        "sampling_frequency": str(RATE_HZ),
        "in_accel_scale": "0.000598",
        "in_anglvel_scale": "0.001064724",
        "buffer/enable": "0",
        "buffer/length": "2",
        "buffer/watermark": "1",
    }
    for index, name in enumerate([*AXES, "timestamp"]):
        type_ = "le:s64/64>>0" if name == "timestamp" else "be:s16/16>>0"
        for key, value in (("en", "0"), ("index", str(index)), ("type", type_)):
            attributes[f"scan_elements/in_{name}_{key}"] = value
        if name != "timestamp":
            attributes[f"in_{name}_raw"] = "0"
    for name, value in attributes.items():
        (device / name).parent.mkdir(parents=True, exist_ok=True)
        (device / name).write_text(f"{value}\n")
    fifo = root / "dev/iio:device0"
    fifo.parent.mkdir()
    os.mkfifo(fifo)
    return fifo


def feed(fifo: Path) -> None:
    """Scans for ever, at their rate; a reader that is not there loses them."""
    file = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    period_ns = 1_000_000_000 // RATE_HZ
    stamp_ns = time.monotonic_ns()
    scan = struct.Struct(">6h4x")
    number = 0
    while True:
        block = bytearray()
        for _ in range(AT_ONCE):
            values = [(number * (axis + 1)) % 2000 - 1000 for axis in range(6)]
            block += scan.pack(*values) + struct.pack("<q", stamp_ns)
            number, stamp_ns = number + 1, stamp_ns + period_ns
        time.sleep(max(0.0, (stamp_ns - time.monotonic_ns()) / 1e9))
        try:
            os.write(file, block)
        except BlockingIOError:
            continue


def cost(read: Callable[[], int], seconds: float) -> tuple[float, float]:
    """The share of one core, and how many samples a second came."""
    read()
    began, cpu, samples = time.monotonic(), time.process_time(), 0
    while (took := time.monotonic() - began) < seconds:
        samples += read()
    return (time.process_time() - cpu) / took, samples / took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long in all (20)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        fifo = plant(root)
        feeder = multiprocessing.Process(target=feed, args=(fifo,), daemon=True)
        feeder.start()
        alone = IioSource("bench", sysfs_root=root / "sys", dev=root / "dev")
        inner = IioSource("bench", sysfs_root=root / "sys", dev=root / "dev")
        windows = WindowedSource(inner)
        shape = WindowShape(rate_hz=None, length=RATE_HZ, hop=RATE_HZ // 2)

        def window() -> int:
            found = windows.read()
            assert found is not None
            return RATE_HZ // 2

        for turn in (1, 2):
            alone.open()
            share, rate = cost(lambda: len(alone.read().values), seconds / 4)
            alone.close()
            print(f"samples alone, turn {turn}: {share:.2%} of a core, {rate:.0f} a second")
            windows.open(shape)
            share, rate = cost(window, seconds / 4)
            windows.close()
            print(f"as windows,    turn {turn}: {share:.2%} of a core, {rate:.0f} a second")
        feeder.terminate()
        feeder.join()


if __name__ == "__main__":
    main()
