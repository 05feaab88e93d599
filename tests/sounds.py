"""Sound for the tests, made here: silence, and bursts of noise that the model ``keyword`` hears."""

from __future__ import annotations

import base64
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from edged.engine.micro_features import MicroFeatures
from edged.records.arrays import FloatArray
from edged.samples import Channel, Window

RATE_HZ = 16_000
AUDIO = (Channel("audio"),)


def bursts(*at_s: float, seconds: float, seed: int = 1) -> FloatArray:
    """Near silence with half a second of loud noise at these times: float32, -1 to 1, in steps of
    16 bits.
    """
    source = np.random.default_rng(seed)
    sound = source.normal(0, 3, round(seconds * RATE_HZ))
    for begin_s in at_s:
        begin = round(begin_s * RATE_HZ)
        sound[begin : begin + RATE_HZ // 2] = source.normal(
            0, 12_000, len(sound[begin : begin + RATE_HZ // 2])
        )
    return (sound.round().clip(-32768, 32767) / 32768).astype(np.float32)


def write_wav(path: Path, sound: FloatArray, rate_hz: int = RATE_HZ) -> None:
    """16 bits, one channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.rint(sound * 32768).clip(-32768, 32767).astype("<i2").tobytes())


def traces(sound: FloatArray) -> Iterator[bytes]:
    """What would be found of a recording wherever some of it was kept or sent: 8 samples in a row
    as 16 bits, as 32-bit numbers of two kinds, in base64 and hexadecimal digits, and the features
    of a moment as a model takes them and as the front end gives them.
    """
    steps = np.rint(sound * 32768).astype("<i2")
    loud = np.flatnonzero(np.abs(steps) > 3000)[::400]  # silence may be anything
    for begin in loud:
        piece = steps[begin : begin + 8]
        yield piece.tobytes()
        yield sound[begin : begin + 8].astype("<f4").tobytes()
        yield piece.astype("<i4").tobytes()
        yield piece.tobytes().hex().encode()
        for shift in range(3):  # base64 looks at three bytes at once
            yield base64.b64encode(steps[begin : begin + 12].tobytes()[shift : shift + 18])
    features = MicroFeatures().process(sound)
    for moment in features[features.mean(axis=1) > 5][::20]:
        yield moment.tobytes()
        yield np.rint(moment / (26 / 255) - 128).clip(-128, 127).astype(np.int8).tobytes()


def windows(
    sound: FloatArray, length: int = 480, hop: int | None = None, first: int = 0
) -> Iterable[Window]:
    """The whole windows of it, as a source gives them; the sound begins with sample ``first``."""
    for number, begin in enumerate(range(0, len(sound) - length + 1, hop or length)):
        samples = sound[begin : begin + length, None]
        yield Window(number, 0, 0, samples, float(RATE_HZ), AUDIO, first + begin)
