"""USB cameras, through Video4Linux."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from ..errors import SourceError
from ..log_fields import Event, about
from ..records.arrays import UInt8Array
from ..records.frames import Frame, PixelOrder, Size
from ..samples import Want
from .opencv import TIMEOUT_S, Reader

log = logging.getLogger(__name__)

DAMAGED_IN_A_ROW = 30


class V4l2Source:
    """A camera at ``device``, asked for ``size`` and ``fps`` (None: what the camera likes)."""

    live = True

    def __init__(
        self,
        device: str,
        *,
        size: Size,
        fps: float | None,
        open_capture: Callable[[str, int], cv2.VideoCapture] = cv2.VideoCapture,
        dev: Path = Path("/dev"),
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._device = device
        self._size = size
        self._fps = fps
        self._open_capture = open_capture
        self._dev = dev
        self._now_ns = now_ns
        self._reader: Reader | None = None
        self._number = 0

    def open(self, want: Want) -> None:
        self.close()
        self._check_access()
        capture = self._open_capture(self._device, cv2.CAP_V4L2)
        self._reader = Reader(capture)
        if not capture.isOpened():
            raise SourceError(
                f"{self._device} cannot be used: another program has it, or it is no USB camera "
                '(for the Pi\'s own camera: kind = "picamera2").'
            )
        self._configure(capture)

    def _check_access(self) -> None:
        """Find out why the device would not open: OpenCV does not tell."""
        try:
            os.close(os.open(self._device, os.O_RDWR | os.O_NONBLOCK))
        except FileNotFoundError as error:
            there = ", ".join(sorted(str(path) for path in self._dev.glob("video*")))
            raise SourceError(
                f"There is no camera {self._device}; "
                + (f"there are {there}." if there else f"{self._dev} holds no video device at all.")
            ) from error
        except PermissionError as error:
            raise SourceError(
                f"{self._device} may not be opened: add the user to the group `video` "
                "(sudo usermod -aG video USER)."
            ) from error
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise SourceError(f"{self._device} is in use by another program.") from error
            raise SourceError(f"{self._device} cannot be opened: {error.strerror}.") from error

    def _configure(self, capture: cv2.VideoCapture) -> None:
        # Raw video of more than about 640x480 does not fit through USB 2 at a full rate. A camera
        # without MJPG refuses it, and OpenCV keeps the format it found, which may be BGR3, of
        # which OpenCV 4.11 makes one long row.
        for code in ("MJPG", "YUYV"):
            wanted = cv2.VideoWriter.fourcc(*code)
            capture.set(cv2.CAP_PROP_FOURCC, wanted)
            if int(capture.get(cv2.CAP_PROP_FOURCC)) == wanted:
                break
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size.height)
        if self._fps is not None:
            capture.set(cv2.CAP_PROP_FPS, max(1, round(self._fps)))
        # One to fill while the other is decoded. More would only hold older frames.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 2)
        given = Size(
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        )
        if given != self._size:
            log.warning(
                "%s gives %s instead of %s.",
                self._device,
                given,
                self._size,
                extra=about(Event.SOURCE),
            )

    def read(self) -> Frame:
        assert self._reader is not None
        pixels = self._picture(self._reader)
        arrived_ns = self._now_ns()
        # The driver's time stamp, of the monotonic clock on every UVC camera (V4L2, struct
        # v4l2_buffer). A driver that uses another clock is recognised by an impossible age.
        stamped_ns = round(self._reader.capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        recent = 0 <= arrived_ns - stamped_ns < TIMEOUT_S * 1_000_000_000
        number, self._number = self._number, self._number + 1
        return Frame(
            number, stamped_ns if recent else arrived_ns, arrived_ns, pixels, PixelOrder.BGR
        )

    def _picture(self, reader: Reader) -> UInt8Array:
        """The next whole picture: a JPEG damaged on the wire now and then is no failure."""
        for _ in range(DAMAGED_IN_A_ROW):
            if not reader.grab():
                raise SourceError(
                    f"{self._device} gave no frame for {TIMEOUT_S} s, or was unplugged."
                )
            pixels = reader.retrieve()
            if pixels is not None:
                return pixels
        raise SourceError(f"{self._device} gives only damaged pictures: check cable and power.")

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
