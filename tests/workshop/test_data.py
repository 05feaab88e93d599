from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from household import SMALL_MODELS
from sounds import write_wav

from edged.engine.geometry import Fit
from edged.errors import EdgedError
from edged.samples import Gives, Window, WindowShape
from edged.workshop.data import Example, find_data
from edged.workshop.subject import take


def write_picture(path: Path, colour: tuple[int, int, int] = (0, 0, 255)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((8, 8, 3), colour, np.uint8))


def write_table(path: Path, rows: int, times: bool = True) -> None:
    lines = [f"{n / 100},{n},{-n}" if times else f"{n},{-n}" for n in range(rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["time_s,x,y" if times else "x,y", *lines]))


def read(directory: Path, want: WindowShape | None = None) -> tuple[list[Example], list[str]]:
    told: list[str] = []
    data = find_data(directory)
    return [each for file in data.files for each in data.read(file, want, told.append)], told


def test_pictures_come_in_the_order_of_names_with_the_class_they_lie_under(tmp_path: Path) -> None:
    write_picture(tmp_path / "cat" / "2.png")
    write_picture(tmp_path / "cat" / "1.PNG")
    write_picture(tmp_path / "bird.jpg")
    write_picture(tmp_path / ".cache" / "3.png")
    (tmp_path / "notes.txt").write_text("no picture")

    examples, told = read(tmp_path)

    assert [(str(each.file), each.label) for each in examples] == [
        ("bird.jpg", None),
        ("cat/1.PNG", "cat"),
        ("cat/2.png", "cat"),
    ]
    assert told == []
    assert find_data(tmp_path).said == "3 pictures"


def test_a_picture_that_cannot_be_read_is_told_and_passed_over(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:-20])

    examples, told = read(tmp_path)

    assert [str(each.file) for each in examples] == ["a.png"]
    assert told == ["b.png: b.png is skipped: the file is cut short."]


def test_recordings_are_cut_into_windows_one_after_the_other(tmp_path: Path) -> None:
    write_table(tmp_path / "walk" / "a.csv", rows=25)

    examples, told = read(tmp_path, WindowShape(100, 10))

    windows = [each.item for each in examples]
    assert all(isinstance(window, Window) for window in windows)
    assert [window.samples[0, 0] for window in windows if isinstance(window, Window)] == [0, 10]
    assert [each.label for each in examples] == ["walk", "walk"]
    assert told == []
    assert find_data(tmp_path).said == "1 recording"


def test_a_table_that_tells_no_rate_is_taken_at_that_of_the_model(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", rows=20, times=False)

    assert len(read(tmp_path, WindowShape(50, 10))[0]) == 2
    assert len(read(tmp_path, WindowShape(None, 10))[0]) == 2


def test_sound_is_brought_to_the_rate_of_the_model(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(8000, np.float32), rate_hz=8000)

    examples, _ = read(tmp_path, WindowShape(16_000, 4000))

    windows = [each.item for each in examples if isinstance(each.item, Window)]
    assert {(window.rate_hz, len(window.samples)) for window in windows} == {(16_000, 4000)}


def test_a_recording_that_cannot_be_read_is_told_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    write_table(tmp_path / "b.csv", rows=10)

    examples, told = read(tmp_path, WindowShape(100, 10))

    assert [str(each.file) for each in examples] == ["b.csv"]
    assert len(told) == 1
    assert told[0].startswith("a.wav: ")


def test_a_directory_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    empty, file, none = tmp_path, tmp_path / "a.txt", tmp_path / "none"

    with pytest.raises(EdgedError) as error:
        find_data(empty)
    assert str(error.value) == (
        f"{empty} holds no data. Pictures (.bmp, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, "
        ".webp) or recordings (.csv, .tsv, .wav, .wave) are looked for, also in the directories "
        "in it"
    )
    for path, what in ((file, "is a file"), (none, "does not exist")):
        with pytest.raises(EdgedError) as error:
            find_data(path)
        assert str(error.value) == f"{path} {what}. Name a directory of pictures or recordings"


def test_a_directory_with_both_kinds_is_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_table(tmp_path / "b.csv", rows=2)

    with pytest.raises(EdgedError, match=r"holds pictures \(a\.png\) and recordings \(b\.csv\)"):
        find_data(tmp_path)


def test_a_model_is_understood_as_it_is_to_be_used(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")

    subject = take(SMALL_MODELS / "classifier_float32.tflite", find_data(tmp_path), Fit.CROP)

    assert subject.examined.reading.task.name == "classification"
    assert (subject.options.fit, subject.options.gives) == (Fit.CROP, Gives.FRAMES)


def test_data_of_the_wrong_kind_are_told(tmp_path: Path) -> None:
    write_table(tmp_path / "b.csv", rows=2)

    with pytest.raises(EdgedError) as error:
        take(SMALL_MODELS / "classifier_float32.tflite", find_data(tmp_path))

    assert str(error.value) == (
        f"classifier_float32.tflite looks at pictures, and {tmp_path} holds 1 recording. Name a "
        "directory with what it takes"
    )


def test_windows_wanted_and_pictures_given_is_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")

    with pytest.raises(EdgedError, match=r"looks at windows of recordings .* holds 1 picture"):
        take(SMALL_MODELS / "window_one_channel.tflite", find_data(tmp_path))


def test_what_is_no_model_is_told_with_its_name(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    (tmp_path / "a.tflite").write_text("a letter")

    with pytest.raises(EdgedError) as error:
        take(tmp_path / "a.tflite", find_data(tmp_path))

    assert str(error.value) == f"{tmp_path / 'a.tflite'}: no TFLite model: it is a text file"
