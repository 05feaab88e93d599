"""Facts about the machine, from a tree of files like Linux's."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edged.service import machine


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_resident_memory_is_read_in_bytes(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/status", "Name:\tedged\nVmPeak:\t  9000 kB\nVmRSS:\t   1234 kB\n")
    assert machine.memory_bytes(tmp_path) == 1234 * 1024


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 3),
        ({"a/b": "max 100000"}, 3),
        ({"a/b": "100000 100000"}, 1),
        ({"a/b": "max 100000", "a": "150000 100000"}, 2),
        ({"a/b": "20000 100000"}, 1),
        ({"a/b": "900000 100000"}, 3),
        ({"other": "100000 100000"}, 3),
    ],
)
def test_cores_are_those_it_may_run_on_and_may_use_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 2, 3})
    put(tmp_path, "proc/self/cgroup", "10:cpuset:/elsewhere\n0::/a/b\n")
    for group, limit in limits.items():
        put(tmp_path, f"sys/fs/cgroup/{group}/cpu.max", f"{limit}\n")
    assert machine.cores(tmp_path) == expected


def test_cores_are_known_where_there_are_no_control_groups(tmp_path: Path) -> None:
    assert machine.cores(tmp_path) == len(os.sched_getaffinity(0))


def test_this_process_has_some_memory() -> None:
    assert 1 << 20 < machine.memory_bytes() < 1 << 36


@pytest.mark.parametrize(
    "line",
    [
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
        "PRETTY_NAME='Debian GNU/Linux 12 (bookworm)'",
    ],
)
def test_the_system_has_its_own_name(tmp_path: Path, line: str) -> None:
    put(tmp_path, "etc/os-release", f"ID=debian\n{line}\nNAME=x\n")
    assert machine.os_name(tmp_path) == "Debian GNU/Linux 12 (bookworm)"


def test_a_system_that_tells_nothing_is_told_as_such(tmp_path: Path) -> None:
    assert machine.os_name(tmp_path) == f"{platform.system()} {platform.release()}"
    put(tmp_path, "etc/os-release", "ID=debian\n")
    assert machine.os_name(tmp_path) == f"{platform.system()} {platform.release()}"


def test_a_boot_has_its_id(tmp_path: Path) -> None:
    put(tmp_path, "proc/sys/kernel/random/boot_id", "0b9a7c1e-4b0e-4d3c-9f4e-5a2f6d3b1c00\n")
    assert machine.boot_id(tmp_path) == "0b9a7c1e-4b0e-4d3c-9f4e-5a2f6d3b1c00"


def test_where_boots_have_no_id_no_two_processes_are_of_the_same(tmp_path: Path) -> None:
    assert machine.boot_id(tmp_path) != machine.boot_id(tmp_path)


HEAP_OF_A_THREAD = """
import ctypes, threading
from pathlib import Path
from edged.service import machine

machine.keep_one_heap()
malloc, found = ctypes.CDLL(None).malloc, []
malloc.restype = ctypes.c_void_p
thread = threading.Thread(target=lambda: found.append(malloc(5000)))
thread.start()
thread.join()
[heap] = [line for line in Path("/proc/self/maps").read_text().splitlines() if "[heap]" in line]
first, last = (int(each, 16) for each in heap.split()[0].split("-"))
assert first <= found[0] < last
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have one heap, or own ways")
def test_threads_share_the_heap_whose_end_is_given_back() -> None:
    subprocess.run([sys.executable, "-c", HEAP_OF_A_THREAD], check=True)
