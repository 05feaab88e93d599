"""What a model's input takes: a picture, or a window of samples.

Where the tensor's shape leaves both open (1 x 28 x 28 is a grey picture, and 28 samples of 28
channels) the sidecar says it, else what the pipeline's source gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .engine.geometry import Fit
from .engine.preprocess import Normalization, PixelRule, Preprocessor, is_picture, pixel_rule
from .engine.windows import SampleRule, WindowFiller, is_window, sample_rule
from .errors import ModelError
from .records import PixelOrder, TensorSpec
from .samples import Gives
from .store.sidecar import InputTable

_FRAME_KINDS = "picamera2, v4l2, video, images"
_SAMPLE_KINDS = "iio, microphone, wav, csv"


@dataclass(frozen=True, slots=True)
class PictureInput:
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


@dataclass(frozen=True, slots=True)
class WindowInput:
    """``position`` is of the input that gets the window."""

    what: ClassVar = "samples"

    position: int
    samples: SampleRule

    @property
    def said(self) -> str:
        return self.samples.said

    def filler(self, tensor: TensorSpec, fit: Fit) -> WindowFiller:
        return WindowFiller(tensor, self.samples)


Input = PictureInput | WindowInput


def read_input(
    position: int,
    tensor: TensorSpec,
    told: InputTable,
    normalization: Normalization | None,
    gives: Gives | None,
) -> Input:
    """``gives``: what the source does; None: no source is known. Raises ModelError."""
    if _is_window(tensor, told, gives):
        channels = told.channels
        return WindowInput(position, sample_rule(tensor, told.rate_hz, channels, normalization))
    order = PixelOrder(told.colour) if told.colour else None
    return PictureInput(position, pixel_rule(tensor, normalization), order)


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
    if gives is Gives.FRAMES and (tells_samples or not picture):
        raise ModelError(
            "it looks at windows of samples, and the pipeline's source gives pictures. Give the "
            f"pipeline a source of samples ({_SAMPLE_KINDS}), or a model for pictures"
        )
    if gives is Gives.WINDOWS and (told.colour or not window):
        raise ModelError(
            "it looks at pictures, and the pipeline's source gives samples. Give the pipeline a "
            f"source of pictures ({_FRAME_KINDS}), or a model for windows of samples"
        )
    return tells_samples or not picture or gives is Gives.WINDOWS
