"""The Pi's own camera, through libcamera's Python package picamera2.

The ISP scales at no cost: it is asked for a second, ``lores`` stream of the size that the model
sees. On a Pi 5 (the PiSP) that can be RGB; on those before (VC4) it must be YUV420, which is
converted here. picamera2 names a format by its order in a little-endian word, so that the arrays
of its "BGR888" are R, G, B and those of "RGB888" B, G, R.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..buffers import FramePool
from ..errors import SourceError
from ..records.arrays import UInt8Array
from ..records.frames import Frame, PixelOrder, Size
from ..samples import Want

TIMEOUT_S = 5.0
BUFFERS = 4  # libcamera wants several in flight; each costs contiguous memory
LOWEST_RATE_HZ = 1.0  # sensors go little lower, and a frame must come within the time-out

_ORDERS = {"BGR888": PixelOrder.RGB, "RGB888": PixelOrder.BGR, "YUV420": PixelOrder.RGB}

_INSTALL = (
    "picamera2 cannot be imported ({error}). On Raspberry Pi OS: sudo apt install "
    "python3-picamera2, and make edged's environment with: python3 -m venv "
    "--system-site-packages, so that it sees system packages."
)


class Picamera2Source:
    """Camera number ``camera`` at ``size``; ``fps`` None is what picamera2 likes, 30.

    ``picamera2_module`` stands in for the package in tests; None imports it in ``open``.
    """

    live = True

    def __init__(
        self,
        camera: int,
        *,
        size: Size,
        fps: float | None,
        picamera2_module: Any = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        boot_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        self._index = camera
        self._size = size
        self._fps = fps
        self._module = picamera2_module
        self._now_ns = now_ns
        self._boot_ns = boot_ns
        self._camera: Any = None
        self._stream = "main"
        self._format = ""
        self._width_px = 0
        self._number = 0
        self._pool = FramePool((0, 0, 3))
        self._wide = np.empty((0, 0, 3), np.uint8)

    def open(self, want: Want) -> None:
        self.close()
        if self._module is None:
            self._module = _picamera2()
        self._check_index()
        try:
            self._camera = self._module.Picamera2(self._index)
            self._configure(want if isinstance(want, Size) else None)
            self._camera.start()
        except (RuntimeError, IndexError, OSError) as error:
            raise SourceError(
                f"Camera {self._index} cannot be started: {_deepest(error)} "
                "Another program may be using it; try: rpicam-hello --list-cameras."
            ) from error

    def _check_index(self) -> None:
        cameras = self._module.Picamera2.global_camera_info()
        if not cameras:
            raise SourceError(
                "No Pi camera is found: check its cable, then: rpicam-hello --list-cameras."
            )
        if self._index >= len(cameras):
            known = ", ".join(f"{at} ({info['Model']})" for at, info in enumerate(cameras))
            raise SourceError(f"There is no camera {self._index}; there is {known}.")

    def _configure(self, want: Size | None) -> None:
        main = _even(self._size)
        lores = _even(want) if want is not None else main
        main_only = want is None or lores[0] > main[0] or lores[1] > main[1]
        rgb_lores = self._module.get_platform().name == "PISP"
        config = self._camera.create_video_configuration(
            # What nobody looks at is made in the format that takes the least memory.
            main={"size": main, "format": "BGR888" if main_only else "YUV420"},
            lores=None
            if main_only
            else {"size": lores, "format": "BGR888" if rgb_lores else "YUV420"},
            controls={} if self._fps is None else {"FrameRate": max(self._fps, LOWEST_RATE_HZ)},
            # The matrix and range that OpenCV's conversion from YUV420 assumes: BT.601, 16 to 235.
            colour_space=self._module.libcamera.ColorSpace.Smpte170m(),
            buffer_count=BUFFERS,
            display=None,
            encode=None,
        )
        self._camera.configure(config)
        self._stream = "main" if main_only else "lores"
        self._adopt(self._camera.stream_configuration(self._stream))

    def _adopt(self, given: Any) -> None:
        """Prepare for what libcamera made of the wish: it may adjust size and format."""
        self._format = given["format"]
        if self._format not in _ORDERS:
            raise SourceError(
                f"Camera {self._index} gives {self._format}, which edged cannot read: "
                f"it reads {', '.join(_ORDERS)}."
            )
        self._width_px, height = given["size"]
        self._pool = FramePool((height, self._width_px, 3))
        # YUV rows are padded to the stride, so the converted picture is that wide too.
        padded = given["stride"] if self._format == "YUV420" else 0
        self._wide = np.empty((height, padded, 3), np.uint8)

    def read(self) -> Frame:
        try:
            request = self._camera.capture_request(wait=TIMEOUT_S)
        except TimeoutError as error:
            # Otherwise close() would wait behind the request that never comes.
            self._camera.cancel_all_and_flush()
            raise SourceError(
                f"Camera {self._index} gave no frame for {TIMEOUT_S:g} s: check its cable."
            ) from error
        except RuntimeError as error:
            raise SourceError(f"Camera {self._index} has failed: {_deepest(error)}") from error
        try:
            pixels = self._copied(request)
            stamped_ns = request.get_metadata().get("SensorTimestamp")
        finally:
            request.release()  # the camera stops when all its buffers are out
        arrived_ns = self._now_ns()
        captured_ns = arrived_ns
        if stamped_ns is not None:  # of CLOCK_BOOTTIME (libcamera, control SensorTimestamp)
            captured_ns -= max(0, self._boot_ns() - stamped_ns)
        number, self._number = self._number, self._number + 1
        return Frame(number, captured_ns, arrived_ns, pixels, _ORDERS[self._format])

    def _copied(self, request: Any) -> UInt8Array:
        """The picture in a kept buffer: camera memory must go back, and is slow to read twice."""
        pixels = self._pool.acquire()
        with self._module.MappedArray(request, self._stream) as mapped:
            if self._format != "YUV420":
                np.copyto(pixels, mapped.array)
            elif self._wide.shape == pixels.shape:
                cv2.cvtColor(mapped.array, cv2.COLOR_YUV2RGB_I420, dst=pixels)
            else:
                cv2.cvtColor(mapped.array, cv2.COLOR_YUV2RGB_I420, dst=self._wide)
                np.copyto(pixels, self._wide[:, : self._width_px])
        return pixels

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        raise SourceError(_INSTALL.format(error=error)) from error


def _even(size: Size) -> tuple[int, int]:
    """Rounded up to even numbers, as a stream must be: half of them are the chroma planes'."""
    return size.width + size.width % 2, size.height + size.height % 2


def _deepest(error: BaseException) -> str:
    """What went wrong first: picamera2 wraps it in "did not complete" two or three deep."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{str(error).strip().rstrip('.')}."
