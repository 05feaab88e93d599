"""What the sources that read through OpenCV's VideoCapture share.

Importing this module sets how OpenCV behaves in this process, before its first capture.
"""

from __future__ import annotations

import os

import cv2

from ..buffers import FramePool
from ..records.arrays import UInt8Array

TIMEOUT_S = 5  # the longest that a camera or stream may stay silent

# Read by OpenCV when it first waits for a V4L2 device; it would wait ten seconds.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(TIMEOUT_S))
# Both write to stderr, beside the log, for every damaged packet. What matters is a SourceError.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
if hasattr(cv2, "setLogLevel"):  # OpenCV 4; in 5 it has moved
    cv2.setLogLevel(0)
else:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


class Reader:
    """An opened ``VideoCapture`` whose pictures are decoded straight into kept buffers."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self.capture = capture
        self._pool = FramePool((1, 1, 3))  # the first picture tells the size

    def grab(self) -> bool:
        """Take the next picture from the device or file; False: there was none."""
        return self.capture.grab()

    def retrieve(self) -> UInt8Array | None:
        """The picture that was grabbed, uint8 H x W x 3 in B, G, R; None if it is damaged.

        OpenCV writes into the buffer it is given where the size fits, and allocates otherwise.
        """
        whole, picture = self.capture.retrieve(self._pool.acquire())
        if not whole:
            return None
        if picture.shape != self._pool.shape:
            self._pool = FramePool(picture.shape)
        return picture  # type: ignore[return-value]  # OpenCV's stubs allow any number type

    def close(self) -> None:
        self.capture.release()
