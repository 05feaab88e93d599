"""From a frame to the input tensor: cut, scale, reorder channels, normalise and quantise.

The frame is scaled straight into the interpreter's own memory where the bytes need no change.
Normalisation and quantisation together are one table of 256 entries a channel, applied after the
frame has become small; where the table comes to the identity it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..dataclass import dataclass
from ..errors import ModelError
from ..records import AnyArray, Frame, PixelOrder, Size, TensorSpec, UInt8Array
from ..samples import Captured, Want
from .geometry import Fit, Placement, Rect, scaled_size

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
        self._plan: _Plan | None = None

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
        plan = self._plan
        pixels: AnyArray = frame.pixels
        if plan is None or pixels.shape != plan.shape or frame.order is not plan.order:
            plan = self._plan = self._planned(frame)
        if plan.cut is not None:
            pixels = pixels[plan.cut]
        place = view.reshape(self._shape)
        if plan.target is not None:
            # The bars are black; a frame before may have been placed elsewhere.
            place[...] = self._bar
            place = place[plan.target]
        # Scaled first, so that the rest works on fewer bytes.
        if plan.scale is not None:
            into = place if plan.scaled is None else plan.scaled
            pixels = cv2.resize(pixels, plan.scale, dst=into, interpolation=cv2.INTER_LINEAR)
        if plan.swap is not None:
            into = place if plan.swapped is None else plan.swapped
            pixels = cv2.cvtColor(pixels, plan.swap, dst=into)
        if self._table is not None:
            cv2.LUT(pixels, self._table, dst=place)
        elif plan.scale is None and plan.swap is None:
            np.copyto(place, pixels)
        return plan.placement

    def _planned(self, frame: Frame) -> _Plan:
        """For frames like this one. Raises ModelError for what is no picture."""
        pixels, order = frame.pixels, frame.order
        # OpenCV writes beside a buffer that does not fit, and says nothing.
        channels = () if order is PixelOrder.GRAY else (3,)
        if pixels.ndim != 2 + len(channels) or pixels.shape[2:] != channels:
            shape = "x".join(map(str, pixels.shape))
            raise ModelError(f"a frame of {shape} is no {order.value} picture")
        size = Size(pixels.shape[1], pixels.shape[0])
        placement = Placement.of(size, self.size, self._fit)
        cut, target = placement.cut, placement.target
        scales, swap = cut.size != target.size, _SWAPS.get((order, self.order))
        # Whatever is not the last step goes into a buffer that is kept.
        rows = (target.height, target.width)
        scaled: UInt8Array | None = None
        swapped: UInt8Array | None = None
        if scales and (swap is not None or self._table is not None):
            scaled = np.empty(rows + channels, np.uint8)
        if swap is not None and self._table is not None:
            swapped = np.empty(rows + self._shape[2:], np.uint8)
        return _Plan(
            shape=pixels.shape,
            order=order,
            placement=placement,
            cut=None if cut.size == size else _slices(cut),
            target=None if target.size == self.size else _slices(target),
            scale=(target.width, target.height) if scales else None,
            scaled=scaled,
            swap=swap,
            swapped=swapped,
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """The steps for frames of one shape and order, each None where it is not needed.

    ``scaled`` and ``swapped`` take what the step gives; None: it is the last one, and its pixels
    go into the input.
    """

    shape: tuple[int, ...]
    order: PixelOrder
    placement: Placement
    cut: tuple[slice, slice] | None
    target: tuple[slice, slice] | None
    scale: tuple[int, int] | None
    scaled: UInt8Array | None
    swap: int | None
    swapped: UInt8Array | None


def _slices(rect: Rect) -> tuple[slice, slice]:
    """Rows and columns."""
    return slice(rect.y, rect.y + rect.height), slice(rect.x, rect.x + rect.width)


def image_shape(tensor: TensorSpec) -> tuple[int, int, int]:
    """Height, width and channels of an input that ``is_picture``."""
    height, width, *channels = tensor.shape[1:]
    return height, width, channels[0] if channels else 1


def is_picture(tensor: TensorSpec) -> bool:
    """Whether its shape is 1 x height x width x 3, or x 1 for grey, or without that 1."""
    shape = tensor.shape
    return shape[:1] == (1,) and (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)))
