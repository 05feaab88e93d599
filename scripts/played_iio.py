"""A sensor of Linux industrial I/O, played by another process in the kernel's place.

It writes scans of 16-bit values with time stamps into a FIFO, 50 at a time, as a buffer with that
watermark gives them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edged.sources.iio import IioSource

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


@contextlib.contextmanager
def played_sensor() -> Iterator[IioSource]:
    """6 channels at 1 kHz, for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        feeder = multiprocessing.Process(target=feed, args=(plant(root),), daemon=True)
        feeder.start()
        try:
            yield IioSource("bench", sysfs_root=root / "sys", dev=root / "dev")
        finally:
            feeder.terminate()
            feeder.join()
