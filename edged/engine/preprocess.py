"""From a frame to the input tensor: shrunk to the model's picture (see ``shrink``), normalised and
quantised.

The frame is scaled straight into the interpreter's own memory where the bytes need no change.
Normalisation and quantisation together are one table of 256 entries a channel, applied after the
frame has become small; where the table comes to the identity it is left out.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence

import cv2
import msgspec
import numpy as np

from ..buffers import FramePool
from ..errors import ModelError
from ..records.arrays import AnyArray, UInt8Array
from ..records.frames import Frame, PixelOrder, Size
from ..records.models import TensorSpec
from ..samples import Captured, Want
from .geometry import Fit, Placement, scaled_size
from .shrink import Shrinker


class Normalization(msgspec.Struct, frozen=True):
    """``(value - mean) / std``, for all channels alike (one number) or each its own.

    ``origin`` says where the rule comes from, for people to read.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str

    def said(self, of: str) -> str:
        """``of``: what is normalised."""
        return f"({of} - {_shown(self.mean)}) / {_shown(self.std)}, from {self.origin}"


class PixelRule(msgspec.Struct, frozen=True):
    """What becomes of a byte of the picture. ``table`` is None where it stays as it is.

    ``table`` has the input's dtype and the shape (256,), or (256, 3) where the channels differ.
    """

    table: AnyArray | None
    said: str


def pixel_rule(tensor: TensorSpec, normalization: Normalization | None) -> PixelRule:
    """How bytes 0..255 come into ``tensor``: design §6. Raises ModelError for other dtypes."""
    byte = np.arange(256, dtype=np.float64)
    dtype = np.dtype(tensor.dtype)
    if dtype not in (np.uint8, np.int8, np.int32, np.float32):
        raise ModelError(
            f"its input is {tensor.dtype}; a picture needs an input of uint8, int8, int32 or "
            "float32"
        )
    if normalization is None:
        if dtype == np.uint8:
            return PixelRule(None, "assumed: bytes as they are (nothing says how to normalise)")
        if dtype == np.int32:
            table: AnyArray = byte.astype(np.int32)
            return PixelRule(table, "assumed: bytes as they are (nothing says how to normalise)")
        if dtype == np.int8:
            table = (byte - 128).astype(np.int8)
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
    """Fills an image input. Keeps its scratch buffers; one thread uses it, and another one may
    ``prepare``.
    """

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
        self._picture: UInt8Array = np.empty(self._shape, np.uint8)
        self._shrinker = Shrinker(self.size, self.order, fit)
        # Of those that are prepared one waits in the slot, and one until there is room in it.
        self._prepared: deque[_Prepared] = deque(maxlen=2)
        self._early = Shrinker(self.size, self.order, fit)
        self._pool = FramePool(self._shape)

    def want(self, frame_size: Size | None) -> Want:
        """What to ask of a source that gives frames of ``frame_size`` and scales them at no cost;
        None: nothing, of one that does not.
        """
        return scaled_size(frame_size, self.size, self._fit) if frame_size is not None else None

    def fits(self, item: Captured) -> bool:
        """Frames of all sizes do."""
        return True

    def prepare(self, frame: Frame) -> None:
        """Do ahead for a frame what can be done without the tensor, while it waits; from the
        thread of its source. What is wrong with it is told by ``fill``.
        """
        with contextlib.suppress(Exception):
            picture, placement = self._early.shrink(frame, self._pool.acquire())
            if picture is not frame.pixels:
                self._prepared.append(_Prepared(frame, picture, placement))

    def fill(self, frame: Frame, view: AnyArray) -> Placement:
        """Write ``frame`` into ``view``, the input tensor's memory; where it came to lie there."""
        place = view.reshape(self._shape)
        prepared = self._take_prepared(frame)
        if prepared is not None:
            picture, placement = prepared.picture, prepared.placement
        else:
            into = place if self._table is None else self._picture
            picture, placement = self._shrinker.shrink(frame, into)
        if self._table is not None:
            cv2.LUT(picture, self._table, dst=place)
        elif picture is not place:
            np.copyto(place, picture)
        return placement

    def _take_prepared(self, frame: Frame) -> _Prepared | None:
        """What was prepared before it, for a model that is gone, is let go of."""
        while self._prepared:
            prepared = self._prepared.popleft()
            if prepared.frame is frame:
                return prepared
        return None


class _Prepared(msgspec.Struct, frozen=True):
    """``picture``: uint8, of the input's shape."""

    frame: Frame
    picture: AnyArray
    placement: Placement


def image_shape(tensor: TensorSpec) -> tuple[int, int, int]:
    """Height, width and channels of an input that ``is_picture``."""
    height, width, *channels = tensor.shape[1:]
    return height, width, channels[0] if channels else 1


def is_picture(tensor: TensorSpec) -> bool:
    """Whether its shape is 1 x height x width x 3, or x 1 for grey, or without that 1."""
    shape = tensor.shape
    return shape[:1] == (1,) and (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)))
