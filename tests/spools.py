"""Files of spools, rows to put into them, and small disks that are full or cannot be written."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from patience import PATIENCE_S

from edged.publish import SpoolSettings, Stored
from edged.publish.publisher import Publisher
from edged.publish.spool import Spool, TooOld
from edged.records.health import SpoolMetrics
from edged.records.results import Result

BOOT = "0b9a7c1e-4b0e-4d3c-9f4e-5a2f6d3b1c00"
EARLIER = "11111111-4b0e-4d3c-9f4e-5a2f6d3b1c00"


def settings(
    directory: Path, max_bytes: int = 4 * 2**20, max_age_s: float = 3600, boot: str = BOOT
) -> SpoolSettings:
    return SpoolSettings(directory / "spool.db", boot, max_bytes, max_age_s)


def row(number: int, size: int = 400, boot: str = BOOT, synced: bool = True) -> Stored:
    """Captured ``number`` seconds after the boot, which was at 1,000,000 s."""
    payload = b"%d " % number + b"x" * size
    return Stored("front", payload, boot, number * 10**9, 1_000_000 + number, synced)


def number_of(stored: Stored) -> int:
    return int(stored.payload.split()[0])


def write(
    spool: Spool, *results: Stored, done: tuple[int, ...] = (), too_old: TooOld | None = None
) -> tuple[int, ...]:
    return spool.commit(results, frozenset(done), too_old, 0).rows


def numbers(spool: Spool) -> list[int]:
    """What is in it, in the order of reading."""
    found: list[int] = []
    after = 0
    while rows := spool.read(after, 100):
        found += [number_of(stored) for _, stored in rows]
        after = rows[-1][0]
    return found


def sequences(directory: Path) -> list[int]:
    """Those of the results in a spool that nobody has open."""
    spool = Spool(settings(directory))
    spool.open()
    found = [json.loads(stored.payload)["sequence"] for _, stored in spool.read(0, 100_000)]
    spool.close()
    return found


def put(sender: Publisher, a_result: Callable[..., Result], numbers: range) -> None:
    """Results that a broker's log can tell apart: each of a pipeline of its own."""
    for number in numbers:
        sender.publish(a_result(number, pipeline=f"p{number}"))


def numbers_in(topics: list[str]) -> list[int]:
    """Which of these have come, in order."""
    return [int(topic.split("/")[2][1:]) for topic in topics if topic.endswith("/result")]


class Broker(Protocol):
    """What is asked of a broker that logs what it is sent."""

    def topics(self) -> list[str]: ...

    def wait_for_topics(self, holds: Callable[[list[str]], bool]) -> None: ...


def came(broker: Broker, count: int) -> list[int]:
    """Which of these have come, once there are so many: its log is read a little later."""
    broker.wait_for_topics(lambda topics: len(set(numbers_in(topics))) >= count)
    return numbers_in(broker.topics())


def wait_for_metrics(sender: Publisher, holds: Callable[[SpoolMetrics], bool]) -> SpoolMetrics:
    """Wait until the spool is in that state."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds(metrics := sender.metrics()):
        assert time.monotonic() < deadline, metrics
        sender.wait_delivered(timeout_s=0.02)
    return metrics


def wait_until_spooled(sender: Publisher, count: int) -> SpoolMetrics:
    """Wait until so many results are on the disk and nowhere else."""
    return wait_for_metrics(sender, lambda spool: (spool.depth, spool.in_memory) == (count, 0))


def in_child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Another process that runs ``code`` with this module's names."""
    script = f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    script += f"from spools import *\n{textwrap.dedent(code)}"
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


def opened(directory: str) -> Spool:
    """For a child."""
    spool = Spool(settings(Path(directory)))
    spool.open()
    return spool


def said(child: subprocess.Popen[Any]) -> str:
    """The child's next line."""
    assert child.stdout is not None
    return str(child.stdout.readline()).strip()


class SmallDisk:
    """A file system of its own, in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self._ballast.unlink()

    def make_read_only(self) -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)

    def make_writable(self) -> None:
        subprocess.run(["mount", "-o", "remount,rw", str(self.path)], check=True)


@contextmanager
def mounted(path: Path, size: str) -> Iterator[SmallDisk]:
    """Skips the test where nothing may be mounted."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
