"""Golden inputs: read beside the model, tried in a confined process, and held to what is told."""

from __future__ import annotations

import io
import os
import threading
import wave
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.engine.geometry import Fit
from edged.errors import ModelError, ProbeCancelled
from edged.golden import (
    MOST,
    Given,
    Golden,
    HowToRun,
    check_golden,
    find_results,
    read_golden,
)
from edged.golden_found import Found, differences, expectation, spans
from edged.loading import LoadOptions, examine
from edged.reading import Reading
from edged.samples import Gives
from edged.store.golden_tables import ExpectTable, GoldenTable
from edged.store.models import read_model_files

MODELS = Path(__file__).resolve().parent / "models"

RED = np.full((48, 64, 3), (255, 0, 0), np.uint8)
BLUE = np.full((48, 64, 3), (0, 0, 255), np.uint8)
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
        golden = Golden(Given(name, data), expect)
        check_golden([golden], HowToRun(path, 1, None, False), reading_of(path), cancelled)

    return checked


# ---- what lies beside the model ------------------------------------------------------------------


def table(name: str) -> GoldenTable:
    return GoldenTable(name, ExpectTable("red"))


def test_a_sidecar_without_a_golden_input_has_none(tmp_path: Path) -> None:
    assert read_golden((), tmp_path) == ()


def test_the_golden_input_is_read_beside_the_sidecar(tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(b"bytes")
    assert read_golden([table("red.png")], tmp_path) == (
        Golden(Given("red.png", b"bytes"), ExpectTable("red")),
    )


def test_one_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r'its golden input "red\.png" cannot be read: No such file or directory'
    ):
        read_golden([table("red.png")], tmp_path)


def test_a_pipe_or_a_directory_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("pipe.png", "."):
        with pytest.raises(ModelError, match="is not a file"):
            read_golden([table(name)], tmp_path)


def test_one_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match=r'its golden input "huge\.png" is over 32 MB'):
        read_golden([table("huge.png")], tmp_path)


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
    golden = Golden(Given("cat_720p.jpg", data), ExpectTable("cat", score=0.75, tolerance=0.1))
    check_golden([golden], HowToRun(path, 1, None, False), reading_of(path))


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
    golden = Golden(Given("red.png", png(RED)), ExpectTable("0"))
    with pytest.raises(ModelError, match="the runtime cannot load it"):
        check_golden([golden], HowToRun(path, 1, None, False), reading)


def test_it_can_be_given_up(check: Check) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ProbeCancelled):
        check(png(RED), ExpectTable("0"), cancelled=cancelled)


# ---- every task, and several inputs --------------------------------------------------------------


def results(path: Path, reading: Reading, *given: Given) -> list[Found]:
    remembers = read_model_files(path).facts.remembers
    return list(find_results(given, HowToRun(path, 1, None, remembers), reading))


def test_every_task_of_pictures_has_a_result_of_its_own(
    reading_of: Callable[[Path], Reading],
) -> None:
    kinds = {
        "classifier_uint8": "label",
        "detector_tf1": "detections",
        "segmentation": "regions",
        "pose": "people",
        "regression_float32": "values",
        "autoencoder_int8": "values",
    }
    for model, kind in kinds.items():
        path = MODELS / f"{model}.tflite"
        [found] = results(path, reading_of(path), Given("red.png", png(RED)))
        assert found.kind == kind, model
        assert list(differences(expectation(found, 0.1, spans([found])), found)) == []


def test_a_black_picture_differs_from_what_a_blue_one_came_to(
    reading_of: Callable[[Path], Reading],
) -> None:
    for model in ("segmentation", "pose", "detector_tf1", "classifier_uint8"):
        path = MODELS / f"{model}.tflite"
        blue, black = results(
            path, reading_of(path), Given("blue.png", png(BLUE)), Given("black.png", png(BLACK))
        )
        assert list(differences(expectation(blue, 0.1, spans([blue])), black)), model


def test_one_input_leaves_nothing_to_the_next(reading_of: Callable[[Path], Reading]) -> None:
    path = MODELS / "window_stateful.tflite"
    window = Given("w.npy", npy(np.ones((8, 3), np.float32)))
    first, second = results(path, reading_of(path), window, window)
    assert first == second


def test_all_differences_are_told_a_few_in_full(reading_of: Callable[[Path], Reading]) -> None:
    path = MODELS / "classifier_uint8.tflite"
    goldens = [Golden(Given(f"{n}.png", png(RED)), ExpectTable("2")) for n in range(5)]
    with pytest.raises(ModelError) as failed:
        check_golden(goldens, HowToRun(path, 1, None, False), reading_of(path))
    one = 'its golden input "{}.png" gives "0" (0.91), not "2"'
    assert str(failed.value) == "; ".join(map(one.format, range(3))) + "; and 2 more differences"


def test_there_are_not_too_many(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"it has {MOST + 1} golden inputs; at most {MOST}"):
        read_golden([table("red.png")] * (MOST + 1), tmp_path)


# ---- what is listened to -------------------------------------------------------------------------


def sound(seconds: float, loud: float, rate_hz: int = 16000) -> bytes:
    """A second of silence, then noise, as a .wav file."""
    noise = np.random.default_rng(1).uniform(-loud, loud, round(rate_hz * seconds))
    samples = np.concatenate([np.zeros(rate_hz), noise])
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate_hz)
        written.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def test_a_stream_is_heard_and_each_hearing_begins_anew(
    reading_of: Callable[[Path], Reading],
) -> None:
    path = MODELS / "keyword.tflite"  # keeps variables, and hears whatever is loud
    reading = reading_of(path)
    loud, quiet = Given("loud.wav", sound(2, 0.5)), Given("quiet.wav", sound(1, 0.0))
    heard, silence, again = results(path, reading, loud, quiet, loud)
    assert [word.label for word in heard.words or ()] == ["Loud Noise"]
    assert heard.best is not None
    assert heard.best.score > 0.9
    assert expectation(silence, 0.1, {}).words == ()
    assert again == heard
    [told] = differences(expectation(heard, 0.1, {}), silence)
    assert told.startswith('"Loud Noise" with a score of 0.')


def test_sound_of_another_rate_is_brought_to_the_models(
    reading_of: Callable[[Path], Reading],
) -> None:
    path = MODELS / "keyword.tflite"
    [heard] = results(path, reading_of(path), Given("loud.wav", sound(2, 0.5, rate_hz=44100)))
    assert heard.best is not None
    assert heard.best.score > 0.9


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"RIFF", "its golden input cannot be read: w.wav is not a WAV file."),
        (sound(0, 0), 'its golden input "w.wav" is too short: it has '),
        (
            sound(0, 0)[: 44 + 2 * 450],
            'its golden input "w.wav" has 450 samples at 16000 Hz; it takes 480',
        ),
    ],
)
def test_sound_that_is_none_or_too_short_is_told(
    reading_of: Callable[[Path], Reading], data: bytes, told: str
) -> None:
    path = MODELS / "keyword.tflite"
    if "too short" in told:
        data = data[: 44 + 2 * 480 * 3]
    with pytest.raises(ModelError) as failed:
        results(path, reading_of(path), Given("w.wav", data))
    assert str(failed.value).startswith(told)
