"""``edged model test``: golden results recorded, held to, and tried at every swap."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from household import BLUE, GREEN, OPTIONS, RED, SMALL_MODELS, House
from sounds import bursts, write_wav
from swapping import pipeline

from edged.cli import main
from edged.commands.model_add import Downloads, Order, add
from edged.commands.places import find_places
from edged.errors import EdgedError, ModelError
from edged.golden import MOST, read_golden
from edged.loading import examine
from edged.store.atomic import Disk
from edged.store.models import read_model_files
from edged.store.sidecar import read_sidecar
from edged.workshop.recorder import hold, record


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def told_by(work: Callable[..., object], *given: object) -> list[str]:
    lines: list[str] = []
    work(*given, lines.append)
    return lines


def placed(house: House, model: str, name: str = "eye") -> Path:
    house.model(name, SMALL_MODELS / f"{model}.tflite")
    return house.models / f"{name}.tflite"


def test_pictures_are_recorded_beside_the_model_and_found_again(house: House) -> None:
    path, pictures = placed(house, "classifier_uint8_background"), house.pictures(RED, GREEN)
    toml = path.with_suffix(".toml")
    toml.write_text("# mine\nlatency_budget_ms = 1000 # slow\n")

    assert told_by(record, path, pictures, 0.05) == [
        "eye.golden/000.png: red 0.68",
        "eye.golden/001.png: green 0.68",
        f"wrote 2 golden inputs into {toml}; a model that gives anything else is refused there",
    ]
    assert (
        toml.read_text()
        == """\
# mine
latency_budget_ms = 1000 # slow

[[golden]]
input = "eye.golden/000.png"
expect = {label = "red", score = 0.6836, tolerance = 0.05}

[[golden]]
input = "eye.golden/001.png"
expect = {label = "green", score = 0.6836, tolerance = 0.05}
"""
    )
    shutil.rmtree(pictures)
    assert told_by(hold, path) == [
        "eye.golden/000.png: as expected",
        "eye.golden/001.png: as expected",
        "2 of 2 golden inputs give what is expected",
    ]


def test_what_is_recorded_anew_takes_the_place_of_what_was(house: House) -> None:
    path = placed(house, "detector_tf1")
    record(path, house.pictures(RED, GREEN), 0.1, print)
    (path.parent / "eye.golden" / "mine.txt").write_text("stays")
    record(path, house.pictures(BLUE, name="other"), 0.1, print)
    [golden] = read_sidecar(path.with_suffix(".toml")).goldens
    assert golden.input == "eye.golden/000.png"
    assert golden.expect.detections is not None
    assert [each.label for each in golden.expect.detections] == ["2"]
    there = sorted(file.name for file in (path.parent / "eye.golden").iterdir())
    assert there == ["000.png", "mine.txt"]
    assert hold(path, print)


def test_a_table_is_recorded_as_its_first_window_and_sound_as_it_is(house: House) -> None:
    path, data = placed(house, "window_float32"), house.directory / "data" / "walk"
    data.mkdir(parents=True)
    rows = [f"{number / 50},0,2,0" for number in range(100)]
    (data / "y.csv").write_text("\n".join(["time_s,x,y,z", *rows]))
    record(path, data.parent, 0.1, print)
    window = np.load(path.parent / "eye.golden" / "walk-y.npy")
    assert window.tolist() == [[0, 2, 0]] * 8
    assert hold(path, print)

    path, data = placed(house, "keyword"), house.directory / "sound"
    path = path.rename(path.with_name("ear.tflite"))
    path.with_name("eye.json").rename(path.with_name("ear.json"))
    data.mkdir()
    write_wav(data / "loud.wav", bursts(1, seconds=3))
    write_wav(data / "quiet.wav", bursts(seconds=2))
    lines = told_by(record, path, data, 0.1)
    assert lines[0].startswith("ear.golden/loud.wav: Loud Noise 1.00")
    assert lines[1] == "ear.golden/quiet.wav: nothing"
    assert hold(path, print)


def test_a_later_model_that_differs_is_refused_with_the_differences(
    house: House, testdata: Path
) -> None:
    path, pictures = house.models / "m.tflite", house.directory / "pictures"
    shutil.copy(testdata / "models" / "mobilenet_v1_0.25_128_quant.tflite", path)
    pictures.mkdir()
    shutil.copy(testdata / "images" / "sunflower.bmp", pictures)
    record(path, pictures, 0.1, print)
    assert hold(path, print)
    shutil.copy(testdata / "bad-models" / "weights_corrupted.tflite", path)
    lines = told_by(hold, path)
    assert lines[0].startswith('m.golden/sunflower.bmp: "')
    assert lines[0].endswith('not "daisy"')
    assert lines[1] == "0 of 1 golden inputs give what is expected"

    files = read_model_files(path)
    goldens = read_golden(files.sidecar.goldens, path.parent)
    with pytest.raises(ModelError, match=r'its golden input "m\.golden/sunflower\.bmp" gives "'):
        examine(files, path, OPTIONS, goldens)


def test_add_brings_the_golden_inputs_along(house: House) -> None:
    house.configure(1883, pipeline(model="eye"))
    elsewhere = House(_made(house.directory / "elsewhere"))
    path = placed(elsewhere, "classifier_uint8", "other")
    record(path, elsewhere.pictures(RED), 0.1, print)
    places = find_places(house.directory / "edged.toml", {}, is_root=False)
    order = Order(str(path), name="eye")
    lines = told_by(add, order, places, Downloads(lambda *_: None))
    assert "installed 1 golden input, tried before it serves" in lines
    assert hold(house.models / "eye.tflite", print)
    again = told_by(add, order, places, Downloads(lambda *_: None))
    assert again[-1].endswith("is there already, just so; nothing was changed")

    text = path.with_suffix(".toml").read_text()
    path.with_suffix(".toml").write_text(text.replace("other.golden/000.png", "cat.png"))
    shutil.copy(path.parent / "other.golden" / "000.png", path.parent / "cat.png")
    (house.models / "cat.png").write_bytes(b"of another model")
    with pytest.raises(EdgedError) as failed:
        add(order, places, Downloads(lambda *_: None), print)
    assert str(failed.value) == (
        f'its golden input "cat.png" is in {house.models} already, with other content. Give it '
        "another name, in its .toml file too"
    )


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


class FullDisk(Disk):
    """It holds so many more files."""

    def __init__(self, files: int) -> None:
        self.left = files

    def create(self, path: Path) -> int:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().create(path)


@pytest.mark.parametrize("room", [0, 1, 2])
def test_a_full_disk_leaves_the_sidecar_as_it_was(house: House, room: int) -> None:
    path, pictures = placed(house, "classifier_uint8"), house.pictures(RED, GREEN)
    toml = path.with_suffix(".toml")
    toml.write_text("# mine\n")
    with pytest.raises(EdgedError) as failed:
        record(path, pictures, 0.1, print, FullDisk(room))
    assert str(failed.value) == (
        f"cannot write the golden results beside {path}: No space left on device. Nothing is "
        "half-written, and eye.toml is as it was"
    )
    assert toml.read_text() == "# mine\n"
    assert not list(house.models.rglob(".new-*"))


def test_what_cannot_be_recorded_is_told(house: House) -> None:
    path, empty = placed(house, "classifier_uint8"), _made(house.directory / "empty")
    with pytest.raises(EdgedError, match="holds no data"):
        record(path, empty, 0.1, print)
    (empty / "a.csv").write_text("x\n1\n")
    with pytest.raises(ModelError, match=r"eye\.tflite looks at pictures, and .* 1 recording"):
        record(path, empty, 0.1, print)
    many = house.pictures(RED)
    for number in range(MOST):
        shutil.copy(many / "000.png", many / f"more-{number}.png")
    with pytest.raises(EdgedError) as failed:
        record(path, many, 0.1, print)
    assert str(failed.value) == (
        f"{many} holds {MOST + 1} pictures, and at most {MOST} golden inputs are tried at a swap. "
        "Name a directory with a choice of them"
    )
    broken = _made(house.directory / "broken")
    (broken / "a.png").write_bytes(b"no picture")
    with pytest.raises(ModelError, match=r'golden input "eye\.golden/a\.png" is no whole picture'):
        record(path, broken, 0.1, print)
    assert not path.with_suffix(".toml").exists()
    assert not (house.models / "eye.golden").exists()


def test_the_command_line_tells_what_is_wrong(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    path = placed(house, "classifier_uint8")
    assert main(["model", "test", str(path)]) == 1
    assert capsys.readouterr().err == (
        "edged: eye.toml names no golden inputs. Record what the model gives now: "
        f"edged model test {path} --golden DIRECTORY\n"
    )
    assert main(["model", "test", str(path), "--golden", str(house.pictures(RED))]) == 0
    assert main(["model", "test", str(path)]) == 0
    shutil.copy(SMALL_MODELS / "classifier_uint8_grey.tflite", path)
    capsys.readouterr()
    assert main(["model", "test", str(path)]) == 1
    assert "0 of 1 golden inputs give what is expected" in capsys.readouterr().out
    for wrong in (["--tolerance", "2", "--golden", "x"], ["--tolerance", "0.1"]):
        with pytest.raises(SystemExit):
            main(["model", "test", str(path), *wrong])
    assert "--tolerance needs --golden" in capsys.readouterr().err
