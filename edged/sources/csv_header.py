"""The first line of a table of samples: what separates its fields, and what its columns are.

Names come as people and programs write them: ``accel_x (m/s^2)``, ``accel_x [m/s^2]``, ``accel_x``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

import msgspec

from ..errors import SourceError
from ..plain_text import plain
from ..samples import Channel

_DELIMITERS = "\t;,"
_NAMED = re.compile(r"(?P<name>.*?)\s*(?:\((?P<round>[^()]*)\)|\[(?P<square>[^\[\]]*)\])?")
_TIME = re.compile(
    r"(?:elapsed_|unix_?)?(?:t|time|time_?stamp|date_?time|epoch)(?:_(?P<unit>[a-zµμ]+))?"
    r"|(?P<seconds>seconds)_elapsed"
)
_UNITS_S = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "micros", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds"), 1e-9),
    **dict.fromkeys(("", "unix", "utc", "iso", "iso8601", "iso 8601", "elapsed"), None),
}
"""Seconds in a unit of time; None: the word says that it is a time, and not in which unit."""


class TimeColumn(msgspec.Struct, frozen=True):
    """Where a row's time stands. ``unit_s`` is None where the header does not tell the unit."""

    index: int
    name: str
    unit_s: float | None


class Header(msgspec.Struct, frozen=True):
    """``columns``: where in a row the values of ``channels`` stand, of ``width`` fields.

    ``left_out``: columns that tell the time once more.
    """

    delimiter: str
    width: int
    channels: tuple[Channel, ...]
    columns: tuple[int, ...]
    time: TimeColumn | None
    left_out: tuple[str, ...]

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may be written 9,81: where a comma does not separate fields."""
        return self.delimiter != ","

    def values(self, fields: Sequence[str]) -> list[float]:
        """The values of a row, by channel. Raises ValueError, IndexError."""
        if self.decimal_comma:
            return [float(fields[column].replace(",", ".")) for column in self.columns]
        return [float(fields[column]) for column in self.columns]


def read_header(line: str, name: str) -> Header:
    """``name`` is the file's. Raises SourceError where the line is no header.

    The first column that is a time by its name and unit is the time, ``t`` where there is no other.
    """
    delimiter = max(_DELIMITERS, key=line.count) if any(map(line.count, _DELIMITERS)) else ","
    try:
        fields = next(csv.reader([line], delimiter=delimiter))
    except (csv.Error, StopIteration):
        fields = []
    if not fields or "\0" in line:
        raise SourceError(f"{name} is not text in UTF-8, and so no table that can be read.")
    if all(map(_is_number, fields)):
        raise SourceError(
            f"{name} begins with numbers; its first line must be a header with the channels' names."
        )
    named = [_channel(field) for field in fields]
    times = [found for index, one in enumerate(named) if (found := _time(index, one)) is not None]
    times = [one for one in times if one.name.casefold() != "t"] or times[:1]
    columns = [index for index in range(len(named)) if index not in {one.index for one in times}]
    names = [named[index].name for index in columns]
    for index, column in zip(columns, names, strict=True):
        if not column:
            raise SourceError(f"{name}: column {index + 1} has no name in the header.")
        if names.count(column) > 1:
            raise SourceError(f'{name}: the header names several columns "{column}".')
    if not columns:
        raise SourceError(f"{name} has no column besides the time.")
    channels = tuple(named[index] for index in columns)
    return Header(
        delimiter,
        len(fields),
        channels,
        tuple(columns),
        time=times[0] if times else None,
        left_out=tuple(one.name for one in times[1:]),
    )


def _is_number(field: str) -> bool:
    try:
        float(field.replace(",", "."))
    except ValueError:
        return False
    return True


def _channel(field: str) -> Channel:
    match = _NAMED.fullmatch(" ".join(plain(field).split()))
    assert match is not None  # it matches all there is
    return Channel(match["name"], (match["round"] or match["square"] or "").strip())


def _time(index: int, column: Channel) -> TimeColumn | None:
    match = _TIME.fullmatch(re.sub(r"[\s-]", "_", column.name.casefold()))
    if match is None:
        return None
    unit = column.unit.casefold() or match["unit"] or match["seconds"] or ""
    if unit not in _UNITS_S:
        return None  # a temperature t in °C, say
    return TimeColumn(index, column.name, _UNITS_S[unit])
