"""Recordings of a sensor: a file, or the files of a directory, as a source of samples."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from ..errors import SourceError
from ..log_fields import Event, about
from ..plain_text import plain
from ..records.arrays import FloatArray
from ..samples import Channel, Samples
from . import Unreadable

log = logging.getLogger(__name__)

BLOCK_S = 0.1
MOST_IN_A_BLOCK = 10_000
LONGEST_PAUSE_S = 10.0
MOST_BEHIND_NS = 1_000_000_000


class Part(msgspec.Struct, frozen=True):
    """What follows in a file: ``values`` float32, samples x channels, at least one sample.

    ``lost``: how many samples are missing before them.
    """

    lost: int
    values: FloatArray


class RecordedFile(Protocol):
    """An open file of one sensor."""

    rate_hz: float
    channels: tuple[Channel, ...]
    goes_on: bool
    """Whether its first sample is of the same stream as the file before it."""

    def read(self, count: int) -> Part | None:
        """Up to so many samples, or None at the end. Raises Unreadable, and SourceError."""

    def close(self) -> None:
        """Let go of it. May be called twice."""

    def __str__(self) -> str:
        """What it holds, for the log: one sentence."""


class Recording(ABC):
    """A ``SampleSource`` of the files at ``path``, one after the other in the order of their names.

    With ``realtime`` they are played at their own rate: a gap lasts as long as it did, but 10 s at
    most. Without it, as fast as samples are taken. They end, or with ``loop`` begin again. Each
    file begins a new stream (the count of samples shows a gap), where it does not go on. A file
    of a directory that cannot be read is passed over, and not tried again until the next ``open``.
    """

    suffixes: tuple[str, ...]

    def __init__(
        self,
        path: Path,
        *,
        loop: bool,
        realtime: bool,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.live = realtime
        self._path = path
        self._loop = loop
        self._now_ns = now_ns
        self._left: list[Path] = []  # of this round, the next one last
        self._good: list[Path] = []
        self._file: RecordedFile | None = None
        self._before: RecordedFile | None = None
        self._opened: Path | None = None  # until it has given a sample
        self._next = 0
        self._due_ns = 0
        self._told = ""

    @abstractmethod
    def _open_file(self, path: Path, before: RecordedFile | None) -> RecordedFile:
        """Raises SourceError. ``before``: the file before it in this round, which is closed."""

    def open(self) -> None:
        self.close()
        self._left, self._good = self._listed()[::-1], []
        self._next, self._due_ns = 0, self._now_ns()

    def _listed(self) -> list[Path]:
        try:
            if not self._path.is_dir():
                if not self._path.exists():
                    raise SourceError(f"{self._path}: there is no such file or directory.")
                return [self._path]
            found = [one for one in self._path.iterdir() if one.suffix.lower() in self.suffixes]
        except OSError as error:
            raise SourceError(f"{self._path} cannot be read: {error.strerror}.") from error
        if not found:
            endings = " or ".join(self.suffixes)
            raise SourceError(f"{self._path} holds no recordings; files in {endings} are wanted.")
        return sorted(found)

    def read(self) -> Samples | None:
        while self._file is not None or self._begin_next():
            assert self._file is not None
            count = round(min(self._file.rate_hz * BLOCK_S, MOST_IN_A_BLOCK))
            part = self._file.read(max(1, count))
            if part is not None:
                return self._dated(part, self._file)
            self._file.close()
            self._before, self._file = self._file, None
        return None

    def _begin_next(self) -> bool:
        """Open the next file; False at the end."""
        if not self._left:
            if not self._good:
                raise SourceError(f"{self._path} holds no samples that can be read.")
            if not self._loop:
                return False
            self._left, self._good, self._before = self._good[::-1], [], None
        path = self._left.pop()
        try:
            file = self._open_file(path, self._before)
        except SourceError as error:
            if path == self._path:
                raise
            raise Unreadable(f"{error} The file is passed over.") from error
        self._file, self._opened = file, path
        if str(file) != self._told:
            self._told = str(file)
            log.info("%s: %s", plain(path.name), self._told, extra=about(Event.SOURCE))
        return True

    def _dated(self, part: Part, file: RecordedFile) -> Samples:
        lost = part.lost
        if self._opened is not None:
            self._good.append(self._opened)
            self._opened = None
            if self._next and not file.goes_on:
                lost = max(1, lost)
        first, self._next = self._next + lost, self._next + lost + len(part.values)
        captured_ns = now_ns = self._now_ns()
        if self.live:
            # A machine too slow for the recording must not fall behind for ever.
            lasts_s = len(part.values) / file.rate_hz + min(lost / file.rate_hz, LONGEST_PAUSE_S)
            captured_ns = max(self._due_ns + round(lasts_s * 1e9), now_ns - MOST_BEHIND_NS)
            self._due_ns = captured_ns
        return Samples(first, part.values, file.rate_hz, file.channels, captured_ns, now_ns)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._before = self._opened = None
        self._left = []
