"""The float model and pictures of the demo's scenes, for ``edged model quantize`` and ``compare``.

    python -m demo_model.workshop DIRECTORY    (in scripts/): the pictures alone

``DIRECTORY`` gets ``float.tflite`` with its labels and ``float.toml``, ``calibrate/`` (200 frames
of 40 scenes) and ``test/`` (500 frames of 20 others, and ``annotations.json`` as COCO has it). The
detector has learnt from none of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edged.groundtruth import LEAST_VISIBLE
from edged.records.frames import Size
from edged.sources.scene import LABELS, SHOT_FRAMES, Scene, Truth

SIZE = Size(640, 480)
_CALIBRATED, _TESTED = range(200, 240), range(100, 120)
_CALIBRATED_FRAMES, _TESTED_FRAMES = 5, 25


def write(directory: Path, model: bytes) -> None:
    """Everything; ``model`` takes RGB as 0..1."""
    write_pictures(directory)
    (directory / "float.tflite").write_bytes(model)
    (directory / "float.labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (directory / "float.toml").write_text("[input]\nmean = 0\nstd = 255\n")


def write_pictures(directory: Path) -> None:
    """Those to calibrate with, and those to test with."""
    _frames(directory / "calibrate", _CALIBRATED, _CALIBRATED_FRAMES)
    shown = _frames(directory / "test", _TESTED, _TESTED_FRAMES)
    told = json.dumps(annotations(shown))
    (directory / "test" / "annotations.json").write_text(told)


def _frames(directory: Path, seeds: range, count: int) -> list[tuple[str, Sequence[Truth]]]:
    """``count`` frames of each seed's scene, spread over its shots: their names and truths."""
    directory.mkdir(parents=True, exist_ok=True)
    frame = np.empty((SIZE.height, SIZE.width, 3), np.uint8)
    shown: list[tuple[str, Sequence[Truth]]] = []
    for seed in seeds:
        scene = Scene(seed, SIZE)
        for index in range(count):
            truths = scene.render(index * SHOT_FRAMES + index * 37 % SHOT_FRAMES, frame)
            name = f"{seed}-{index:02}.png"
            cv2.imwrite(str(directory / name), frame[..., ::-1])
            shown.append((name, truths))
    return shown


def annotations(shown: Sequence[tuple[str, Sequence[Truth]]]) -> dict[str, list[dict[str, object]]]:
    """COCO's tables; shapes that are mostly hidden are crowds: not asked for, nor held against."""
    told = [
        {
            "image_id": image,
            "category_id": LABELS.index(truth.label),
            "bbox": _in_pixels(truth.box),
            "iscrowd": int(truth.visible < LEAST_VISIBLE),
        }
        for image, (_, truths) in enumerate(shown)
        for truth in truths
        if truth.visible > 0
    ]
    return {
        "images": [
            {"id": image, "file_name": name, "width": SIZE.width, "height": SIZE.height}
            for image, (name, _) in enumerate(shown)
        ],
        "annotations": [{"id": number, **each} for number, each in enumerate(told)],
        "categories": [{"id": n, "name": label} for n, label in enumerate(LABELS)],
    }


def _in_pixels(box: tuple[float, float, float, float]) -> list[float]:
    """x, y, width and height."""
    x, y, right, bottom = box
    width, height = SIZE.width, SIZE.height
    return [x * width, y * height, (right - x) * width, (bottom - y) * height]


if __name__ == "__main__":
    write_pictures(Path(sys.argv[1]))
