"""A clock that stands still while others have the processor."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edged.engine.held_up import UndisturbedClock, process_held_up_ns

BUSY = "print(flush=True)\nwhile True: pass"
WORK_NS = 300_000_000


def beside_another(core: int, took: dict[str, int]) -> None:
    """Work so long on a core on which another process works too."""
    os.sched_setaffinity(0, {core})  # this thread, and what it starts
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        undisturbed_ns = UndisturbedClock()
        began = time.monotonic_ns(), undisturbed_ns(), process_held_up_ns()
        until_ns = time.thread_time_ns() + WORK_NS
        while time.thread_time_ns() < until_ns:
            pass
        took["undisturbed"] = undisturbed_ns() - began[1]
        took["all"] = time.monotonic_ns() - began[0]
        took["held up"] = process_held_up_ns() - began[2]
        other.kill()


@pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="the kernel does not count it"
)
def test_what_another_process_takes_of_the_core_does_not_count() -> None:
    took: dict[str, int] = {}
    core = min(os.sched_getaffinity(0))
    thread = threading.Thread(target=beside_another, args=[core, took])
    thread.start()
    thread.join()
    assert took["all"] > 1.2 * took["undisturbed"]
    assert took["undisturbed"] < 1.6 * WORK_NS
    assert took["held up"] > 0.5 * (took["all"] - took["undisturbed"])


def test_without_others_it_is_the_monotonic_clock() -> None:
    undisturbed_ns = UndisturbedClock()
    first_ns, then_ns = undisturbed_ns(), undisturbed_ns()
    assert first_ns <= then_ns <= time.monotonic_ns()
