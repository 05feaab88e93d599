"""Reading a flatbuffer that may be damaged.

The ``flatbuffers`` package trusts its bytes: an offset may lead anywhere, and two tables may hold
each other. Here every reference is checked against the bytes before it is followed, and the work
is bounded. The format: https://flatbuffers.dev/internals
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
from flatbuffers import number_types
from flatbuffers.table import Table

Number = TypeVar("Number", bound=np.generic)

UINT8 = number_types.Uint8Flags
INT8 = number_types.Int8Flags
INT32 = number_types.Int32Flags
UINT32 = number_types.Uint32Flags
UINT64 = number_types.Uint64Flags

MAX_SIZE = (
    2**31
)  # a flatbuffer's offsets are 32 bits, and its builders keep one of them for the sign

_WORK = 4_000_000  # seconds on a Pi; the largest model for cameras that we know needs 60,000
_WORK_PER_TABLE = 8


class Damaged(Exception):
    """The bytes are no sound flatbuffer."""


class OutOfFile(Damaged):
    """A reference leads past the last byte."""


class FlatBytes(msgspec.Struct):
    """The bytes of one flatbuffer, and what has been read of them.

    ``reach`` is the furthest byte that any reference led to, whether it exists or not.
    """

    data: bytes
    reach: int = 0
    work: int = 0

    def root(self) -> FlatTable:
        """The root table, whose position is the first number. Raises Damaged."""
        self.check(0, 8)
        return FlatTable(self, Table(self.data, 0).Indirect(0))

    def check(self, start: int, length: int) -> None:
        """Raise OutOfFile unless ``length`` bytes from ``start`` are there."""
        self.reach = max(self.reach, start + length)
        if start + length > len(self.data):
            raise OutOfFile(f"byte {start + length:,} of {len(self.data):,}")

    def spend(self, work: int) -> None:
        """Count work: tables that overlap could otherwise ask for the square of the file's size."""
        self.work += work
        if self.work > _WORK:
            raise Damaged("it has too many tables, or they overlap")


class FlatTable:
    """A table, its fields read by slot (4 for the schema's first field, then 6, 8, ...).

    Every method raises Damaged where the bytes are not sound, and nothing else.
    """

    __slots__ = ("_file", "_table")

    def __init__(self, file: FlatBytes, position: int) -> None:
        file.check(position, 4)
        file.spend(_WORK_PER_TABLE)
        self._file = file
        self._table = Table(file.data, position)
        vtable = position - self._table.Get(number_types.SOffsetTFlags, position)
        if vtable < 0:
            raise Damaged(f"the table at byte {position:,} has no layout")
        file.check(vtable, 4)
        vtable_size = self._table.Get(number_types.VOffsetTFlags, vtable)
        file.check(vtable, vtable_size + vtable_size % 2)

    def number(self, slot: int, flags: Any, default: int = 0) -> int:
        """An integer field."""
        start = self._field(slot, flags.bytewidth)
        return default if start is None else int(self._table.Get(flags, start))

    def real(self, slot: int) -> float:
        """A float field."""
        start = self._field(slot, 4)
        return 0.0 if start is None else float(self._table.Get(number_types.Float32Flags, start))

    def text(self, slot: int) -> str | None:
        """A string field; bytes that are not UTF-8 are replaced."""
        start = self._field(slot, 4)
        return None if start is None else self._text_at(self._follow(start))

    def texts(self, slot: int) -> tuple[str, ...]:
        """A field that is a vector of strings."""
        return tuple(self._text_at(start) for start in self._targets(slot))

    def table(self, slot: int) -> FlatTable | None:
        """A field that is a table."""
        start = self._field(slot, 4)
        return None if start is None else FlatTable(self._file, self._follow(start))

    def tables(self, slot: int) -> list[FlatTable]:
        """A field that is a vector of tables."""
        return [FlatTable(self._file, position) for position in self._targets(slot)]

    def numbers(self, slot: int, dtype: type[Number]) -> npt.NDArray[Number]:
        """A field that is a vector of numbers: a one-dimensional view of the bytes."""
        start = self._field(slot, 4)
        if start is None:
            return np.empty(0, dtype)
        first, count = self._vector(self._follow(start), np.dtype(dtype).itemsize)
        self._file.spend(count)
        little_endian = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self._file.data, little_endian, count, first)

    def blob(self, slot: int) -> memoryview:
        """A field that is a vector of bytes, not copied; empty where it is absent."""
        start = self._field(slot, 4)
        if start is None:
            return memoryview(b"")
        first, count = self._vector(self._follow(start), 1)
        return memoryview(self._file.data)[first : first + count]

    def place(self, slot: int) -> int | None:
        """Where the reference of a field that is a vector or a table stands; None: it is absent."""
        return self._field(slot, 4)

    def _field(self, slot: int, width: int) -> int | None:
        """Where a field of ``width`` bytes starts, or None where the table does not have it."""
        offset = self._table.Offset(slot)
        if offset == 0:
            return None
        start: int = self._table.Pos + offset
        self._file.check(start, width)
        return start

    def _follow(self, start: int) -> int:
        target: int = self._table.Indirect(start)
        self._file.check(target, 4)
        return target

    def _vector(self, start: int, item_size: int) -> tuple[int, int]:
        """The first item's place and the count of a vector whose head is at ``start``."""
        count: int = self._table.Get(UINT32, start)
        self._file.check(start + 4, count * item_size)
        return start + 4, count

    def _text_at(self, start: int) -> str:
        first, count = self._vector(start, 1)
        self._file.spend(count)
        return self._file.data[first : first + count].decode("utf-8", "replace")

    def _targets(self, slot: int) -> list[int]:
        """Where the items of a vector of references lie; all are known to be inside the file."""
        field = self._field(slot, 4)
        if field is None:
            return []
        first, count = self._vector(self._follow(field), 4)
        self._file.spend(count)
        offsets = np.frombuffer(self._file.data, "<u4", count, first).tolist()
        targets = [first + 4 * i + offset for i, offset in enumerate(offsets)]
        if targets:
            self._file.check(max(targets), 4)
        return targets
