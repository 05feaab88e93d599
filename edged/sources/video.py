"""Video files, and streams from network cameras (rtsp://)."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from ..errors import SourceError
from ..log_fields import Event, about
from ..records.arrays import UInt8Array
from ..records.frames import Frame, PixelOrder
from ..samples import Want
from .opencv import TIMEOUT_S, Reader

log = logging.getLogger(__name__)

ASSUMED_RATE_HZ = 25.0  # of a file that tells no rate
MOST_BEHIND_NS = 1_000_000_000


class VideoSource:
    """A video file or a stream, decoded by FFmpeg inside OpenCV.

    A stream is live, and its end is a failure. A file is played at its own rate with ``realtime``,
    else as fast as its frames are taken; it ends, or with ``loop`` begins again.
    """

    def __init__(
        self,
        path: str,
        *,
        loop: bool,
        realtime: bool,
        timeout_s: float = TIMEOUT_S,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._path = path
        self._is_stream = "://" in path
        self._shown = without_secrets(path) if self._is_stream else path
        self._loop = loop and not self._is_stream
        self._realtime = realtime and not self._is_stream
        self.live = realtime or self._is_stream
        self._timeout_ms = round(timeout_s * 1000)
        self._now_ns = now_ns
        self._reader: Reader | None = None
        self._number = 0
        self._since_begin = 0
        self._interval_ns = 0
        self._due_ns = 0

    def open(self, want: Want) -> None:
        if not self._is_stream:
            _check_file(Path(self._path))
        self._begin()
        self._due_ns = self._now_ns()

    def _begin(self) -> None:
        self.close()
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            self._timeout_ms,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            self._timeout_ms,
        ]
        capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise SourceError(self._why_not())
        self._reader = Reader(capture)
        self._since_begin = 0
        if self._realtime:
            self._interval_ns = round(1e9 / self._rate_hz(capture))

    def _why_not(self) -> str:
        if self._is_stream:
            return (
                f"{self._shown} gives no stream: check the address, the user and password in it, "
                "and that the camera is on."
            )
        return f"{self._shown} is not a video that can be played: damaged, cut short or no video."

    def _rate_hz(self, capture: cv2.VideoCapture) -> float:
        rate_hz = capture.get(cv2.CAP_PROP_FPS)
        if 0 < rate_hz < 1000:  # not for NaN either
            return rate_hz
        log.warning(
            "%s tells no frame rate; it is played at %g.",
            self._shown,
            ASSUMED_RATE_HZ,
            extra=about(Event.SOURCE),
        )
        return ASSUMED_RATE_HZ

    def read(self) -> Frame | None:
        pixels = self._picture()
        if pixels is None and self._loop:
            self._begin()
            pixels = self._picture()
        if pixels is None:
            return None
        number, self._number = self._number, self._number + 1
        now_ns = self._now_ns()
        if not self._realtime:
            return Frame(number, now_ns, now_ns, pixels, PixelOrder.BGR)
        # A machine too slow for the file must not fall behind for ever.
        due_ns = max(self._due_ns, now_ns - MOST_BEHIND_NS)
        self._due_ns = due_ns + self._interval_ns
        return Frame(number, due_ns, now_ns, pixels, PixelOrder.BGR)

    def _picture(self) -> UInt8Array | None:
        """The next picture; None at the end of a file that gave at least one."""
        assert self._reader is not None
        pixels = self._reader.retrieve() if self._reader.grab() else None
        if pixels is not None:
            self._since_begin += 1
            return pixels
        if self._is_stream:
            raise SourceError(
                f"{self._shown} has ended, or gave nothing for {self._timeout_ms / 1000:g} s."
            )
        if not self._since_begin:
            raise SourceError(f"{self._shown} holds no picture that can be decoded.")
        self._tell_missing(int(self._reader.capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        return None

    def _tell_missing(self, expected: int) -> None:
        """Warn of a file that is cut short. Containers tell the count, some only roughly."""
        if self._since_begin < 0.9 * expected:
            log.warning(
                "%s ended after %d of about %d frames: it is damaged or cut short.",
                self._shown,
                self._since_begin,
                expected,
                extra=about(Event.SOURCE),
            )

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


def without_secrets(url: str) -> str:
    """``url`` down to scheme, host and port: user, password and query may be secret.

    An ``@`` outside the place of user and password hints at a password that was not escaped, of
    which the host could be a part: then the host is left out too.
    """
    scheme, _, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest and "@" not in authority:
        return f"{scheme}://..."
    return f"{scheme}://{authority.rpartition('@')[2]}/..."


def _check_file(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"{path}: there is no such file.")
    if not path.is_file():
        raise SourceError(f"{path} is not a file.")
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path} cannot be read: permission denied.")
