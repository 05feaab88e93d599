#!/usr/bin/env python3
"""How much the spool writes to its disk while the broker is away: bytes in an hour, at some rates.

    scripts/spool_writes.py [--rates 1 20] [--seconds 120] [--directory /var/tmp]

The real publisher, without a broker, with results like those of a detector. What the kernel counts
as sent to the storage layer (write_bytes of proc(5), /proc/self/io) is taken, with the writes of
checkpoints; a file system's own journal is not in it. The directory must not be in memory (tmpfs).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from edged.build import spool_settings
from edged.clock import SystemClock
from edged.config import Spool
from edged.publish import Context
from edged.publish.publisher import Publisher
from edged.publish.settings import MqttSettings
from edged.records.models import ModelRef
from edged.records.results import Detection, Latency, Result

DETECTIONS = 3


def written_bytes() -> int:
    for line in Path("/proc/self/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise SystemExit("this kernel does not count what a process writes")


def result(sequence: int) -> Result:
    found = Detection("person", 0.7312, (0.0712, 0.131, 0.7181, 0.9772))
    return Result(
        pipeline="front",
        sequence=sequence,
        captured_ns=time.monotonic_ns(),
        model=ModelRef("coco-ssd", "e4b118e5e453"),
        latency_ms=Latency(0.312, 0.214, 12.914, 0.061, 13.512),
        task="detection",
        findings=(found,) * DETECTIONS,
    )


def measure(rate_hz: float, seconds: float, directory: Path) -> None:
    context = Context("edged", "pi", "c0ffee12", 1, SystemClock(), "0")
    with tempfile.TemporaryDirectory(dir=directory) as state_dir:
        spool = spool_settings(Spool(), Path(state_dir))
        publisher = Publisher(MqttSettings("127.0.0.1", 1, "edged-pi"), context, spool=spool)
        publisher.start()
        before, began_s = written_bytes(), time.monotonic()
        for sequence in range(int(rate_hz * seconds)):
            publisher.publish(result(sequence))
            time.sleep(max(0.0, began_s + (sequence + 1) / rate_hz - time.monotonic()))
        took_s = time.monotonic() - began_s
        per_hour = (written_bytes() - before) * 3600 / took_s
        kept = publisher.metrics()
        publisher.close(5)
    print(
        f"{rate_hz:g} results a second: {per_hour / 1e6:.1f} MB written in an hour; "
        f"{kept.depth} results took {kept.bytes / 1e3:.0f} kB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=float, nargs="+", default=[1, 20])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    for rate_hz in options.rates:
        measure(rate_hz, options.seconds, options.directory)


if __name__ == "__main__":
    main()
