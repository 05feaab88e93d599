"""How often a model is right, and what it takes for what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.engine.runtime import runtime
from edged.records.arrays import FloatArray

from .lessons import Scaling, mounted_anyhow, under_gravity, windows
from .recordings import LABELS, Recordings

VIEWS: Mapping[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
    "as recorded": lambda series, _: series,
    "under gravity": under_gravity,
    "under gravity, mounted anyhow": lambda series, rng: mounted_anyhow(
        under_gravity(series, rng), rng
    ),
}
"""How series may be seen: n x time x channels, and chance, to the same shape."""


@dataclass(frozen=True, slots=True)
class Measure:
    """``confusion`` int64, classes x classes: row what it was, column what was said."""

    confusion: npt.NDArray[np.int64]

    @classmethod
    def of(cls, truth: npt.NDArray[np.int64], said: npt.NDArray[np.int64]) -> Measure:
        confusion = np.zeros((len(LABELS), len(LABELS)), np.int64)
        np.add.at(confusion, (truth, said), 1)
        return cls(confusion)

    @classmethod
    def of_nothing(cls) -> Measure:
        none = np.empty(0, np.int64)
        return cls.of(none, none)

    @property
    def accuracy(self) -> float:
        return float(self.confusion.trace() / self.confusion.sum())

    def __add__(self, other: Measure) -> Measure:
        return Measure(self.confusion + other.confusion)

    def __str__(self) -> str:
        head = "".join(f"{label:>11}" for label in LABELS)
        rows = (
            f"{label:10}" + "".join(f"{count:11}" for count in row)
            for label, row in zip(LABELS, self.confusion, strict=True)
        )
        right = f"{self.confusion.trace()} of {self.confusion.sum()} windows"
        return "\n".join((f"accuracy {self.accuracy:.4f}, {right}", f"{'':10}{head}", *rows))


def measure(
    classify: Callable[[FloatArray], int], recordings: Recordings, length: int, view: str
) -> Measure:
    """``classify`` on each window (float32, length x channels) of the recordings in a view."""
    seen = VIEWS[view](recordings.series, np.random.default_rng(0))
    cut = windows(Recordings(seen, recordings.classes), length)
    return Measure.of(cut.classes, np.array([classify(window) for window in cut.series]))


def of_file(model: bytes, scaling: Scaling) -> Callable[[FloatArray], int]:
    """The class that a .tflite file gives to a window, by the runtime that edged would use.

    The input is quantised as edged does it: scaled, divided by its scale, rounded, clipped.
    """
    interpreter = runtime().module.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = given["quantization"]

    def classify(window: FloatArray) -> int:
        tensor = scaling.apply(window)[None]
        if given["dtype"] is np.int8:
            tensor = np.rint(tensor / scale + zero_point).clip(-128, 127).astype(np.int8)
        interpreter.set_tensor(given["index"], tensor)
        interpreter.invoke()
        return int(interpreter.get_tensor(output["index"])[0].argmax())

    return classify
