"""From a window of sound to the input tensor, by way of features."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec.structs import replace

from ..errors import ModelError, NotFinite
from ..records.arrays import AnyArray, FloatArray
from ..records.frames import Size
from ..records.models import TensorSpec
from ..samples import Captured, Channel, Want, Window, WindowShape
from .log_mel import LogMel, LogMelRule
from .micro_features import FEATURES, RATE_HZ, STEP, MicroFeatures, refuse_missing
from .windows import SampleRule, WindowFiller, fits, refuse_other_types


class Ear:
    """Takes the one channel that a model hears out of a window. One thread uses it."""

    def __init__(self, sound: SampleRule) -> None:
        """``sound``: which windows, of width 1."""
        self._sound = sound
        self._given: tuple[Channel, ...] | None = None
        self._place = 0

    def take(self, window: Window) -> FloatArray:
        """Float32, one number a sample. Raises ModelError where there is no such channel, NotFinite
        for values that are not.
        """
        if window.channels != self._given:
            places = self._sound.places_in(window.channels)
            self._place = 0 if places is None else int(places[0])
            self._given = window.channels
        sound: FloatArray = window.samples[:, self._place]
        if not np.isfinite(sound).all():
            raise NotFinite(
                "the source gives sound that is not made of finite numbers; it is passed over. "
                "Look after the microphone, or the recording"
            )
        return sound


class LogMelFiller:
    """Fills an input that takes log-mel features: a window of bands, as it were."""

    def __init__(
        self, tensor: TensorSpec, sound: SampleRule, rule: LogMelRule, features: SampleRule
    ) -> None:
        """``features``: how they come into the input, each band a channel."""
        self._shape = sound.shape
        self._log_mel = LogMel(rule)
        self._ear = Ear(sound)
        self._bands = tuple(Channel(f"mel{band}") for band in range(rule.bands))
        self._filler = WindowFiller(tensor, features)

    def want(self, frame_size: Size | None) -> Want:
        return self._shape

    def fits(self, item: Captured) -> bool:
        return fits(item, self._shape)

    def fill(self, window: Window, view: AnyArray) -> None:
        """Write the features into ``view``, the input tensor's memory. Raises as ``Ear.take``."""
        features = self._log_mel.features(self._ear.take(window))
        self._filler.fill(replace(window, samples=features, channels=self._bands), view)


class StreamRule(msgspec.Struct, frozen=True):
    """An invocation takes ``stride`` features of TFLite Micro's audio front end, and just as much
    sound.
    """

    stride: int
    sound: SampleRule


class StreamFiller:
    """Fills an input that takes features of a stream, as often as it is full."""

    def __init__(self, tensor: TensorSpec, rule: StreamRule) -> None:
        """``tensor`` is one that ``stream_rule`` was for. Raises MissingExtra."""
        self._shape = rule.sound.shape
        self._ear = Ear(rule.sound)
        self._features = MicroFeatures()
        self._waiting: list[FloatArray] = []  # for an input that is not full yet
        self._stride = rule.stride
        self._quantization = tensor.quantization
        self._dtype = np.dtype(tensor.dtype)

    def want(self, frame_size: Size | None) -> Want:
        return self._shape

    def fits(self, item: Captured) -> bool:
        return fits(item, self._shape)

    def reset(self) -> None:
        """Begin a new stream."""
        self._features.reset()
        self._waiting.clear()

    def inputs(self, window: Window) -> Iterator[AnyArray]:
        """What the input is to hold for each invocation that goes on with ``window``: stride x 40,
        as stored. Raises as ``Ear.take``.
        """
        self._waiting.extend(self._features.process(self._ear.take(window)))
        while len(self._waiting) >= self._stride:
            yield self._stored(np.array(self._waiting[: self._stride], np.float64))
            del self._waiting[: self._stride]

    def _stored(self, features: AnyArray) -> AnyArray:
        """Rounds halves to even, as those who train such models do, and clips."""
        if self._quantization is None:
            return features
        stored = np.rint(features / self._quantization.scale + self._quantization.zero_point)
        limits = np.iinfo(self._dtype)
        return stored.clip(limits.min, limits.max)


def stream_rule(
    tensor: TensorSpec, rate_hz: float | None, channels: tuple[str, ...] | None
) -> StreamRule:
    """How features of a stream come into ``tensor``. Raises ModelError where they cannot, and
    MissingExtra where what makes them is not installed.
    """
    shape = tensor.shape
    if shape[:1] != (1,) or shape[2:] not in ((FEATURES,), (FEATURES, 1)):
        raise ModelError(
            f"its input is {tensor.shown_shape}; features of a micro wake word model need "
            f"1 x number x {FEATURES}"
        )
    refuse_other_types(tensor, "features")
    if rate_hz not in (None, RATE_HZ):
        raise ModelError(
            f"its .toml file says rate_hz = {rate_hz:g}, and features of micro wake word models "
            f"are of {RATE_HZ} Hz. Take it out"
        )
    refuse_missing()
    said = (
        f"{shape[1]} features of {FEATURES} numbers an inference, one every 10 ms, by the audio "
        f"front end of TFLite Micro from sound at {RATE_HZ} Hz"
    )
    if tensor.quantization is not None:
        said += f", then {tensor.quantization}"
    length = shape[1] * STEP
    return StreamRule(
        shape[1], sound_rule(WindowShape(RATE_HZ, length, hop=length), channels, said)
    )


def sound_rule(shape: WindowShape, channels: tuple[str, ...] | None, said: str) -> SampleRule:
    """Windows of one channel. Raises ModelError where several are told."""
    if channels is not None and len(channels) != 1:
        raise ModelError(f"its .toml file names {len(channels)} channels, and it hears one")
    return SampleRule(shape, 1, channels, None, said)
