"""On what was measured."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cv2
import numpy as np

from .. import __version__
from ..engine.runtime import runtime
from ..service.machine import os_name


def machine(root: Path = Path("/")) -> dict[str, str]:
    """The machine and the versions of what runs on it, by what they are called."""
    binding = runtime()
    return {
        "cpu": f"{processor(root)}, {len(os.sched_getaffinity(0))} cores",
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "os": os_name(root),
        "edged": __version__,
        "runtime": f"{binding.name} {binding.version}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def processor(root: Path = Path("/")) -> str:
    """The board's name where there is one (a Raspberry Pi's), else the processor's."""
    board = root / "proc/device-tree/model"
    if board.is_file():
        return board.read_text(errors="replace").strip("\0\n ")
    for line in (root / "proc/cpuinfo").read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware"):
            return " ".join(value.split())
    return platform.machine()
