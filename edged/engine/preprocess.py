"""From a frame to the input tensor: cut, scale, reorder channels, normalise and quantise.

The frame is scaled straight into the interpreter's own memory where the bytes need no change.
Normalisation and quantisation together are one table of 256 entries a channel, applied after the
frame has become small; where the table comes to the identity it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import ModelError
from ..records import AnyArray, Frame, PixelOrder, Size, TensorSpec, UInt8Array
from ..samples import Captured, Want
from .geometry import Fit, Placement, scaled_size

_SWAPS = {
    (PixelOrder.RGB, PixelOrder.BGR): cv2.COLOR_RGB2BGR,
    (PixelOrder.BGR, PixelOrder.RGB): cv2.COLOR_BGR2RGB,
    (PixelOrder.RGB, PixelOrder.GRAY): cv2.COLOR_RGB2GRAY,
    (PixelOrder.BGR, PixelOrder.GRAY): cv2.COLOR_BGR2GRAY,
    (PixelOrder.GRAY, PixelOrder.RGB): cv2.COLOR_GRAY2RGB,
    (PixelOrder.GRAY, PixelOrder.BGR): cv2.COLOR_GRAY2BGR,
}


@dataclass(frozen=True, slots=True)
class Normalization:
    """``(value - mean) / std``, for all channels alike (one number) or each its own.

    ``origin`` says where the rule comes from, for people to read.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str

    def said(self, of: str) -> str:
        """``of``: what is normalised."""
        return f"({of} - {_shown(self.mean)}) / {_shown(self.std)}, from {self.origin}"


@dataclass(frozen=True, slots=True)
class PixelRule:
    """What becomes of a byte of the picture. ``table`` is None where it stays as it is.

    ``table`` has the input's dtype and the shape (256,), or (256, 3) where the channels differ.
    """

    table: AnyArray | None
    said: str


def pixel_rule(tensor: TensorSpec, normalization: Normalization | None) -> PixelRule:
    """How bytes 0..255 come into ``tensor``: design §6. Raises ModelError for other dtypes."""
    byte = np.arange(256, dtype=np.float64)
    dtype = np.dtype(tensor.dtype)
    if dtype not in (np.uint8, np.int8, np.float32):
        raise ModelError(
            f"its input is {tensor.dtype}; a picture needs an input of uint8, int8 or float32"
        )
    if normalization is None:
        if dtype == np.uint8:
            return PixelRule(None, "assumed: bytes as they are (nothing says how to normalise)")
        if dtype == np.int8:
            table: AnyArray = (byte - 128).astype(np.int8)
            return PixelRule(table, "assumed: bytes minus 128 (nothing says how to normalise)")
        table = ((byte - 127.5) / 127.5).astype(np.float32)
        return PixelRule(table, "assumed: -1 to 1 (nothing says how to normalise)")
    mean, std = np.broadcast_arrays(normalization.mean, normalization.std)
    real = (byte[:, None] - mean) / std
    if len(mean) == 1:
        real = real[:, 0]
    said = normalization.said("byte")
    if dtype == np.float32:
        return PixelRule(real.astype(np.float32), said)
    if tensor.quantization is None:
        raise ModelError(
            f"{normalization.origin} normalises its {tensor.dtype} input, but the tensor has no "
            "scale and zero point to quantise with"
        )
    scale, zero = tensor.quantization.scale, tensor.quantization.zero_point
    limits = np.iinfo(dtype)
    # Rounds halves away from zero, as TFLite's own quantisation does.
    steps = real / scale
    stored = np.trunc(steps + np.copysign(0.5, steps)) + zero
    table = np.clip(stored, limits.min, limits.max).astype(dtype)
    said = f"{said}, then {tensor.quantization}"
    same = dtype == np.uint8 and bool(np.all(np.arange(256) == table.T))
    return PixelRule(None if same else table, said)


def _shown(numbers: Sequence[float]) -> str:
    if len(numbers) > 6:
        return f"(one of {len(numbers)} numbers a channel)"
    return ", ".join(f"{number:g}" for number in numbers)


class Preprocessor:
    """Fills an image input. Keeps its scratch buffers; one thread uses it."""

    def __init__(
        self, tensor: TensorSpec, rule: PixelRule, order: PixelOrder | None, fit: Fit
    ) -> None:
        """``order``: of the model's channels; None: RGB, or grey for one. Raises ModelError."""
        height, width, channels = image_shape(tensor)
        self.size = Size(width, height)
        self.order = order or (PixelOrder.GRAY if channels == 1 else PixelOrder.RGB)
        if (self.order is PixelOrder.GRAY) != (channels == 1):
            raise ModelError(
                f"its input has {channels} channels, "
                f'which does not go with colour = "{self.order.value}"'
            )
        self._shape = (height, width) if channels == 1 else (height, width, channels)
        self._fit = fit
        table = rule.table
        if table is not None and table.ndim == 2:
            if table.shape[1] != channels:
                raise ModelError(
                    f"its normalisation is for {table.shape[1]} channels, its input has {channels}"
                )
            table = table.reshape(1, 256, channels)
        self._table = table
        self._bar = 0 if table is None else table.reshape(256, -1)[0]
        self._placement: Placement | None = None
        self._scaled: dict[int, UInt8Array] = {}

    def want(self, frame_size: Size | None) -> Want:
        """What to ask of a source that gives frames of ``frame_size`` and scales them at no cost;
        None: nothing, of one that does not.
        """
        return scaled_size(frame_size, self.size, self._fit) if frame_size is not None else None

    def fits(self, item: Captured) -> bool:
        """Frames of all sizes do."""
        return True

    def fill(self, frame: Frame, view: AnyArray) -> Placement:
        """Write ``frame`` into ``view``, the input tensor's memory; where it came to lie there."""
        placement = self._placement_of(frame)
        cut, target = placement.cut, placement.target
        pixels: AnyArray = frame.pixels
        if cut.size != placement.frame:
            pixels = pixels[cut.y : cut.y + cut.height, cut.x : cut.x + cut.width]
        place = view.reshape(self._shape)
        if target.size != self.size:
            # The bars are black; a frame before may have been placed elsewhere.
            place[...] = self._bar
            place = place[target.y : target.y + target.height, target.x : target.x + target.width]
        self._write(pixels, frame.order, place)
        return placement

    def _placement_of(self, frame: Frame) -> Placement:
        size = Size(frame.pixels.shape[1], frame.pixels.shape[0])
        if self._placement is None or self._placement.frame != size:
            # OpenCV writes beside a buffer that does not fit, and says nothing.
            channels = 1 if frame.order is PixelOrder.GRAY else 3
            if frame.pixels.ndim != channels // 3 + 2 or frame.pixels.shape[2:] not in ((), (3,)):
                shape = "x".join(map(str, frame.pixels.shape))
                raise ModelError(f"a frame of {shape} is no {frame.order.value} picture")
            self._placement = Placement.of(size, self.size, self._fit)
            self._scaled.clear()
        return self._placement

    def _write(self, pixels: AnyArray, order: PixelOrder, place: AnyArray) -> None:
        """Scale ``pixels`` onto ``place``; scale first, so that the rest works on fewer bytes."""
        size = (place.shape[1], place.shape[0])
        scale = pixels.shape[:2] != place.shape[:2]
        swap = _SWAPS.get((order, self.order))
        steps = [scale, swap is not None, self._table is not None]
        if not any(steps):
            np.copyto(place, pixels)
            return
        last = max(number for number, needed in enumerate(steps) if needed)
        if scale:
            into = place if last == 0 else self._scratch(0, pixels, size)
            pixels = cv2.resize(pixels, size, dst=into, interpolation=cv2.INTER_LINEAR)
        if swap is not None:
            into = place if last == 1 else self._scratch(1, place, size)
            pixels = cv2.cvtColor(pixels, swap, dst=into)
        if self._table is not None:
            cv2.LUT(pixels, self._table, dst=place)

    def _scratch(self, step: int, like: AnyArray, size: tuple[int, int]) -> UInt8Array:
        """A kept uint8 buffer of ``size`` with the channels of ``like``."""
        shape = (size[1], size[0], *like.shape[2:])
        kept = self._scaled.get(step)
        if kept is None or kept.shape != shape:
            kept = self._scaled[step] = np.empty(shape, np.uint8)
        return kept


def image_shape(tensor: TensorSpec) -> tuple[int, int, int]:
    """Height, width and channels of an input that ``is_picture``."""
    height, width, *channels = tensor.shape[1:]
    return height, width, channels[0] if channels else 1


def is_picture(tensor: TensorSpec) -> bool:
    """Whether its shape is 1 x height x width x 3, or x 1 for grey, or without that 1."""
    shape = tensor.shape
    return shape[:1] == (1,) and (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)))
