"""A golden input as a source would give it: a picture, or windows of samples.

A window is a table like those of a ``csv`` source (its times, if there are any, are passed by), or
an array of NumPy, float32, samples x channels, in the model's own order of channels and at its own
rate; or sound, brought to that rate. A model that listens is given as many windows as there are.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator

import cv2
import numpy as np

from .errors import ModelError, SourceError
from .inputs import Input, LogMelInput, PictureInput, StreamInput
from .records.arrays import AnyArray, FloatArray
from .records.frames import Frame, PixelOrder
from .samples import Captured, Channel, Samples, Window, WindowShape
from .sources.csv_header import read_header
from .sources.pictures import is_whole
from .sources.riff import find_sound
from .sources.stretch import Stretch


def as_given(name: str, data: bytes, input_: Input, listens: bool) -> tuple[Captured, ...]:
    """What is in the file ``name``, for that input of a model: one, or as many as there are where
    the model ``listens``. Raises ModelError.
    """
    if isinstance(input_, PictureInput):
        return (Frame(0, 0, 0, *_picture(name, data)),)
    if isinstance(input_, StreamInput):
        rule = input_.stream.sound
    else:
        rule = input_.sound if isinstance(input_, LogMelInput) else input_.samples
    rate_hz = rule.shape.rate_hz or 1.0  # nothing depends on it
    if name.lower().endswith((".wav", ".wave")):
        samples = _sound(name, data)
    elif name.endswith(".npy"):
        values = _array(name, data)
        names = rule.channels or ()
        if len(names) != values.shape[1]:
            names = tuple(map(str, range(values.shape[1])))
        samples = _samples(values, rate_hz, tuple(map(Channel, names)))
    else:
        channels, values = _table(name, data)
        samples = _samples(values, rate_hz, channels)
    if not np.isfinite(samples.values).all():
        raise ModelError(f'its golden input "{name}" holds values that are no finite numbers')
    if listens:
        return _windows(name, samples, rule.shape)
    if name.endswith((".npy", ".csv")) and len(samples.values) != rule.shape.length:
        raise _wrong_length(name, samples, rule.shape)
    return _windows(name, samples, rule.shape)[:1]


def _samples(values: FloatArray, rate_hz: float, channels: tuple[Channel, ...]) -> Samples:
    return Samples(0, values, rate_hz, channels, 0, 0)


def _windows(name: str, samples: Samples, shape: WindowShape) -> tuple[Window, ...]:
    """One after the other."""
    windows: list[Window] = []
    try:
        stretch = Stretch(samples, shape, shape.hop or shape.length, None)
        windows += _cut(stretch)
        stretch.end()  # what resampling has held back comes last
        windows += _cut(stretch)
    except SourceError as error:
        raise ModelError(f"its golden input cannot be read: {error}") from error
    if not windows:
        raise _wrong_length(name, samples, shape)
    return tuple(windows)


def _cut(stretch: Stretch) -> Iterator[Window]:
    while (window := stretch.cut(0)) is not None:
        yield window


def _wrong_length(name: str, samples: Samples, shape: WindowShape) -> ModelError:
    count = len(samples.values)
    at = f" at {samples.rate_hz:g} Hz" if name.lower().endswith((".wav", ".wave")) else ""
    return ModelError(f'its golden input "{name}" has {count} samples{at}; it takes {shape.length}')


def _sound(name: str, data: bytes) -> Samples:
    """All of it; ``find_sound`` wants a file that has a size."""
    with os.fdopen(os.memfd_create("sound"), "w+b") as file:
        file.write(data)
        file.seek(0)
        try:
            sound = find_sound(file, name)
        except SourceError as error:
            raise ModelError(f"its golden input cannot be read: {error}") from error
        file.seek(sound.begin)
        held = file.read(sound.samples * sound.step)
    values = sound.decode(held[: len(held) // sound.step * sound.step])
    return _samples(values, float(sound.rate_hz), (Channel("audio"),))


def _array(name: str, data: bytes) -> FloatArray:
    array = _numpy(name, data)
    if array.dtype != np.float32 or array.ndim != 2 or not array.size:
        raise ModelError(
            f'its golden input "{name}" is {_shown(array)}; it must be float32, samples x channels'
        )
    return array


def _table(name: str, data: bytes) -> tuple[tuple[Channel, ...], FloatArray]:
    try:
        head, *lines = data.decode("utf-8-sig").splitlines()
        header = read_header(head, name)
        rows = csv.reader(lines, delimiter=header.delimiter)
        values = [header.values(row) for row in rows if row]
        samples = np.array(values, np.float32).reshape(-1, len(header.columns))
    except SourceError as error:
        raise ModelError(f"its golden input cannot be read: {error}") from error
    except (ValueError, IndexError, csv.Error) as error:
        raise ModelError(
            f'its golden input "{name}" is no table of numbers below a header (.csv), nor an array '
            "of NumPy (.npy)"
        ) from error
    return header.channels, samples


def _picture(name: str, data: bytes) -> tuple[AnyArray, PixelOrder]:
    """Pixels as a frame has them. Raises ModelError."""
    if name.endswith(".npy"):
        pixels = _numpy(name, data)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ModelError(
                f'its golden input "{name}" is {_shown(pixels)}; it must be uint8, '
                "height x width x 3"
            )
        return np.ascontiguousarray(pixels), PixelOrder.RGB
    try:
        read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        read = None
    if read is None or not is_whole(data):
        raise ModelError(f'its golden input "{name}" is no whole picture that can be read')
    return read, PixelOrder.BGR


def _numpy(name: str, data: bytes) -> AnyArray:
    try:
        array: AnyArray = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ModelError(f'its golden input "{name}" is no array of NumPy') from error
    return array


def _shown(array: AnyArray) -> str:
    return f"{array.dtype} {'x'.join(map(str, array.shape))}"
