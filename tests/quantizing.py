"""What the tests of the workshop quantise, and data to do it with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from household import OPTIONS, SMALL_MODELS

from edged.loading import build_model
from edged.records.decoded import ScoredClasses
from edged.records.frames import Frame, PixelOrder
from edged.store.models import read_model_files

FLOAT = SMALL_MODELS / "classifier_float32_metadata.tflite"
WINDOWS = SMALL_MODELS / "window_float32.tflite"


def write_pictures(directory: Path, count: int, size: int = 40, seed: int = 1) -> None:
    """Of one colour each, with some noise."""
    directory.mkdir(parents=True, exist_ok=True)
    source = np.random.default_rng(seed)
    for number in range(count):
        noise = source.integers(0, 20, (size, size, 3))
        pixels = (source.integers(0, 236, 3) + noise).astype(np.uint8)
        assert cv2.imwrite(str(directory / f"{number:03}.png"), pixels)


def write_table(path: Path, values: np.ndarray) -> None:
    """Of channels x, y and z at 100 Hz."""
    lines = [f"{n / 100},{','.join(map(str, row))}" for n, row in enumerate(values)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["time_s,x,y,z", *lines]))


def best(path: Path, colour: tuple[int, int, int]) -> tuple[str, float]:
    """What the classifier at ``path`` finds in a picture of that colour (RGB), and how sure."""
    files = read_model_files(path)
    model = build_model(files.name, files, path, OPTIONS, None)
    pixels = np.full((32, 32, 3), colour, np.uint8)
    found = model.infer(Frame(0, 0, 0, pixels, PixelOrder.RGB)).decoded
    assert isinstance(found, ScoredClasses)
    place = int(found.scores.argmax())
    return model.reading.labels.name(place), float(found.scores[place])


def hard_to_quantize() -> bytes:
    """A classifier of three colours: what tells them apart is a hundredth of a sum that one of its
    layers gives, and another takes the rest away again.
    """
    # They need what comes with ai-edge-litert.
    from tflite_builder import ModelBuilder
    from tflite_layers import connected, mean_colour, softmax

    model = ModelBuilder("little differences on a great sum")
    picture = model.tensor("image", (1, 32, 32, 3))
    colour = mean_colour(model, picture)
    none = np.zeros(3, np.float32)
    great = model.tensor("great", (1, 3))
    connected(model, colour, np.eye(3, dtype=np.float32), none + 100, great)
    logits = model.tensor("logits", (1, 3))
    connected(model, great, 5 * np.eye(3, dtype=np.float32), none - 500, logits)
    return model.build([picture], [softmax(model, logits)])
