"""What the workshop tries models on: the pictures, or the recordings, under a directory.

They are read by the daemon's own sources, and a model's own filler (``Reading.input.filler``)
brings them into its input: one piece of code, and what is measured here is what serves there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from ..errors import EdgedError, SourceError
from ..samples import Given, Gives, Want, WindowShape
from ..sources import Gap, NotYet, SampleSource, Unreadable
from ..sources.csv_table import CsvSource, CsvTable
from ..sources.images import SUFFIXES, ImagesSource
from ..sources.wav import WavFile, WavSource
from ..sources.windowed import WindowedSource

PassedOver = Callable[[str], None]
"""Is told, in a sentence, of a file, a line or a gap that is passed over."""

_RECORDINGS = frozenset({*CsvSource.suffixes, *WavSource.suffixes})


class Example(msgspec.Struct, frozen=True):
    """One picture, or one window of a recording. ``file`` is seen from the data's directory.
    ``recorded_hz``: what the recording tells of its own rate, None where nothing.
    """

    file: Path
    item: Given
    recorded_hz: float | None = None

    @property
    def label(self) -> str | None:
        """The directory in the data's that its file lies in, which may be its class."""
        return self.file.parts[0] if len(self.file.parts) > 1 else None


class Data(msgspec.Struct, frozen=True):
    """``files``: those of one kind under ``directory``, in the order of their names."""

    directory: Path
    gives: Gives
    files: Sequence[Path]

    @property
    def said(self) -> str:
        """ "120 pictures", for a sentence."""
        what = "picture" if self.gives is Gives.FRAMES else "recording"
        return f"{len(self.files):,} {what}{'s' * (len(self.files) != 1)}"

    def read(self, file: Path, want: Want, passed_over: PassedOver) -> Iterator[Example]:
        """What one of ``files`` gives: a picture, or windows one after the other.

        ``want`` is a filler's, of frames of no size: a model for pictures wants nothing.
        """
        name = file.relative_to(self.directory)
        for item, recorded_hz in _items(file, want, lambda why: passed_over(f"{name}: {why}")):
            yield Example(name, item, recorded_hz)


def find_data(directory: Path) -> Data:
    """Raises EdgedError where there is none, or of both kinds."""
    try:
        there = sorted(path for path in directory.rglob("*") if not _hidden(path, directory))
        if not directory.is_dir():
            what = "is a file" if directory.exists() else "does not exist"
            raise EdgedError(f"{directory} {what}. Name a directory of pictures or recordings")
    except OSError as error:
        raise EdgedError(f"{directory} cannot be listed: {error.strerror}") from error
    pictures = [path for path in there if path.suffix.lower() in SUFFIXES]
    recordings = [path for path in there if path.suffix.lower() in _RECORDINGS]
    if pictures and recordings:
        raise EdgedError(
            f"{directory} holds pictures ({pictures[0].name}) and recordings "
            f"({recordings[0].name}). Name a directory with only those that the model looks at"
        )
    if not pictures and not recordings:
        raise EdgedError(
            f"{directory} holds no data. Pictures ({_said(SUFFIXES)}) or recordings "
            f"({_said(_RECORDINGS)}) are looked for, also in the directories in it"
        )
    gives = Gives.FRAMES if pictures else Gives.WINDOWS
    return Data(directory, gives, pictures or recordings)


def _hidden(path: Path, under: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(under).parts)


def _said(suffixes: frozenset[str]) -> str:
    return ", ".join(sorted(suffixes))


def _items(file: Path, want: Want, passed_over: PassedOver) -> Iterator[tuple[Given, float | None]]:
    """With what the file tells of its rate."""
    if not isinstance(want, WindowShape):
        source = ImagesSource(file, loop=False)
        source.open(want)
        try:
            picture = source.read()
        except SourceError as error:
            passed_over(str(error))
        else:
            assert picture is not None
            yield picture, None
        return
    try:
        recording, recorded_hz = _recording(file, want)
        windows = WindowedSource(recording)
        windows.open(want)
        for window in _windows(windows, passed_over):
            yield window, recorded_hz
    except SourceError as error:
        passed_over(str(error))


def _windows(source: WindowedSource, passed_over: PassedOver) -> Iterator[Given]:
    """Raises SourceError where the file has failed."""
    try:
        while True:
            try:
                window = source.read()
            except (Unreadable, Gap) as error:
                passed_over(str(error))
            except NotYet:
                continue
            else:
                if window is None:
                    return
                yield window
    finally:
        source.close()


def _recording(file: Path, want: WindowShape) -> tuple[SampleSource, float | None]:
    """With what it tells of its rate. A table that tells none is taken at that of the windows.
    Raises SourceError.
    """
    if file.suffix.lower() not in CsvSource.suffixes:
        sound = WavFile(file)
        sound.close()
        return WavSource(file, loop=False, realtime=False), sound.rate_hz
    rate_hz = recorded_hz = None
    try:
        table = CsvTable(file, None, None)
        recorded_hz = table.rate_hz
        table.close()
    except SourceError:
        rate_hz = want.rate_hz or 1.0  # nothing depends on it where the model takes any
    return CsvSource(file, loop=False, realtime=False, rate_hz=rate_hz), recorded_hz
