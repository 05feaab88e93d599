"""Whether the bytes of a picture file are all there.

OpenCV decodes what there is of a file that was cut short and fills the rest with grey or with
nothing; a model would find things in that. So completeness is checked before decoding.
"""

from __future__ import annotations

import struct

_SOI, _SOS, _EOI = b"\xff\xd8", 0xDA, b"\xff\xd9"


def is_whole(data: bytes) -> bool:
    """False for a JPEG, PNG, BMP or WebP that was cut short; True for every other content.

    Bytes after the end of the picture, as some cameras append them, do no harm.
    """
    try:
        if data.startswith(_SOI):
            return data.find(_EOI, _jpeg_scan(data)) >= 0
        if data.startswith(b"\x89PNG"):
            return b"IEND" in data
        if data.startswith(b"BM"):
            return len(data) >= _bmp_length(data)
        if data.startswith(b"RIFF"):
            return len(data) >= 8 + int(struct.unpack_from("<I", data, 4)[0])
    except struct.error:  # ends within its header
        return False
    return True


def _jpeg_scan(data: bytes) -> int:
    """Where the first scan begins: an embedded thumbnail, which has an end of its own, is before.

    ITU-T T.81, B.1.1: marker FF xx, then a big-endian length that counts itself.
    """
    at = len(_SOI)
    while True:
        marker: int
        length: int
        marker, length = struct.unpack_from(">xBH", data, at)
        at += 2 + length
        if marker == _SOS:
            return at


def _bmp_length(data: bytes) -> int:
    """Bytes that an uncompressed BMP must have (its own length field is often wrong)."""
    (offset,) = struct.unpack_from("<I", data, 10)
    width, height, _planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression:
        return int(offset)
    return int(offset + (width * bits + 31) // 32 * 4 * abs(height))
