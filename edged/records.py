"""The types that flow from a source to the publisher.

Frozen and slotted; NumPy arrays until the last moment, objects after. Coordinates of boxes are
shares of the whole source frame, 0..1, origin top left, as ``x_min, y_min, x_max, y_max``.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
AnyArray = npt.NDArray[Any]


class PixelOrder(enum.Enum):
    """The order of a frame's channels. OpenCV decodes to BGR; a swap after the resize is cheaper."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture from a source.

    ``pixels`` is uint8, H x W x 3 in ``order`` (H x W where that is GRAY), C-contiguous. Nobody
    writes to it while anyone still refers to it (see ``sources.buffers``). ``captured_ns`` and
    ``arrived_ns`` are of the monotonic clock (``time.monotonic_ns``): when the sensor took the
    picture, as far as is known, and when it reached this process.
    """

    number: int
    captured_ns: int
    arrived_ns: int
    pixels: UInt8Array
    order: PixelOrder


@dataclass(frozen=True, slots=True)
class Quantization:
    """Affine quantisation of a whole tensor: ``real = (stored - zero_point) * scale``."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A model's input or output. ``quantization`` is None for a tensor that has none.

    ``shape_signature`` is ``shape`` with -1 where a dimension is dynamic. ``index`` is the
    interpreter's own number of the tensor.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str  # NumPy's name: "uint8", "int8", "float32", "int64", ...
    quantization: Quantization | None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model serves. ``version`` is the first 12 hex digits of ``sha256``."""

    name: str
    sha256: str
    size_bytes: int
    task: str
    labels: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.sha256[:12]


# ---- what a decoder gives: arrays -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScoredClasses:
    """Classification: ``scores`` float32, shape (classes,), each 0..1."""

    scores: FloatArray


@dataclass(frozen=True, slots=True)
class ScoredBoxes:
    """Detection: n boxes, best first or not.

    ``boxes`` float32 (n, 4), ``x_min, y_min, x_max, y_max`` as shares of the *model input*;
    ``scores`` float32 (n,), 0..1; ``classes`` int64 (n,).
    """

    boxes: FloatArray
    scores: FloatArray
    classes: npt.NDArray[np.int64]


Decoded = ScoredClasses | ScoredBoxes


# ---- what is published: objects -----------------------------------------------------------------


class ClassScore(msgspec.Struct, frozen=True):
    """One class of a classification. ``score`` is 0..1, at most 4 decimals."""

    label: str
    score: float


class Detection(msgspec.Struct, frozen=True):
    """One detected object. ``box`` is in shares of the original frame, clipped to 0..1."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class Latency(msgspec.Struct, frozen=True):
    """Where a result's time went, in milliseconds.

    ``wait``: in the slot before the engine took the frame. ``total``: from the frame's arrival in
    the process to the hand-over of the result to the publisher.
    """

    wait: float
    preprocess: float
    inference: float
    decode: float
    total: float
