"""From a window of samples to the input tensor: choose channels, normalise and quantise.

Into the interpreter's own memory, by way of kept buffers.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from ..errors import ModelError, NotFinite
from ..records.arrays import AnyArray
from ..records.frames import Size
from ..records.models import Quantization, TensorSpec
from ..samples import Captured, Channel, Want, Window, WindowShape
from .preprocess import Normalization


class SampleRule(msgspec.Struct, frozen=True):
    """Which windows a model takes, and what becomes of their values.

    ``channels``: the names of the model's ``width`` channels in its order; None: not told, and the
    source must have just so many. A value is stored as ``(value - mean) / std``, by channel or for
    all alike; None: as it is. ``said``: all that, for people to read.
    """

    shape: WindowShape
    width: int
    channels: tuple[str, ...] | None
    normalization: Normalization | None
    said: str

    def places_in(self, given: Sequence[Channel]) -> npt.NDArray[np.intp] | None:
        """Where the model's channels are among those given; None: they are those.

        Raises ModelError where they are not there.
        """
        there = ", ".join(map(str, given))
        if self.channels is None:
            if len(given) != self.width:
                raise ModelError(
                    f"it takes {self.width} channels, and the source gives {len(given)} "
                    f"({there}). Name those that it takes in its .toml file: [input] channels"
                )
            return None
        known = {channel.name: place for place, channel in enumerate(given)}
        missing = [name for name in self.channels if name not in known]
        if missing:
            raise ModelError(
                f'it takes a channel "{missing[0]}", and the source gives {there}. Correct '
                "[input] channels in its .toml file, or the source"
            )
        places = np.array([known[name] for name in self.channels])
        return None if np.array_equal(places, np.arange(len(given))) else places


def window_shape(tensor: TensorSpec) -> tuple[int, int]:
    """Samples and channels of an input that ``is_window``."""
    return tensor.shape[1], tensor.shape[2] if len(tensor.shape) > 2 else 1


def is_window(tensor: TensorSpec) -> bool:
    """Whether its shape is 1 x samples x channels, that x 1, or 1 x samples of one channel."""
    shape = tensor.shape
    return shape[:1] == (1,) and (len(shape) in (2, 3) or (len(shape) == 4 and shape[3] == 1))


def refuse_other_types(tensor: TensorSpec, what: str) -> None:
    """Raises ModelError where numbers (``what`` they are) cannot be stored in ``tensor``."""
    if tensor.dtype not in ("uint8", "int8", "float32"):
        raise ModelError(
            f"its input is {tensor.dtype}; {what} need an input of uint8, int8 or float32"
        )
    if tensor.dtype != "float32" and tensor.quantization is None:
        raise ModelError(
            f"its {tensor.dtype} input has no scale and zero point, so {what} cannot be quantised"
        )


def sample_rule(
    tensor: TensorSpec,
    rate_hz: float | None,
    channels: tuple[str, ...] | None,
    normalization: Normalization | None,
) -> SampleRule:
    """How windows come into ``tensor``: design §6. Raises ModelError where that cannot be.

    ``tensor`` is one that ``is_window``.
    """
    length, width = window_shape(tensor)
    refuse_other_types(tensor, "samples")
    if channels is not None and len(channels) != width:
        raise ModelError(
            f"its sidecar names {len(channels)} channels, and its input has {width} "
            f"({length} samples x {width} channels)"
        )
    if normalization is not None and len(normalization.mean) not in (1, width):
        raise ModelError(
            f"its normalisation is for {len(normalization.mean)} channels, its input has {width}"
        )
    shape = WindowShape(rate_hz, length)
    said = _said(shape, width, channels, normalization, tensor.quantization)
    return SampleRule(shape, width, channels, normalization, said)


def _said(
    shape: WindowShape,
    width: int,
    channels: tuple[str, ...] | None,
    normalization: Normalization | None,
    quantization: Quantization | None,
) -> str:
    said = f"{shape.length} x {width} channel{'s' if width > 1 else ''}"
    if channels is not None:
        said += f" ({', '.join(channels)})"
    if shape.rate_hz is not None:
        said += f" at {shape.rate_hz:g} Hz"
    steps, assumed = [], []
    if shape.rate_hz is None:
        assumed.append("at the source's own rate")
    if normalization is None:
        assumed.append("values as they are")
    else:
        steps.append(normalization.said("value"))
    if quantization is not None:
        steps.append(str(quantization))
    if steps:
        said += f"; {', then '.join(steps)}"
    if assumed:
        said += f"; assumed: {', '.join(assumed)} (nothing says otherwise)"
    return said


def fits(item: Captured, wanted: WindowShape) -> bool:
    """Whether it was cut as ``wanted``, not for a model that is to be replaced."""
    return (
        isinstance(item, Window)
        and len(item.samples) == wanted.length
        and wanted.rate_hz in (None, item.rate_hz)
    )


class WindowFiller:
    """Fills a window input. Keeps its scratch buffers; one thread uses it."""

    def __init__(self, tensor: TensorSpec, rule: SampleRule) -> None:
        self._rule = rule
        self._given: tuple[Channel, ...] | None = None
        self._places: npt.NDArray[np.intp] | None = None
        shape = (rule.shape.length, rule.width)
        self._chosen = np.empty(shape, np.float32)
        self._finite = np.empty(shape, np.bool_)
        self._real = np.empty(shape, np.float64)
        self._half = np.empty(shape, np.float64)
        scale, self._zero = 1.0, 0
        self._limits: tuple[int, int] | None = None  # None: the input is float32
        if tensor.quantization is not None:
            scale, self._zero = tensor.quantization.scale, tensor.quantization.zero_point
            limits = np.iinfo(tensor.dtype)
            self._limits = int(limits.min), int(limits.max)
        told = rule.normalization
        self._mean = np.array(told.mean if told else (0.0,))
        self._step = np.array(told.std if told else (1.0,)) * scale
        self._as_it_is = told is None and self._limits is None

    def want(self, frame_size: Size | None) -> Want:
        return self._rule.shape

    def fits(self, item: Captured) -> bool:
        return fits(item, self._rule.shape)

    def fill(self, window: Window, view: AnyArray) -> None:
        """Write ``window`` into ``view``, the input tensor's memory.

        Raises ModelError where the source lacks a channel, NotFinite for values that are not.
        """
        if window.channels != self._given:
            self._places = self._rule.places_in(window.channels)
            self._given = window.channels
        values: AnyArray = window.samples
        if self._places is not None:
            values = values.take(self._places, axis=1, out=self._chosen, mode="clip")
        if not np.isfinite(values, out=self._finite).all():
            self._refuse()
        place = view.reshape(values.shape)
        if self._as_it_is:
            np.copyto(place, values)
            return
        real = np.subtract(values, self._mean, out=self._real)
        real /= self._step
        if self._limits is not None:
            # Rounds halves away from zero, as TFLite's own quantisation does.
            real += np.copysign(0.5, real, out=self._half)
            np.trunc(real, out=real)
            real += self._zero
            np.clip(real, *self._limits, out=real)
        np.copyto(place, real, casting="unsafe")

    def _refuse(self) -> None:
        at = int((~self._finite).any(axis=0).argmax())
        assert self._given is not None
        channel = self._given[at if self._places is None else int(self._places[at])]
        raise NotFinite(
            f"the source gives values of {channel.name} that are not finite numbers; windows with "
            "such are not inferred. Look after the sensor, or the recording"
        )
