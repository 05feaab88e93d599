"""A disk that is really full: one sentence, and nothing half-written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from household import SMALL_MODELS
from spools import mounted

pytest.importorskip("litert_quantizer", reason="the extra workshop is not installed")

from quantizing import FLOAT, write_pictures

ROOM = "4k"  # one page, which the model before takes


def order(command: str, directory: Path, target: Path) -> list[str]:
    """What stands behind ``edged model``."""
    if command == "convert":
        source = SMALL_MODELS / "classifier_float32_dynamic_batch.tflite"
        return ["convert", str(source), "-o", str(target), "--force"]
    write_pictures(directory / "data", 8)
    data = str(directory / "data")
    return ["quantize", str(FLOAT), "--calibrate", data, "-o", str(target), "--force"]


@pytest.mark.parametrize("command", ["convert", "quantize"])
def test_no_room_for_what_is_made_leaves_what_was_there(command: str, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", ROOM) as disk:
        target = disk.path / "made.tflite"
        target.write_bytes(b"the model before")
        done = subprocess.run(
            [sys.executable, "-m", "edged", "model", *order(command, tmp_path, target)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (
            1,
            f"edged: cannot put the model into {disk.path}: No space left on device. Make room "
            "there; nothing there is half-written\n",
        )
        assert [path.name for path in disk.path.iterdir()] == ["made.tflite"]
        assert target.read_bytes() == b"the model before"
