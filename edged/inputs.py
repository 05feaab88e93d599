"""What a model's input takes: a picture, or a window of samples.

Where the tensor's shape leaves both open (1 x 28 x 28 is a grey picture, and 28 samples of 28
channels) the sidecar says it, else what the pipeline's source gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import msgspec
from msgspec.structs import replace

from .engine.geometry import Fit
from .engine.preprocess import Normalization, PixelRule, Preprocessor, is_picture, pixel_rule
from .engine.windows import SampleRule, WindowFiller, is_window, sample_rule, window_shape
from .errors import ModelError
from .records.frames import PixelOrder
from .records.models import TensorSpec
from .samples import Gives, WindowShape
from .store.sidecar import InputTable, LogMelTable

# What makes features of sound is imported where there is sound.
if TYPE_CHECKING:
    from .engine.log_mel import LogMelRule
    from .engine.sound import LogMelFiller, StreamFiller, StreamRule

_FRAME_KINDS = "picamera2, v4l2, video, images"
_SAMPLE_KINDS = "iio, microphone, wav, csv"


class PictureInput(msgspec.Struct, frozen=True):
    """``position`` is of the input that gets the frame; ``order`` None: RGB, or grey for one."""

    what: ClassVar = "pixels"

    position: int
    pixels: PixelRule
    order: PixelOrder | None

    @property
    def said(self) -> str:
        return self.pixels.said

    def filler(self, tensor: TensorSpec, fit: Fit) -> Preprocessor:
        """Raises ModelError where colours and channels do not go together."""
        return Preprocessor(tensor, self.pixels, self.order, fit)


class WindowInput(msgspec.Struct, frozen=True):
    """``position`` is of the input that gets the window."""

    what: ClassVar = "samples"

    position: int
    samples: SampleRule

    @property
    def said(self) -> str:
        return self.samples.said

    def filler(self, tensor: TensorSpec, fit: Fit) -> WindowFiller:
        return WindowFiller(tensor, self.samples)


class LogMelInput(msgspec.Struct, frozen=True):
    """``position`` is of the input that gets log-mel ``features`` of a window of ``sound``."""

    what: ClassVar = "sound"

    position: int
    sound: SampleRule
    log_mel: LogMelRule
    features: SampleRule

    @property
    def said(self) -> str:
        return f"{self.sound.said}, {self.features.said}"

    def filler(self, tensor: TensorSpec, fit: Fit) -> LogMelFiller:
        from .engine.sound import LogMelFiller

        return LogMelFiller(tensor, self.sound, self.log_mel, self.features)


class StreamInput(msgspec.Struct, frozen=True):
    """``position`` is of the input that gets features of a stream of sound, time and again."""

    what: ClassVar = "sound"

    position: int
    stream: StreamRule

    @property
    def said(self) -> str:
        return self.stream.sound.said

    def filler(self, tensor: TensorSpec, fit: Fit) -> StreamFiller:
        """Raises MissingExtra."""
        from .engine.sound import StreamFiller

        return StreamFiller(tensor, self.stream)


Input = PictureInput | WindowInput | LogMelInput | StreamInput


class InputTold(msgspec.Struct, frozen=True):
    """What a model's files tell of its input. ``features``: as of the table, or a manifest's."""

    table: InputTable
    log_mel: LogMelTable
    features: Literal["micro", "log-mel"] | None
    normalization: Normalization | None


def read_input(position: int, tensor: TensorSpec, told: InputTold, gives: Gives | None) -> Input:
    """``gives``: what the source does; None: no source is known. Raises ModelError, and
    MissingExtra for features that cannot be made here.
    """
    table = told.table
    if told.features is not None:
        _refuse_frames(gives)
        if told.features == "micro":
            from .engine.sound import stream_rule

            return StreamInput(position, stream_rule(tensor, table.rate_hz, table.channels))
        return _log_mel_input(position, tensor, told)
    if _is_window(tensor, table, gives):
        rule = sample_rule(tensor, table.rate_hz, table.channels, told.normalization)
        return WindowInput(position, rule)
    order = PixelOrder(table.colour) if table.colour else None
    return PictureInput(position, pixel_rule(tensor, told.normalization), order)


def _log_mel_input(position: int, tensor: TensorSpec, told: InputTold) -> LogMelInput:
    """Raises ModelError where such features cannot be made, or do not fit ``tensor``."""
    from .engine.log_mel import LogMelRule
    from .engine.sound import sound_rule

    table, rate_hz = told.log_mel, told.table.rate_hz
    assert rate_hz is not None  # the sidecar's own rule
    if not is_window(tensor) or len(tensor.shape) == 2:
        raise ModelError(
            f"its input is {tensor.shown_shape}; log-mel features need 1 x frames x bands, or that "
            "x 1"
        )
    frames, bands = window_shape(tensor)
    rule = LogMelRule(
        rate_hz,
        frames,
        bands,
        window=round(table.window_s * rate_hz),
        hop=round(table.hop_s * rate_hz),
        fmin_hz=table.fmin_hz,
        fmax_hz=table.fmax_hz,
        power=table.power,
        log_offset=table.log_offset,
    )
    rule.refuse_impossible()
    sound = sound_rule(WindowShape(rate_hz, rule.length), told.table.channels, rule.said)
    features = sample_rule(tensor, None, None, told.normalization)
    said = f"{frames} x {bands}"
    if told.normalization is not None:
        said += f"; {told.normalization.said('feature')}"
    if tensor.quantization is not None:
        said += f", then {tensor.quantization}"
    features = replace(features, said=said)
    return LogMelInput(position, sound, rule, features)


def _is_window(tensor: TensorSpec, told: InputTable, gives: Gives | None) -> bool:
    """Raises ModelError where the input is for neither, or not for what the source gives."""
    picture, window = is_picture(tensor), is_window(tensor)
    if not picture and not window:
        raise ModelError(
            f"its input is {tensor.shown_shape}; a picture needs 1 x height x width x 3, or x 1 "
            "for grey, and a window 1 x samples x channels, or 1 x samples for one channel"
        )
    tells_samples = told.rate_hz is not None or told.channels is not None
    if (tells_samples and not window) or (told.colour and not picture):
        what = "pixels" if told.colour else "samples"
        raise ModelError(
            f"the [input] in its .toml file is for {what}, which its input of "
            f"{tensor.shown_shape} does not take"
        )
    if tells_samples or not picture:
        _refuse_frames(gives)
    if gives is Gives.WINDOWS and (told.colour or not window):
        raise ModelError(
            "it looks at pictures, and the pipeline's source gives samples. Give the pipeline a "
            f"source of pictures ({_FRAME_KINDS}), or a model for windows of samples"
        )
    return tells_samples or not picture or gives is Gives.WINDOWS


def _refuse_frames(gives: Gives | None) -> None:
    if gives is Gives.FRAMES:
        raise ModelError(
            "it looks at windows of samples, and the pipeline's source gives pictures. Give the "
            f"pipeline a source of samples ({_SAMPLE_KINDS}), or a model for pictures"
        )
