"""USB cameras: no device is here, so OpenCV's capture is a fake and the device a plain file."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from edged.errors import SourceError
from edged.records.arrays import UInt8Array
from edged.records.frames import PixelOrder, Size
from edged.sources.v4l2 import V4l2Source

NOW_NS = 50_000_000_000


class FakeCapture:
    """Gives frames whose bytes are their number; scripted to fail."""

    def __init__(self) -> None:
        self.opened = True
        self.settings: dict[int, float] = {}
        self.most = Size(1920, 1080)
        self.formats = ["MJPG", "YUYV"]
        self.grabs = iter([True] * 100)
        self.damaged: set[int] = set()
        self.number = 0
        self.stamp_ms = 0.0
        self.order: list[int] = []
        self.released = False

    def isOpened(self) -> bool:
        return self.opened

    def set(self, setting: int, value: float) -> bool:
        self.order.append(setting)
        codes = [cv2.VideoWriter.fourcc(*code) for code in self.formats]
        if setting == cv2.CAP_PROP_FOURCC and value not in codes:
            value = cv2.VideoWriter.fourcc(*"BGR3")  # OpenCV says yes, and keeps what it found
        most = {
            cv2.CAP_PROP_FRAME_WIDTH: self.most.width,
            cv2.CAP_PROP_FRAME_HEIGHT: self.most.height,
        }
        self.settings[setting] = min(value, most.get(setting, value))
        return True

    def get(self, setting: int) -> float:
        return self.stamp_ms if setting == cv2.CAP_PROP_POS_MSEC else self.settings[setting]

    def grab(self) -> bool:
        self.number += 1
        return next(self.grabs)

    def retrieve(self, image: UInt8Array) -> tuple[bool, UInt8Array | None]:
        if self.number in self.damaged:
            return False, None
        shape = (int(self.settings[4]), int(self.settings[3]), 3)
        picture = image if image.shape == shape else np.empty(shape, np.uint8)
        picture[...] = self.number
        return True, picture

    def release(self) -> None:
        self.released = True


@pytest.fixture
def capture() -> FakeCapture:
    return FakeCapture()


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "video0"
    path.touch()
    return path


def source_of(device: Path, capture: FakeCapture, fps: float | None = 15) -> V4l2Source:
    return V4l2Source(
        str(device),
        size=Size(64, 48),
        fps=fps,
        open_capture=lambda path, backend: cast(cv2.VideoCapture, capture),
        dev=device.parent,
        now_ns=lambda: NOW_NS,
    )


def test_a_camera_is_asked_for_compressed_frames_of_the_size_and_rate(
    device: Path, capture: FakeCapture
) -> None:
    source_of(device, capture).open(Size(32, 32))

    assert capture.settings == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"MJPG"),
        cv2.CAP_PROP_FRAME_WIDTH: 64,
        cv2.CAP_PROP_FRAME_HEIGHT: 48,
        cv2.CAP_PROP_FPS: 15,
        cv2.CAP_PROP_BUFFERSIZE: 2,
    }
    assert capture.order[0] == cv2.CAP_PROP_FOURCC  # sizes are offered by format


def test_a_camera_that_compresses_nothing_is_asked_for_what_opencv_can_convert(
    device: Path, capture: FakeCapture
) -> None:
    capture.formats = ["YUYV"]

    source_of(device, capture).open(Size(32, 32))

    assert capture.settings[cv2.CAP_PROP_FOURCC] == cv2.VideoWriter.fourcc(*"YUYV")


@pytest.mark.parametrize(("fps", "asked"), [(0.2, 1), (None, None)])
def test_the_rate_is_asked_for_in_whole_frames(
    device: Path, capture: FakeCapture, fps: float | None, asked: int | None
) -> None:
    source_of(device, capture, fps).open(None)

    assert capture.settings.get(cv2.CAP_PROP_FPS) == asked


def test_another_size_than_asked_for_is_told(
    device: Path, capture: FakeCapture, caplog: pytest.LogCaptureFixture
) -> None:
    capture.most = Size(32, 24)

    source_of(device, capture).open(None)

    assert caplog.messages == [f"{device} gives 32x24 instead of 64x48."]


def test_frames_keep_their_content_while_held(device: Path, capture: FakeCapture) -> None:
    source = source_of(device, capture)
    source.open(None)

    frames = [source.read() for _ in range(5)]

    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [1, 2, 3, 4, 5]
    assert [frame.number for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[0].pixels.shape == (48, 64, 3)
    assert frames[0].order is PixelOrder.BGR


@pytest.mark.parametrize(
    ("stamp_ms", "captured_ns"),
    [
        (49_960.0, 49_960_000_000),  # of the monotonic clock, 40 ms old
        (0.0, NOW_NS),  # none
        (1.7e12, NOW_NS),  # of the wall clock
    ],
)
def test_the_drivers_time_stamp_is_used_where_it_can_be_true(
    device: Path, capture: FakeCapture, stamp_ms: float, captured_ns: int
) -> None:
    source = source_of(device, capture)
    source.open(None)
    capture.stamp_ms = stamp_ms

    frame = source.read()

    assert frame.captured_ns == captured_ns
    assert frame.arrived_ns == NOW_NS


def test_a_damaged_picture_is_passed_over(device: Path, capture: FakeCapture) -> None:
    source = source_of(device, capture)
    source.open(None)
    capture.damaged = {1, 2}

    assert int(source.read().pixels[0, 0, 0]) == 3


def test_nothing_but_damaged_pictures_is_a_failure(device: Path, capture: FakeCapture) -> None:
    source = source_of(device, capture)
    source.open(None)
    capture.damaged = set(range(100))

    with pytest.raises(SourceError, match="only damaged pictures: check cable and power"):
        source.read()


def test_a_silent_or_unplugged_camera_is_a_failure(device: Path, capture: FakeCapture) -> None:
    source = source_of(device, capture)
    source.open(None)
    capture.grabs = iter([False])

    with pytest.raises(SourceError, match="gave no frame for 5 s, or was unplugged"):
        source.read()
    source.close()
    source.close()

    assert capture.released


def test_opencv_waits_no_longer_than_that_for_a_camera() -> None:
    assert float(os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"]) <= 5


def test_a_camera_that_is_not_there_is_told_with_those_that_are(
    device: Path, capture: FakeCapture
) -> None:
    source = source_of(device.with_name("video7"), capture)

    with pytest.raises(SourceError, match=rf"no camera .*video7; there are {device}\."):
        source.open(None)


def test_a_machine_without_cameras_is_told(tmp_path: Path, capture: FakeCapture) -> None:
    with pytest.raises(SourceError, match="holds no video device at all"):
        source_of(tmp_path / "video0", capture).open(None)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (errno.EACCES, "add the user to the group `video`"),
        (errno.EBUSY, "is in use by another program"),
        (errno.ENODEV, "cannot be opened: No such device"),
    ],
)
def test_a_camera_that_may_not_be_opened_is_told_why(
    device: Path,
    capture: FakeCapture,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    sentence: str,
) -> None:
    def refuse(path: str, flags: int) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr("edged.sources.v4l2.os.open", refuse)

    with pytest.raises(SourceError, match=sentence):
        source_of(device, capture).open(None)


def test_a_device_that_opencv_cannot_use_is_told(device: Path, capture: FakeCapture) -> None:
    capture.opened = False

    with pytest.raises(SourceError, match=r'no USB camera \(for the Pi\'s own .*"picamera2"\)'):
        source_of(device, capture).open(None)


def test_opencv_itself_refuses_what_is_no_camera(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()

    with pytest.raises(SourceError, match="cannot be used"):
        V4l2Source(str(device), size=Size(64, 48), fps=None, dev=tmp_path).open(None)
