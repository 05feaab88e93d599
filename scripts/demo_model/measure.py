"""What a finished .tflite file finds on frames of scenes it was not trained on."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edged.groundtruth import Counts, match, mean_average_precision
from edged.records.arrays import UInt8Array
from edged.records.frames import Size
from edged.records.results import Detection
from edged.sources.scene import LABELS

from .pictures import unseen

MEASURED_SEEDS = range(100, 120)
FRAMES_PER_SEED = 25
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Measure:
    """``by_label``: counts at the score threshold. ``invoke_ms``: the median, on one thread."""

    mean_average_precision: float
    by_label: dict[str, Counts]
    invoke_ms: float

    def __str__(self) -> str:
        lines = [f"mAP@0.5 {self.mean_average_precision:.4f}, {self.invoke_ms:.2f} ms a frame"]
        for label, counts in self.by_label.items():
            shares = f"precision {counts.precision:.3f}  recall {counts.recall:.3f}"
            lines.append(f"  {label:10} {shares}  {counts}")
        return "\n".join(lines)


def measure(model: bytes, size: Size = Size(640, 480)) -> Measure:  # noqa: B008  (frozen)
    """Run the model over the measured seeds' frames of ``size``."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    truths, found, times_ms = [], [], []
    for picture, shown in unseen(MEASURED_SEEDS, FRAMES_PER_SEED, size):
        begin = time.perf_counter()
        found.append(_detect(interpreter, picture))
        times_ms.append((time.perf_counter() - begin) * 1e3)
        truths.append(shown)
    by_label = {label: Counts() for label in LABELS}
    for shown, detections in zip(truths, found, strict=True):
        for label in LABELS:
            by_label[label] += match(
                [truth for truth in shown if truth.label == label],
                [d for d in detections if d.label == label and d.score >= THRESHOLD],
            )
    return Measure(mean_average_precision(truths, found), by_label, float(np.median(times_ms)))


def _detect(interpreter: Interpreter, picture: UInt8Array) -> list[Detection]:
    given = interpreter.get_input_details()[0]
    is_float = given["dtype"] is np.float32
    tensor = picture.astype(np.float32) / np.float32(255) if is_float else picture
    interpreter.set_tensor(given["index"], tensor[None])
    interpreter.invoke()
    boxes, classes, scores, count = (
        interpreter.get_tensor(output["index"])[0] for output in interpreter.get_output_details()
    )
    return [
        Detection(LABELS[int(classes[n])], float(scores[n]), _clipped(boxes[n]))
        for n in range(int(count))
    ]


def _clipped(
    box: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> tuple[float, float, float, float]:
    y_min, x_min, y_max, x_max = (float(side) for side in box.clip(0, 1))
    return x_min, y_min, x_max, y_max
