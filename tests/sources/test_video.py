from __future__ import annotations

import logging
import socket
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from edged.capture import Capture, CaptureState
from edged.errors import SourceError
from edged.handoff import Closed, LatestSlot
from edged.records.arrays import UInt8Array
from edged.records.frames import Frame, PixelOrder
from edged.sources.opencv import Reader
from edged.sources.video import VideoSource, without_secrets

FRAMES, RATE_HZ, STEP = 30, 12.5, 8
INTERVAL_NS = 80_000_000


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of 30 grey frames, each 8 levels brighter than the one before."""
    directory = tmp_path_factory.mktemp("clips")
    for name, codec in (("film.avi", "MJPG"), ("film.mp4", "mp4v")):
        write_film(directory / name, codec, FRAMES)
    whole = (directory / "film.avi").read_bytes()
    (directory / "cut.avi").write_bytes(whole[: len(whole) // 2])
    (directory / "void.avi").write_bytes(without_pictures(whole))
    (directory / "cut.mp4").write_bytes((directory / "film.mp4").read_bytes()[:2000])
    (directory / "text.mp4").write_text("this is no film\n" * 50)
    (directory / "empty.mp4").touch()
    return directory


def write_film(path: Path, codec: str, frames: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), RATE_HZ, (160, 120))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((120, 160, 3), number * STEP, np.uint8))
    writer.release()


def without_pictures(avi: bytes) -> bytes:
    """The film with zeros in place of what is in its chunks of video ("00dc", RIFF)."""
    data, at = bytearray(avi), 0
    end = avi.find(b"idx1")
    while (at := avi.find(b"00dc", at, end)) >= 0:
        length = int.from_bytes(avi[at + 4 : at + 8], "little")
        data[at + 8 : at + 8 + length] = bytes(length)
        at += 8 + length
    return bytes(data)


def source_of(
    path: Path | str,
    *,
    loop: bool = False,
    realtime: bool = False,
    now_ns: Callable[[], int] = lambda: 10**12,
) -> VideoSource:
    return VideoSource(str(path), loop=loop, realtime=realtime, timeout_s=0.3, now_ns=now_ns)


def opened(
    path: Path, *, realtime: bool = False, now_ns: Callable[[], int] = lambda: 10**12
) -> VideoSource:
    source = source_of(path, realtime=realtime, now_ns=now_ns)
    source.open(None)
    return source


def read_one(source: VideoSource) -> Frame:
    frame = source.read()
    assert frame is not None
    return frame


def level(frame: Frame) -> float:
    return float(frame.pixels.mean())


@pytest.mark.parametrize("name", ["film.avi", "film.mp4"])
def test_every_frame_of_a_file_comes_in_order_and_then_the_end(clips: Path, name: str) -> None:
    source = opened(clips / name)

    levels = []
    while (frame := source.read()) is not None:
        assert frame.pixels.shape == (120, 160, 3)
        assert frame.order is PixelOrder.BGR
        levels.append(level(frame))

    assert levels == pytest.approx([n * STEP for n in range(FRAMES)], abs=5)
    assert source.read() is None
    source.close()
    source.close()


def test_held_frames_keep_their_content_while_later_ones_are_read(clips: Path) -> None:
    source = opened(clips / "film.avi")

    held = [read_one(source) for _ in range(10)]
    views = [read_one(source).pixels[10:20] for _ in range(5)]
    for _ in range(10):
        read_one(source)

    assert [level(frame) for frame in held] == pytest.approx([n * STEP for n in range(10)], abs=5)
    assert [float(view.mean()) for view in views] == pytest.approx(
        [n * STEP for n in range(10, 15)], abs=5
    )


def test_buffers_are_used_again(clips: Path) -> None:
    source = opened(clips / "film.avi")
    read_one(source)  # of this one OpenCV tells the size

    kept = weakref.ref(read_one(source).pixels)

    assert kept() is not None
    assert all(read_one(source).pixels is kept() for _ in range(10))


def test_in_real_time_frames_are_due_at_the_files_own_rate(clips: Path) -> None:
    source = opened(clips / "film.mp4", realtime=True, now_ns=lambda: 5_000)

    frames = [read_one(source) for _ in range(4)]

    assert source.live
    assert [frame.captured_ns for frame in frames] == [5_000 + n * INTERVAL_NS for n in range(4)]


def test_a_machine_too_slow_for_the_film_falls_behind_by_a_second_at_most(clips: Path) -> None:
    now_ns = 0
    source = opened(clips / "film.avi", realtime=True, now_ns=lambda: now_ns)

    for _ in range(5):
        now_ns += 1_000_000_000
        frame = read_one(source)
        assert now_ns - frame.captured_ns <= 1_000_000_000


def test_otherwise_frames_carry_the_time_of_reading(clips: Path) -> None:
    source = opened(clips / "film.avi", now_ns=lambda: 77)

    assert not source.live
    assert [read_one(source).captured_ns for _ in range(3)] == [77, 77, 77]


def test_a_loop_begins_again_and_counts_on(clips: Path) -> None:
    source = source_of(clips / "film.avi", loop=True, realtime=True)
    source.open(None)

    frames = [read_one(source) for _ in range(FRAMES + 3)]

    assert level(frames[FRAMES + 1]) == pytest.approx(STEP, abs=5)
    assert [frame.number for frame in frames] == list(range(FRAMES + 3))
    assert frames[-1].captured_ns - frames[0].captured_ns == (FRAMES + 2) * INTERVAL_NS


def test_a_file_without_a_rate_is_played_at_an_assumed_one_and_that_is_told(
    clips: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edged.sources.video.cv2.CAP_PROP_FPS", cv2.CAP_PROP_SETTINGS)  # gives 0
    source = opened(clips / "film.avi", realtime=True)

    first, second = read_one(source), read_one(source)

    assert second.captured_ns - first.captured_ns == 40_000_000
    assert "tells no frame rate; it is played at 25" in caplog.text


def test_a_file_cut_short_plays_as_far_as_it_goes_and_is_told(
    clips: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "edged")
    source = opened(clips / "cut.avi")

    count = 0
    while source.read() is not None:
        count += 1

    assert 0 < count < FRAMES
    assert f"ended after {count} of about 30 frames" in caplog.text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("text.mp4", "is not a video that can be played"),
        ("empty.mp4", "is not a video that can be played"),
        ("cut.mp4", "is not a video that can be played"),
        ("nowhere.mp4", "there is no such file"),
        (".", "is not a file"),
    ],
)
def test_what_is_no_film_is_refused(clips: Path, name: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        opened(clips / name)


@pytest.mark.parametrize("loop", [True, False])
def test_a_film_of_which_no_picture_can_be_decoded_is_a_failure(clips: Path, loop: bool) -> None:
    source = source_of(clips / "void.avi", loop=loop)
    source.open(None)

    with pytest.raises(SourceError, match="holds no picture that can be decoded"):
        source.read()


def test_a_size_that_changes_gets_new_buffers() -> None:
    class Shrinking:
        sizes = iter([4, 4, 2, 2])

        def retrieve(self, image: UInt8Array) -> tuple[bool, UInt8Array]:
            size = next(self.sizes)
            fits = image.shape == (size, size, 3)
            return True, image if fits else np.empty((size, size, 3), np.uint8)

    reader = Reader(cast(cv2.VideoCapture, Shrinking()))

    pictures = [reader.retrieve() for _ in range(4)]

    assert [picture.shape[0] for picture in pictures if picture is not None] == [4, 4, 2, 2]


# ---- played through the capture thread ----------------------------------------------------------


def play(source: VideoSource, realtime: bool) -> tuple[list[Frame], float, Capture]:
    """The frames taken one after the other, and how long that took in seconds."""
    slot: LatestSlot[Frame] = LatestSlot()
    capture = Capture(
        "film", source, slot, fps=None, realtime=realtime, on_state=lambda state, reason: None
    )
    began, frames = time.monotonic(), []
    capture.start(None)
    try:
        while (frame := slot.take(5.0)) is not None:
            frames.append(frame)
    except Closed:
        assert capture.stop(5.0)
        return frames, time.monotonic() - began, capture
    raise AssertionError("the film did not end")


def test_a_film_in_real_time_is_no_faster_than_its_own_rate(tmp_path: Path) -> None:
    write_film(tmp_path / "short.avi", "MJPG", 4)
    source = VideoSource(str(tmp_path / "short.avi"), loop=False, realtime=True)

    frames, took_s, _ = play(source, realtime=True)

    assert took_s >= 3 / RATE_HZ
    assert frames[0].number == 0
    assert all(frame.arrived_ns >= frame.captured_ns for frame in frames)


def test_a_film_not_in_real_time_is_taken_whole(clips: Path) -> None:
    source = VideoSource(str(clips / "film.avi"), loop=False, realtime=False)

    frames, _, capture = play(source, realtime=False)

    assert [frame.number for frame in frames] == list(range(FRAMES))
    assert capture.frames == FRAMES


# ---- streams: the errors only; there is no server to play one -----------------------------------


def test_a_refused_connection_is_an_error_without_the_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        source = source_of(f"rtsp://joe:sesame@127.0.0.1:{port}/live?token=sesame")

        with pytest.raises(
            SourceError, match=rf"rtsp://127.0.0.1:{port}/\.\.\. gives no"
        ) as caught:
            source.open(None)

    assert "sesame" not in str(caught.value)
    assert "joe" not in str(caught.value)


def test_a_camera_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        source = source_of(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")
        began = time.monotonic()

        with pytest.raises(SourceError, match="gives no stream"):
            source.open(None)

    assert time.monotonic() - began < 5


def test_the_end_of_a_stream_is_a_failure(clips: Path) -> None:
    source = source_of(f"file://{clips / 'film.avi'}", loop=True)
    source.open(None)
    assert source.live
    for _ in range(FRAMES):
        read_one(source)

    with pytest.raises(SourceError, match="has ended, or gave nothing for"):
        source.read()


def test_a_stream_that_is_not_there_is_retried(tmp_path: Path) -> None:
    told: list[tuple[CaptureState, str | None]] = []
    slot: LatestSlot[Frame] = LatestSlot()

    def hear(state: CaptureState, reason: str | None) -> None:
        told.append((state, reason))
        slot.close()

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = source_of(f"rtsp://joe:sesame@127.0.0.1:{unused.getsockname()[1]}/live")
        capture = Capture(
            "cam",
            source,
            slot,
            fps=None,
            realtime=True,
            on_state=hear,
        )
        capture.start(None)
        with pytest.raises(Closed):
            slot.take(5.0)
        assert capture.stop(5.0)

    assert [state for state, _ in told] == [CaptureState.LOST]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://cam.local/live", "rtsp://cam.local/..."),
        ("rtsp://joe:sesame@cam.local:554/live", "rtsp://cam.local:554/..."),
        ("rtsp://joe:s@same@cam.local/live", "rtsp://cam.local/..."),
        ("rtsp://joe:sesame/open@cam.local/live", "rtsp://..."),
        ("rtsp://cam.local/live?user=joe&password=sesame", "rtsp://cam.local/..."),
        ("rtsp://cam.local", "rtsp://cam.local/..."),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
