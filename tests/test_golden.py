"""Golden inputs: read beside the model, tried in a confined process, and held to what is told."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.engine.geometry import Fit
from edged.errors import ModelError, ProbeCancelled
from edged.golden import Golden, check_golden, read_golden
from edged.loading import LoadOptions, examine
from edged.reading import Reading
from edged.samples import Gives
from edged.store.models import read_model_files
from edged.store.sidecar import ExpectTable, GoldenTable

MODELS = Path(__file__).resolve().parent / "models"

RED = np.full((48, 64, 3), (255, 0, 0), np.uint8)
BLACK = np.zeros((48, 64, 3), np.uint8)


def png(rgb: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    written, data = cv2.imencode(".png", rgb[..., ::-1])
    assert written
    return data.tobytes()


def npy(values: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.fixture(scope="module")
def reading_of() -> Callable[[Path], Reading]:
    known: dict[Path, Reading] = {}

    def read(path: Path) -> Reading:
        if path not in known:
            gives = Gives.WINDOWS if path.stem.startswith("window") else None
            options = LoadOptions(1, None, Fit.STRETCH, gives)
            known[path] = examine(read_model_files(path), path, options).reading
        return known[path]

    return read


Check = Callable[..., None]


@pytest.fixture
def check(reading_of: Callable[[Path], Reading]) -> Check:
    def checked(
        data: bytes,
        expect: ExpectTable,
        model: str = "classifier_uint8",
        name: str = "red.png",
        cancelled: threading.Event | None = None,
    ) -> None:
        path = MODELS / f"{model}.tflite"
        golden = Golden(name, data, expect)
        check_golden(golden, path, reading_of(path), threads=1, delegate=None, cancelled=cancelled)

    return checked


# ---- what lies beside the model ------------------------------------------------------------------


def table(name: str) -> GoldenTable:
    return GoldenTable(name, ExpectTable("red"))


def test_a_sidecar_without_a_golden_input_has_none(tmp_path: Path) -> None:
    assert read_golden(None, tmp_path) is None


def test_the_golden_input_is_read_beside_the_sidecar(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(b"bytes")
    assert read_golden(table("red.png"), tmp_path) == Golden(
        "red.png", b"bytes", ExpectTable("red")
    )


def test_one_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r'its golden input "red\.png" cannot be read: No such file or directory'
    ):
        read_golden(table("red.png"), tmp_path)


def test_a_pipe_or_a_directory_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("pipe.png", "."):
        with pytest.raises(ModelError, match="is not a file"):
            read_golden(table(name), tmp_path)


def test_one_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match=r'its golden input "huge\.png" is over 32 MB'):
        read_golden(table("huge.png"), tmp_path)


# ---- what the model makes of it ------------------------------------------------------------------


def test_the_expected_class_passes_with_and_without_a_score(check: Check) -> None:
    check(png(RED), ExpectTable("0"))
    check(png(RED), ExpectTable("0", score=0.91, tolerance=0.01))
    check(npy(RED), ExpectTable("0", score=0.91, tolerance=0.01), name="red.npy")


def test_a_window_passes_as_an_array_and_as_a_table(check: Check) -> None:
    values = np.tile(np.array([0, 2, 0], np.float32), (8, 1))
    expect = ExpectTable("1", score=0.91, tolerance=0.01)
    for model in ("window_float32", "window_int8", "window_uint8"):
        check(npy(values), expect, model=model, name="y.npy")
    rows = [f"{number};0;2,0;0" for number in range(8)]
    table = "\n".join(["time (s);x (g);y (g);z (g)", *rows, ""]).encode()
    check(table, expect, model="window_float32", name="y.csv")


@pytest.mark.parametrize(
    ("data", "name", "told"),
    [
        (npy(RED), "w.npy", "is uint8 48x64x3; it must be float32, samples x channels"),
        (npy(np.zeros((7, 3), np.float32)), "w.npy", "has 7 samples; it takes 8"),
        (npy(np.zeros((8, 2), np.float32)), "w.npy", "it takes 3 channels, and the source gives 2"),
        (npy(np.full((8, 3), np.nan, np.float32)), "w.npy", "that are no finite numbers"),
        (b"x,y,z\n1,2\n", "w.csv", "is no table of numbers below a header"),
        (b"x,y,z\n1,2,k\n", "w.csv", "is no table of numbers below a header"),
        (b"", "w.csv", "is no table of numbers below a header"),
        (b"\xff\xfe", "w.csv", "is no table of numbers below a header"),
        (b"1,2,3\n4,5,6\n", "w.csv", "begins with numbers; its first line must be a header"),
    ],
)
def test_a_window_that_cannot_be_one_is_told(
    check: Check, data: bytes, name: str, told: str
) -> None:
    with pytest.raises(ModelError) as failed:
        check(data, ExpectTable("1"), model="window_float32", name=name)
    assert told in str(failed.value)


def test_a_detection_passes_by_its_label_and_score(check: Check) -> None:
    check(png(RED), ExpectTable("0", score=0.98, tolerance=0.01), model="detector_tf1")


def test_labels_are_those_that_are_published(check: Check) -> None:
    check(png(RED), ExpectTable("red"), model="classifier_uint8_background")


def test_a_real_model_finds_the_cat(testdata: Path, reading_of: Callable[[Path], Reading]) -> None:
    path = testdata / "models" / "coco_ssd_mobilenet_v1_quant.tflite"
    data = (testdata / "images" / "cat_720p.jpg").read_bytes()
    golden = Golden("cat_720p.jpg", data, ExpectTable("cat", score=0.75, tolerance=0.1))
    check_golden(golden, path, reading_of(path), threads=1, delegate=None)


@pytest.mark.parametrize(
    ("data", "expect", "model", "told"),
    [
        (png(RED), ExpectTable("2"), "classifier_uint8", 'gives "0" (0.91), not "2"'),
        (
            png(RED),
            ExpectTable("0", score=0.5, tolerance=0.2),
            "classifier_uint8",
            'gives "0" with a score of 0.9102, which is not within 0.2 of 0.5',
        ),
        (png(BLACK), ExpectTable("0"), "detector_tf1", 'gives nothing, not "0"'),
        (png(RED)[:-20], ExpectTable("0"), "classifier_uint8", "is no whole picture that can be"),
        (b"no picture", ExpectTable("0"), "classifier_uint8", "is no whole picture that can be"),
    ],
)
def test_everything_else_is_a_reason(
    check: Check, data: bytes, expect: ExpectTable, model: str, told: str
) -> None:
    with pytest.raises(ModelError) as caught:
        check(data, expect, model)
    assert str(caught.value).startswith(f'its golden input "red.png" {told}')


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"no array", "is no array of NumPy"),
        (npy(RED)[:100], "is no array of NumPy"),
        (npy(np.array([{}])), "is no array of NumPy"),  # pickled: never read
        (npy(RED.astype(np.float32)), "is float32 48x64x3; it must be uint8, height x width x 3"),
        (npy(RED[..., 0]), "is uint8 48x64; it must be uint8, height x width x 3"),
    ],
)
def test_an_array_that_is_no_picture_is_a_reason(check: Check, data: bytes, told: str) -> None:
    with pytest.raises(ModelError) as caught:
        check(data, ExpectTable("0"), name="red.npy")
    assert str(caught.value) == f'its golden input "red.npy" {told}'


def test_a_model_that_crashes_on_it_is_refused(
    tmp_path: Path, reading_of: Callable[[Path], Reading]
) -> None:
    reading = reading_of(MODELS / "classifier_uint8.tflite")
    path = tmp_path / "damaged.tflite"
    path.write_bytes(b"not a model")
    golden = Golden("red.png", png(RED), ExpectTable("0"))
    with pytest.raises(ModelError, match="the runtime cannot load it"):
        check_golden(golden, path, reading, threads=1, delegate=None)


def test_it_can_be_given_up(check: Check) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProbeCancelled):
        check(png(RED), ExpectTable("0"), cancelled=cancelled)
