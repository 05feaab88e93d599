"""Devices that libasound makes out of nothing, so that no sound card is needed to open one."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edged.sources.alsa import LIBRARY


def alsa_devices(
    directory: Path, monkeypatch: pytest.MonkeyPatch, samples: npt.NDArray[np.int16]
) -> None:
    """From now on ALSA has ``nothing``, which records silence, and ``recorder``, which records
    ``samples``; both as fast as they are read.
    """
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        pytest.skip(f"{LIBRARY} is not installed: sudo apt install alsa-utils")
    recording, config = directory / "recording.raw", directory / "asound.conf"
    recording.write_bytes(samples.astype("<i2").tobytes())
    config.write_text(
        f"""pcm.nothing {{ type null }}
        pcm.recorder {{
            type file
            format raw
            slave.pcm nothing
            file /dev/null
            infile {recording}
        }}"""
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
