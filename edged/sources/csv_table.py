"""Tables of samples: CSV files as loggers, phones and spreadsheets write them."""

from __future__ import annotations

import contextlib
import csv
import math
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..plain_text import plain
from ..samples import Channel
from . import Unreadable
from .csv_header import read_header
from .csv_times import GAP_PERIODS, Times, rate_hz_of
from .recording import Part, RecordedFile, Recording

LONGEST_LINE = 1 << 20  # no more is read at once of a file that is no table
LOOKED_AT = 500  # rows, to find the rate
_MOST = float(np.finfo(np.float32).max)
_SAME_RATE_WITHIN = 0.01  # as exactly as the times of two files may tell it


class CsvSource(Recording):
    """Tables with a header; see ``Recording``. ``rate_hz`` stands above what their times say."""

    suffixes = (".csv", ".tsv")

    def __init__(
        self,
        path: Path,
        *,
        loop: bool,
        realtime: bool,
        rate_hz: float | None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        super().__init__(path, loop=loop, realtime=realtime, now_ns=now_ns)
        self._rate_hz = rate_hz

    def _open_file(self, path: Path, before: RecordedFile | None) -> RecordedFile:
        return CsvTable(path, self._rate_hz, before if isinstance(before, CsvTable) else None)


class CsvTable:
    """One table, read row by row.

    A column of times gives the rate. Samples are then taken to come in regular steps: a time that
    is early or late by up to half a period moves nothing, a step of more than 1.5 periods is a
    gap. A row is bad whose time repeats or goes back, that has too few or too many fields, or one
    that is no finite number. A bad row is a sample lost, where the times do not tell of more.
    """

    def __init__(self, path: Path, rate_hz: float | None, before: CsvTable | None) -> None:
        """Raises SourceError where there is no table with a header, rows and a rate."""
        self._name = plain(path.name)
        self._bad = 0  # rows since the last good one
        self._unreadable: Unreadable | None = None  # to be told after the rows before it
        self._ahead: tuple[int, list[float]] | None = None  # the row after a gap
        if not path.is_file():
            raise SourceError(f"{path} is not a file.")
        try:
            self._file = path.open(encoding="utf-8-sig", errors="replace", newline="")
            with contextlib.ExitStack() as failing:
                failing.callback(self.close)
                self._begin(rate_hz, before)
                failing.pop_all()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}.") from error

    def _begin(self, rate_hz: float | None, before: CsvTable | None) -> None:
        head, line = 1, self._line()
        while line.isspace():
            head, line = head + 1, self._line()
        if not line:
            raise SourceError(f"{self._name} is empty.")
        self._header = read_header(line, self._name)
        self.channels = self._header.channels
        rows = self._read_rows(head)
        looked_at = list(islice(rows, LOOKED_AT))
        if not looked_at:
            raise SourceError(f"{self._name} has a header and no rows.")
        self._rows = chain(looked_at, rows)
        self._times: Times | None = None
        self._time_s: float | None = None  # of the last row
        self.goes_on = False
        self._by = "source.rate_hz"
        self.rate_hz = rate_hz or self._find_rate([fields for _, fields in looked_at], before)

    def _line(self) -> str:
        return self._file.readline(LONGEST_LINE)

    def _read_rows(self, head: int) -> Iterator[tuple[int, list[str]]]:
        """Lines' numbers and fields; blank lines are none."""
        reader = csv.reader(iter(self._line, ""), delimiter=self._header.delimiter)
        while True:
            try:
                for fields in reader:
                    if fields:
                        yield head + reader.line_num, fields
                return
            except csv.Error:  # a field without end, say: as bad as a row without any
                yield head + reader.line_num, []

    def _find_rate(self, rows: list[list[str]], before: CsvTable | None) -> float:
        column = self._header.time
        if column is None:
            raise SourceError(
                f"{self._name} has no column of times (time, timestamp or t), and so no rate: give "
                "it in source.rate_hz."
            )
        fields = [row[column.index] for row in rows if len(row) == self._header.width]
        self._times = Times(column, fields[0] if fields else "", self._header.decimal_comma)
        self._by = f"its column {column.name} ({self._times.kind})"
        times = []
        for field in fields:
            with contextlib.suppress(ValueError):
                times.append(self._times.seconds(field))
        times = list(filter(math.isfinite, times))
        found_hz = rate_hz_of(times)
        if found_hz is None:
            raise SourceError(
                f"The times in column {column.name} of {self._name} tell no rate: less than half "
                "of them go forward. Give it in source.rate_hz, and they are left out of account."
            )
        if before is not None and before._is_followed_by(self.channels, found_hz, times[0]):
            self.goes_on, self._time_s, found_hz = True, before._time_s, before.rate_hz
        return found_hz

    def _is_followed_by(self, channels: tuple[Channel, ...], rate_hz: float, time_s: float) -> bool:
        same = channels == self.channels and math.isclose(
            rate_hz, self.rate_hz, rel_tol=_SAME_RATE_WITHIN
        )
        return same and self._time_s is not None and time_s > self._time_s

    def __str__(self) -> str:
        channels = ", ".join(map(str, self.channels))
        left_out = f", without {', '.join(self._header.left_out)}" if self._header.left_out else ""
        return f"{channels} at {self.rate_hz:.4g} Hz, by {self._by}{left_out}."

    def read(self, count: int) -> Part | None:
        if self._unreadable is not None:
            error, self._unreadable = self._unreadable, None
            raise error
        lost = 0
        rows: list[list[float]] = []
        while len(rows) < count:
            try:
                row, self._ahead = self._ahead or self._next(), None
            except Unreadable as unreadable:
                if not rows:
                    raise
                self._unreadable = unreadable
                break
            except OSError as error:
                raise SourceError(f"{self._name} cannot be read: {error.strerror}.") from error
            if row is None:
                break
            missing, values = row
            if missing and rows:
                self._ahead = row
                break
            lost += missing
            rows.append(values)
        return Part(lost, np.array(rows, np.float32)) if rows else None

    def _next(self) -> tuple[int, list[float]] | None:
        """The next row's values, and how many samples are missing before it. Raises Unreadable."""
        line, fields = next(self._rows, (0, None))
        if fields is None:
            return None
        try:
            values = self._values(fields)
            missing = max(self._bad, self._step(fields))
        except ValueError as error:
            self._bad += 1
            raise Unreadable(f"{self._name}, line {line} is skipped: {error}.") from None
        self._bad = 0
        return missing, values

    def _values(self, fields: list[str]) -> list[float]:
        """Raises ValueError, which tells the first fault."""
        header = self._header
        if len(fields) != header.width:
            raise ValueError(f"it has {len(fields)} fields and the header {header.width}")
        with contextlib.suppress(ValueError):
            values = header.values(fields)
            if sum(map(abs, values)) <= _MOST:
                return values
        return [
            _number(fields[index], header.decimal_comma, channel.name)
            for index, channel in zip(header.columns, self.channels, strict=True)
        ]

    def _step(self, fields: list[str]) -> int:
        """How many samples are missing before this row by its time. Raises ValueError."""
        if self._times is None or self._header.time is None:
            return 0
        field = fields[self._header.time.index]
        try:
            time_s = self._times.seconds(field)
        except ValueError:
            raise ValueError(f"its time {_shown(field)} is none in {self._times.kind}") from None
        if not math.isfinite(time_s):
            raise ValueError(f"its time is {_shown(field)}")
        before_s, self._time_s = self._time_s, time_s
        if before_s is None:
            return 0
        # Also where it goes back: a clock that was set costs this one row, not all that follow.
        if time_s <= before_s:
            raise ValueError(f"its time {_shown(field)} is not after that of the row before")
        periods = (time_s - before_s) * self.rate_hz
        return round(periods) - 1 if periods > GAP_PERIODS else 0

    def close(self) -> None:
        self._file.close()


def _number(field: str, decimal_comma: bool, column: str) -> float:
    """Raises ValueError, which tells what is wrong."""
    try:
        number = float(field.replace(",", ".") if decimal_comma else field)
    except ValueError:
        what = f"is {_shown(field)}, which is no number" if field.strip() else "is empty"
        raise ValueError(f"{column} {what}") from None
    if not abs(number) <= _MOST:
        raise ValueError(f"{column} is {_shown(field)}")
    return number


def _shown(field: str) -> str:
    text = plain(field)
    return f'"{text}"' if len(text) <= 40 else f'"{text[:37]}..."'
