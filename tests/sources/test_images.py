from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.errors import SourceError
from edged.records.frames import Frame, PixelOrder
from edged.sources import Unreadable
from edged.sources.images import ImagesSource
from edged.sources.pictures import is_whole


def encoded(suffix: str, value: int = 0, width: int = 16, height: int = 12) -> bytes:
    """A picture of one colour: B = ``value``, G = 100, R = 200."""
    pixels = np.full((height, width, 3), (value, 100, 200), np.uint8)
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return data.tobytes()


def write(directory: Path, name: str, value: int = 0, width: int = 16) -> None:
    (directory / name).write_bytes(encoded(Path(name).suffix, value, width))


def opened(path: Path, loop: bool = False) -> ImagesSource:
    source = ImagesSource(path, loop=loop, now_ns=lambda: 7)
    source.open(None)
    return source


def read_all(source: ImagesSource) -> tuple[list[Frame], list[str]]:
    """The frames up to the end, and what was told of those that could not be read."""
    frames: list[Frame] = []
    told: list[str] = []
    for _ in range(1000):
        try:
            frame = source.read()
        except Unreadable as error:
            told.append(str(error))
            continue
        if frame is None:
            return frames, told
        frames.append(frame)
    raise AssertionError("no end after 1000 pictures")


def test_a_directory_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for value, name in [(30, "c.png"), (10, "a.bmp"), (20, "b.PNG")]:
        write(tmp_path, name, value)
    (tmp_path / "sub.png").mkdir()
    (tmp_path / "notes.txt").write_text("no picture")

    frames, told = read_all(opened(tmp_path))

    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [10, 20, 30]
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert told == []


def test_a_frame_is_bytes_in_bgr_with_the_time_of_reading(tmp_path: Path) -> None:
    write(tmp_path, "a.png", 5)

    frame = opened(tmp_path).read()

    assert frame is not None
    assert frame.pixels.shape == (12, 16, 3)
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.flags.c_contiguous
    assert frame.pixels[0, 0].tolist() == [5, 100, 200]
    assert frame.order is PixelOrder.BGR
    assert (frame.captured_ns, frame.arrived_ns) == (7, 7)


def test_one_file_is_a_recording_of_one_picture(tmp_path: Path) -> None:
    write(tmp_path, "a.png")

    frames, _ = read_all(opened(tmp_path / "a.png"))

    assert len(frames) == 1


def test_pictures_may_differ_in_size(tmp_path: Path) -> None:
    write(tmp_path, "a.png", width=16)
    write(tmp_path, "b.png", width=40)

    frames, _ = read_all(opened(tmp_path))

    assert [frame.pixels.shape[1] for frame in frames] == [16, 40]


def test_grey_and_transparent_pictures_come_with_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 6), 77, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((4, 6, 4), 77, np.uint8))
    cv2.imwrite(str(tmp_path / "c.png"), np.full((4, 6, 3), 77 * 257, np.uint16))

    frames, _ = read_all(opened(tmp_path))

    assert [frame.pixels.shape for frame in frames] == [(4, 6, 3)] * 3
    assert all((frame.pixels == 77).all() for frame in frames)


def test_a_photo_is_turned_as_its_exif_data_say(tmp_path: Path) -> None:
    orientation = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)  # 6: turn by 90 degrees clockwise
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + orientation + struct.pack("<I", 0)
    app1 = b"\xff\xe1" + struct.pack(">H", 8 + len(tiff)) + b"Exif\0\0" + tiff
    photo = encoded(".jpg", width=32, height=16)
    (tmp_path / "a.jpg").write_bytes(photo[:2] + app1 + photo[2:])

    frame = opened(tmp_path).read()

    assert frame is not None
    assert frame.pixels.shape == (32, 16, 3)


def test_a_broken_picture_is_told_by_name_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path, "a.png", 1)
    (tmp_path / "b.jpg").write_text("this is no picture")
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "d.jpg").write_bytes(encoded(".jpg", width=640, height=480)[:3000])
    (tmp_path / "e.png").symlink_to(tmp_path / "nowhere")
    write(tmp_path, "f.png", 2)

    frames, told = read_all(opened(tmp_path))

    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [1, 2]
    assert told == [
        "b.jpg is skipped: it is not a picture that can be decoded.",
        "c.png is skipped: it is not a picture that can be decoded.",
        "d.jpg is skipped: the file is cut short.",
    ]


def test_a_picture_that_goes_away_while_the_run_lasts_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    write(tmp_path, "b.png")
    source = opened(tmp_path)
    source.read()
    (tmp_path / "b.png").unlink()

    with pytest.raises(Unreadable, match=r"b\.png is skipped: No such file"):
        source.read()
    assert source.read() is None


def test_a_loop_goes_on_and_tries_a_broken_picture_once(tmp_path: Path) -> None:
    write(tmp_path, "a.png", 1)
    (tmp_path / "b.png").write_text("broken")
    write(tmp_path, "c.png", 3)
    source = opened(tmp_path, loop=True)

    values, told = [], 0
    for _ in range(8):
        try:
            frame = source.read()
        except Unreadable:
            told += 1
            continue
        assert frame is not None
        values.append(int(frame.pixels[0, 0, 0]))

    assert values == [1, 3, 1, 3, 1, 3, 1]
    assert told == 1


@pytest.mark.parametrize("loop", [True, False])
def test_a_directory_of_broken_pictures_fails_after_one_round(tmp_path: Path, loop: bool) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("broken")
    source = opened(tmp_path, loop)

    for _ in range(2):
        with pytest.raises(Unreadable):
            source.read()
    with pytest.raises(SourceError, match="holds no picture that can be read") as caught:
        source.read()
    assert not isinstance(caught.value, Unreadable)


def test_a_directory_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no pictures; files ending in \.bmp, .*\.jpg"):
        opened(tmp_path)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no such file or directory"):
        opened(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0)
    with pytest.raises(SourceError, match="cannot be listed: Permission denied"):
        opened(tmp_path)


def test_it_can_be_opened_again_and_closed_twice(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    source = opened(tmp_path)
    read_all(source)
    source.close()
    source.close()

    source.open(None)

    assert len(read_all(source)[0]) == 1


def test_the_photos_of_the_test_data_are_read(testdata: Path) -> None:
    frames, told = read_all(opened(testdata / "images"))

    assert told == []
    assert len(frames) == len(list((testdata / "images").iterdir()))
    assert all(frame.pixels.ndim == 3 for frame in frames)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_a_file_is_whole_only_with_its_last_bytes(suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    data = cv2.imencode(suffix, noise)[1].tobytes()

    assert is_whole(data)
    assert is_whole(data + b"\0" * 9)
    assert not any(is_whole(data[:length]) for length in range(20, len(data) - 8, 7))


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_photo() -> None:
    photo, thumbnail = encoded(".jpg", width=64), encoded(".jpg")
    app1 = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    with_thumbnail = photo[:2] + app1 + photo[2:]

    assert is_whole(with_thumbnail)
    assert not is_whole(with_thumbnail[:-2])
