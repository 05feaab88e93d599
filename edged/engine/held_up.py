"""How long threads were ready to run while others had the processor (schedstat, proc(5)).

A busy device must not make a model look slow.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


class UndisturbedClock:
    """The monotonic clock, but for the thread that makes and calls it: it stands still while that
    one waits for a processor. It is the plain clock where the kernel does not count waiting.
    """

    def __init__(self) -> None:
        self._waits = _opened("/proc/thread-self/schedstat")

    def __call__(self) -> int:
        """Nanoseconds."""
        held_up_ns = held_up_by(self._waits)
        while True:
            now_ns = time.monotonic_ns()
            before_ns, held_up_ns = held_up_ns, held_up_by(self._waits)
            if held_up_ns == before_ns:  # else it was held up between the two looks
                return now_ns - held_up_ns

    def __del__(self) -> None:
        os.close(self._waits)


def process_held_up_ns() -> int:
    """All threads of this process together. 0 where the kernel does not count it."""
    return sum(map(_held_up_ns, Path("/proc/self/task").iterdir()))


def waits_of(process: int) -> int:
    """A file, to be closed, that tells ``held_up_by`` of the process's first thread: also when it
    may not be opened any more.
    """
    return _opened(f"/proc/{process}/schedstat")


def held_up_by(waits: int) -> int:
    """Nanoseconds; 0 where nothing is known, or the process is gone."""
    try:
        return int(os.pread(waits, 100, 0).split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _opened(counts: str) -> int:
    try:
        return os.open(counts, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # over already, or the kernel does not count it
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _held_up_ns(task: Path) -> int:
    waits = _opened(f"{task}/schedstat")  # a thread may end meanwhile
    try:
        return held_up_by(waits)
    finally:
        os.close(waits)
