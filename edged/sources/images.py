"""Pictures from a directory, or one picture file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..errors import SourceError
from ..records.arrays import UInt8Array
from ..records.frames import Frame, PixelOrder
from ..samples import Want
from . import Unreadable
from .pictures import is_whole

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class ImagesSource:
    """The pictures of a directory in the order of their names, turned as their EXIF data say.

    Sub-directories and files that are no pictures by their suffix are passed by. With ``loop`` the
    pictures come again, for ever; one that could not be read is not tried again until the next
    ``open``.
    """

    live = False

    def __init__(
        self, path: Path, *, loop: bool, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._path = path
        self._loop = loop
        self._now_ns = now_ns
        self._number = 0
        self._left: list[Path] = []  # of this round, the next one last
        self._good: list[Path] = []

    def open(self, want: Want) -> None:
        self._good = []
        self._left = self._listed()[::-1]

    def _listed(self) -> list[Path]:
        if not self._path.is_dir():
            if not self._path.exists():
                raise SourceError(f"{self._path}: there is no such file or directory.")
            return [self._path]
        try:
            found = [path for path in self._path.iterdir() if path.suffix.lower() in SUFFIXES]
        except OSError as error:
            raise SourceError(f"{self._path} cannot be listed: {error.strerror}.") from error
        if not found:
            raise SourceError(
                f"{self._path} holds no pictures; files ending in "
                f"{', '.join(sorted(SUFFIXES))} are looked for."
            )
        return sorted(path for path in found if path.is_file())

    def read(self) -> Frame | None:
        if not self._left:
            if not self._good:
                raise SourceError(f"{self._path} holds no picture that can be read.")
            if not self._loop:
                return None
            self._left, self._good = self._good[::-1], []
        path = self._left.pop()
        pixels = _decoded(path)
        self._good.append(path)
        self._number += 1
        now_ns = self._now_ns()
        return Frame(self._number - 1, now_ns, now_ns, pixels, PixelOrder.BGR)

    def close(self) -> None:
        self._left = []


def _decoded(path: Path) -> UInt8Array:
    """The picture as uint8 H x W x 3 in B, G, R, whatever depth and channels the file has."""
    try:
        data = path.read_bytes()
        if not is_whole(data):
            raise Unreadable(f"{path.name} is skipped: the file is cut short.")
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except OSError as error:
        raise Unreadable(f"{path.name} is skipped: {error.strerror}.") from error
    except cv2.error as error:
        raise Unreadable(f"{path.name} is skipped: {error.err}.") from error
    if pixels is None:
        raise Unreadable(f"{path.name} is skipped: it is not a picture that can be decoded.")
    return pixels  # type: ignore[return-value]  # OpenCV's stubs allow any number type
