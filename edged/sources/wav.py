"""Sound recordings: WAV files, as recorders, phones and editors write them."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import numpy as np

from ..errors import SourceError
from ..log_fields import Event, about
from ..plain_text import plain
from ..samples import Channel
from . import Unreadable
from .recording import Part, RecordedFile, Recording
from .riff import find_sound

log = logging.getLogger(__name__)


class WavSource(Recording):
    """WAV files as one channel of sound, -1 to 1; see ``Recording``."""

    suffixes = (".wav", ".wave")

    def _open_file(self, path: Path, before: RecordedFile | None) -> RecordedFile:
        return WavFile(path)


class WavFile:
    """One file, read piece by piece. One that is cut short gives what it has."""

    channels: tuple[Channel, ...] = (Channel("audio"),)
    goes_on = False

    def __init__(self, path: Path) -> None:
        """Raises SourceError where there is no sound that can be played."""
        self._name = plain(path.name)
        if not path.is_file():
            raise SourceError(f"{path} is not a file.")
        try:
            self._file = path.open("rb")
            with contextlib.ExitStack() as failing:
                failing.callback(self.close)
                self._sound = find_sound(self._file, self._name)
                failing.pop_all()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
        self.rate_hz = float(self._sound.rate_hz)
        self._given = 0
        self._lost = 0  # samples since the last good one

    def __str__(self) -> str:
        sound = self._sound
        channels = "1 channel" if sound.channels == 1 else f"{sound.channels} channels, mixed to 1"
        return f"sound at {sound.rate_hz} Hz, {channels}."

    def read(self, count: int) -> Part | None:
        sound = self._sound
        try:
            data = self._file.read(min(count, sound.samples - self._given) * sound.step)
        except OSError as error:
            raise SourceError(f"{self._name} cannot be read: {error.strerror}.") from error
        count = len(data) // sound.step
        if not count:
            self._tell_missing()
            return None
        values = sound.decode(data[: count * sound.step])
        first, self._given = self._given, self._given + count
        # Only numbers with a floating point can be anything else.
        if not np.isfinite(values).all():
            self._lost += count
            raise Unreadable(
                f"{self._name}: samples {first} to {first + count - 1} are skipped, for among them "
                "are some that are no finite numbers."
            )
        lost, self._lost = self._lost, 0
        return Part(lost, values)

    def _tell_missing(self) -> None:
        if self._given < self._sound.samples:
            log.warning(
                "%s ended after %d of %d samples: it is cut short.",
                self._name,
                self._given,
                self._sound.samples,
                extra=about(Event.SOURCE),
            )

    def close(self) -> None:
        self._file.close()
