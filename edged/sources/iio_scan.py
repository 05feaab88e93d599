"""How a scan lies in an IIO buffer: the values of all channels at one moment, packed by the kernel.

``scan_elements/in_<name>_type`` is ``[be|le]:[s|u]bits/storagebits[Xrepeat][>>shift]``, ``_index``
its place among those that are enabled. Each value is aligned to its own size, and the whole scan to
the largest one (``Documentation/iio/iio_devbuf.rst``; ``iio_compute_scan_bytes`` in the kernel).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ..errors import SourceError
from ..records.arrays import FloatArray
from .iio_channels import IioChannel

TIMESTAMP = "timestamp"
Scans = npt.NDArray[np.void]


class Element(msgspec.Struct, frozen=True):
    """One channel's place and format in a scan; ``dtype`` of what is stored, with its byte order.

    ``up`` and ``down``: shifts that leave the valid bits alone, with their sign.
    """

    name: str
    index: int
    dtype: np.dtype[Any]
    up: int
    down: int

    @classmethod
    def parse(cls, name: str, index: str, type_: str) -> Element:
        """From sysfs's texts. Raises SourceError."""
        found = re.fullmatch(r"(be|le):([su])(\d+)/(\d+)(?:X(\d+))?(?:>>(\d+))?", type_)
        if found is None or not index.isdigit():
            raise SourceError(
                f"The channel {name} is stored in a way edged does not know: {type_}."
            )
        order, sign, bits, storage, repeat, shift = found.groups()
        used, stored, shifted = int(bits), int(storage), int(shift or 0)
        if stored not in (8, 16, 32, 64) or used == 0 or used + shifted > stored:
            raise SourceError(
                f"The channel {name} is stored in a way edged does not know: {type_}."
            )
        if int(repeat or 1) > 1:
            raise SourceError(
                f"The channel {name} holds {repeat} values at a time ({type_}), which edged does "
                "not take: name the channels you want in `channels`."
            )
        kind = f"{'<' if order == 'le' else '>'}{'i' if sign == 's' else 'u'}{stored // 8}"
        return cls(name, int(index), np.dtype(kind), stored - used - shifted, stored - used)

    def decode(self, scans: Scans) -> npt.NDArray[Any]:
        """The whole numbers of this channel, one a scan, in the machine's byte order."""
        stored = scans[self.name].astype(self.dtype.newbyteorder("="))
        return stored << self.up >> self.down if self.up or self.down else stored


class Layout:
    """Of the scans that hold ``channels``, and time stamps where ``stamp`` is given."""

    def __init__(
        self, channels: Sequence[IioChannel], elements: Sequence[Element], stamp: Element | None
    ) -> None:
        self._channels = tuple(zip(channels, elements, strict=True))
        self._stamp = stamp
        offsets, end, largest = [], 0, 1
        inside = sorted([*elements, *([stamp] if stamp else [])], key=lambda one: one.index)
        for element in inside:
            size = element.dtype.itemsize
            offsets.append(_aligned(end, size))
            end, largest = offsets[-1] + size, max(largest, size)
        self.dtype = np.dtype(
            {
                "names": [element.name for element in inside],
                "formats": [element.dtype for element in inside],
                "offsets": offsets,
                "itemsize": _aligned(end, largest),
            }
        )

    def values(self, scans: Scans) -> FloatArray:
        """float32, scans x channels, in the channels' units."""
        values = np.empty((len(scans), len(self._channels)), np.float32)
        for column, (channel, element) in enumerate(self._channels):
            # float64 until the end: raw values of 32 bits are more than float32 can tell apart.
            raw = element.decode(scans).astype(np.float64)
            values[:, column] = (raw + channel.offset) * channel.scale
        return values

    def stamps_ns(self, scans: Scans) -> npt.NDArray[np.int64] | None:
        """When each was taken, by the clock that the device uses; None without time stamps."""
        return None if self._stamp is None else self._stamp.decode(scans).astype(np.int64)


def _aligned(position: int, size: int) -> int:
    return -(-position // size) * size
