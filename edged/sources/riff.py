"""The form of WAV files (RIFF): where the sound lies in one, and what it is made of.

Python's own reader knows whole numbers only, and up to 3.11 not the extensible header that comes
with 24 bits or several channels. "Multimedia Programming Interface and Data Specifications 1.0"
(IBM and Microsoft, 1991); WAVEFORMATEXTENSIBLE (Microsoft, mmreg.h).
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

import msgspec
import numpy as np

from ..errors import SourceError
from ..records.arrays import FloatArray

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("0000 0000 1000 8000 00aa00389b71")  # after a format's number
_COMPRESSED = {2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "ADPCM", 0x31: "GSM", 0x55: "MP3"}
_TYPES = {
    (_PCM, 1): "u1",
    (_PCM, 2): "<i2",
    (_PCM, 3): "u1",  # three of them
    (_PCM, 4): "<i4",
    (_FLOAT, 4): "<f4",
    (_FLOAT, 8): "<f8",
}
_MOST_CHUNKS = 1000
# A recorder that writes into a pipe cannot come back to fill in the size; some write this much.
_UNKNOWN_SIZE = 0x7FFF0000


class Sound(msgspec.Struct, frozen=True):
    """``begin``: the byte at which it begins in the file. ``samples``: how many the file tells of;
    it may have fewer. Each is a number of ``width`` bytes for each of the channels.
    """

    begin: int
    samples: int
    rate_hz: int
    channels: int
    format: int
    width: int

    @property
    def step(self) -> int:
        """Bytes from one sample to the next."""
        return self.channels * self.width

    def decode(self, data: bytes) -> FloatArray:
        """Whole samples as float32, samples x 1, -1 to 1: the mean of the channels.

        A 16-bit number divided by 32768 is exact, and so is the mean of two.
        """
        numbers = np.frombuffer(data, _TYPES[self.format, self.width])
        if self.format == _FLOAT:
            values = numbers
        elif self.width == 1:
            values = (numbers - np.float32(128)) / np.float32(128)
        elif self.width == 2:
            values = numbers / np.float32(1 << 15)
        else:
            if self.width == 3:  # as the upper three bytes of four
                padded = np.zeros((len(numbers) // 3, 4), np.uint8)
                padded[:, 1:] = numbers.reshape(-1, 3)
                numbers = padded.view("<i4")
            values = numbers / float(1 << 31)
        mixed = values.reshape(-1, self.channels)
        if self.channels > 1:
            mixed = mixed.mean(axis=1, dtype=np.float64, keepdims=True)
        return mixed.astype(np.float32, copy=False)


def find_sound(file: BinaryIO, name: str) -> Sound:
    """Read up to the sound. Raises SourceError where there is none that can be played, OSError."""
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        raise SourceError(f"{name} is not a WAV file.")
    end = 8 + int.from_bytes(head[4:8], "little")
    form = None
    for _ in range(_MOST_CHUNKS):
        chunk = file.read(8)
        size = int.from_bytes(chunk[4:], "little")
        if len(chunk) < 8:
            break
        if chunk[:4] == b"fmt ":
            form = file.read(min(size, 40))
            file.seek(size + size % 2 - len(form), os.SEEK_CUR)
        elif chunk[:4] == b"data" and form is not None:
            begin, there = file.tell(), os.fstat(file.fileno()).st_size - file.tell()
            if size >= _UNKNOWN_SIZE or (not size and end <= begin):
                size = there
            sound = _sound(form, begin, size, name)
            if min(size, there) < sound.step:
                break
            return sound
        else:
            file.seek(size + size % 2, os.SEEK_CUR)
    raise SourceError(f"{name} holds no sound.")


def _sound(form: bytes, begin: int, size: int, name: str) -> Sound:
    if len(form) < 16:
        raise SourceError(f"{name} is damaged: its header is cut short.")
    tag, channels, rate_hz, _, step, _ = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and form[26:40] == _GUID_TAIL:
        tag = int.from_bytes(form[24:26], "little")
    if not channels or not rate_hz or not step or step % channels:
        raise SourceError(
            f"{name} is damaged: its header tells of {channels} channels at {rate_hz} Hz in "
            f"{step} bytes."
        )
    width = step // channels
    if (tag, width) not in _TYPES:
        kind = _COMPRESSED.get(tag, f"format {tag:#06x}") if tag != _PCM else f"{8 * width} bits"
        raise SourceError(
            f"{name} is of a kind that edged does not play ({kind}). Convert it to plain samples: "
            "sox IN.wav -e signed -b 16 OUT.wav"
        )
    return Sound(begin, size // step, rate_hz, channels, tag, width)
