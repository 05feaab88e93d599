"""Whether examples are what a model will meet: too few, too much alike, or made for another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..engine.metadata import TensorMetadata
from ..engine.preprocess import image_shape
from ..inputs import Input, PictureInput, WindowInput
from ..records.arrays import AnyArray
from ..records.frames import Frame, PixelOrder
from ..records.models import TensorSpec
from ..sources.resampling import same_rate
from .data import Example

FEW = 50
_ROUNDING = 1e-3  # as a share of a range
_FAR = 10.0  # deviations; what is normalised lies within 3 or 4


class Likeness:
    """Takes note of each example and of what it comes to in the model's input."""

    def __init__(self, input_: Input, tensor: TensorSpec, told: TensorMetadata | None) -> None:
        """``told``: what the model's metadata say of this input."""
        self._range = _range(told)
        self._recordings: dict[Path, str | None] = {}  # its rate, where that is not the model's
        self._picture = isinstance(input_, PictureInput)
        self._height, self._width, self._channels = (
            image_shape(tensor) if self._picture else (0, 0, 0)
        )
        rule = input_.samples if isinstance(input_, WindowInput) else None
        self._normalised = rule is not None and rule.normalization is not None
        self._seen: set[bytes] = set()
        self.count, self._rate_hz = 0, 0.0
        self._plain = self._smaller = self._grey = self._far = self._outside = 0

    def take(self, example: Example, given: AnyArray) -> None:
        """``given``: the input tensor, filled."""
        self.count += 1
        self._seen.add(hashlib.sha256(given.tobytes()).digest())
        if self._range is not None:
            least, greatest = self._range
            margin = _ROUNDING * (greatest - least)
            self._outside += bool(given.min() < least - margin or given.max() > greatest + margin)
        if isinstance(example.item, Frame):
            pixels: AnyArray = example.item.pixels
            self._plain += bool((pixels == pixels[0, 0]).all())
            self._look(example.item)
        else:
            samples, own_hz = example.item.samples, example.recorded_hz
            other = own_hz is not None and not same_rate(own_hz, example.item.rate_hz)
            self._recordings[example.file] = f"{own_hz:g}" if other else None
            self._rate_hz = example.item.rate_hz
            self._plain += bool((samples == samples[0]).all())
            self._far += self._normalised and bool(np.abs(given).max() > _FAR)

    def _look(self, frame: Frame) -> None:
        height, width = frame.pixels.shape[:2]
        self._smaller += height < self._height and width < self._width
        if self._channels == 3 and frame.order is not PixelOrder.GRAY:
            red, green, blue = (frame.pixels[..., n] for n in range(3))
            self._grey += bool(np.array_equal(red, green) and np.array_equal(green, blue))

    def notes(self) -> Iterator[str]:
        """Sentences about what makes them unlike what it will meet."""
        if self.count < FEW:
            yield (
                f"{self.count} examples are few. About 200, of all that the model will meet, tell "
                "its ranges better"
            )
        same = self.count - len(self._seen)
        if self.count > 1 and len(self._seen) == 1:
            yield f"all {self.count} examples are the same to the model"
        elif 2 * same > self.count:
            yield f"{same} of {self.count} examples are the same to the model as others"
        if self._plain:
            yield f"{self._plain} of {self.count} examples are all of one value"
        if self._outside and self._range is not None:
            least, greatest = self._range
            doubt = "Is its normalisation right?" if self._picture else "Are they in its unit?"
            yield (
                f"{self._outside} of {self.count} examples come to values outside of {least:g} to "
                f"{greatest:g}, which its metadata name for its input. {doubt}"
            )
        yield from self._of_pictures() if self._picture else self._of_windows()

    def _of_pictures(self) -> Iterator[str]:
        if 2 * self._smaller > self.count:
            yield (
                f"{self._smaller} of {self.count} pictures are smaller than the model's input of "
                f"{self._width} x {self._height}, and are enlarged for it"
            )
        if self._grey == self.count:
            yield "all pictures are grey, and the model takes colours"

    def _of_windows(self) -> Iterator[str]:
        others = {file: own_hz for file, own_hz in self._recordings.items() if own_hz}
        if others:
            file, own_hz = next(iter(others.items()))
            yield (
                f"{len(others)} of {len(self._recordings)} recordings are not at the model's "
                f"{self._rate_hz:g} Hz ({file}: {own_hz} Hz), and are resampled, as the daemon does"
            )
        if 2 * self._far > self.count:
            yield (
                f"{self._far} of {self.count} windows hold values over {_FAR:g} deviations from "
                "the mean that the model was trained with. Are they in its unit?"
            )


def _range(told: TensorMetadata | None) -> tuple[float, float] | None:
    """The least and the greatest value of all channels."""
    if told is None or not told.minimum or not told.maximum:
        return None
    return min(told.minimum), max(told.maximum)
