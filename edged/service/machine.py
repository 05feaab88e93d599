"""Facts about the machine, from files that Linux keeps. ``root`` lets tests bring their own."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
import secrets
from pathlib import Path

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def memory_bytes(root: Path = Path("/")) -> int:
    """This process's resident memory (proc(5), VmRSS)."""
    for line in (root / "proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def cores(root: Path = Path("/")) -> int:
    """How many this process may use: those it may run on, or what ``CPUQuota`` leaves of them, in
    whole ones (cgroup v2, cpu.max).
    """
    count = len(os.sched_getaffinity(0))
    top = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        own = next((line[4:] for line in lines if line.startswith("0::/")), "")
        for group in [top / own, *(top / own).parents]:
            with contextlib.suppress(OSError, ValueError):  # not below the top; or "max"
                quota_us, period_us = map(int, (group / "cpu.max").read_text().split())
                count = min(count, math.ceil(quota_us / period_us))
    return max(1, count)


def os_name(root: Path = Path("/")) -> str:
    """The distribution's own name (os-release(5)), or the kernel's."""
    try:
        lines = (root / "etc/os-release").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip("\"'")
    return f"{platform.system()} {platform.release()}"


def boot_id(root: Path = Path("/")) -> str:
    """What names the time since the machine was started (random(4)): its monotonic clock."""
    try:
        return (root / "proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"unknown-{secrets.token_hex(8)}"  # no stamp of another process is comparable


def keep_one_heap() -> None:
    """Let the threads that are started from now on share one heap: mallopt(3), where the C library
    has it.

    By itself glibc gives each a heap of its own, of whose end ``give_back_memory`` gives nothing
    back: where a model was read, about as much as its file takes.
    """
    with contextlib.suppress(AttributeError, OSError):  # a libc without it
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Hand freed heap back to the system: malloc_trim(3), where the C library has it.

    A model's weights are repacked into many small pieces when it is loaded. Freed, they leave
    holes that the next model does not quite fit, and the heap grows with each swap.
    """
    with contextlib.suppress(AttributeError, OSError):  # a libc without it
        ctypes.CDLL(None).malloc_trim(0)
