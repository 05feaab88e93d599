"""A golden input as a source would give it: a picture, or a window of samples.

A window is a table like those of a ``csv`` source (its times, if there are any, are passed by), or
an array of NumPy, float32, samples x channels, in the model's own order of channels.
"""

from __future__ import annotations

import csv
import io

import cv2
import numpy as np

from .errors import ModelError, SourceError
from .inputs import Input, PictureInput, StreamInput, WindowInput
from .records import AnyArray, FloatArray, Frame, PixelOrder
from .samples import Captured, Channel, Window
from .sources.csv_header import read_header
from .sources.pictures import is_whole


def as_given(name: str, data: bytes, input_: Input) -> Captured:
    """What is in the file ``name``, for that input of a model. Raises ModelError."""
    if isinstance(input_, StreamInput):
        raise ModelError(
            "it hears a stream, and a golden input is one picture or one window. Take [golden] out "
            "of its .toml file"
        )
    if isinstance(input_, PictureInput):
        return Frame(0, 0, 0, *_picture(name, data))
    rule = input_.samples if isinstance(input_, WindowInput) else input_.sound
    if name.endswith(".npy"):
        samples = _array(name, data)
        channels = tuple(map(Channel, rule.channels or map(str, range(samples.shape[1]))))
    else:
        channels, samples = _table(name, data)
    if not np.isfinite(samples).all():
        raise ModelError(f'its golden input "{name}" holds values that are no finite numbers')
    if len(samples) != rule.shape.length:
        raise ModelError(
            f'its golden input "{name}" has {len(samples)} samples; it takes {rule.shape.length}'
        )
    rate_hz = rule.shape.rate_hz or 1.0  # nothing depends on it
    return Window(0, 0, 0, samples, rate_hz, channels, first=0)


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
