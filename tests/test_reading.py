"""How a model is to be run, read off its file and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from household import SMALL_MODELS, House
from msgspec.structs import replace

from edged.engine.interpreter import Engine
from edged.errors import ModelError
from edged.inputs import PictureInput, WindowInput
from edged.reading import Reading, read_model
from edged.records.frames import PixelOrder
from edged.records.models import TensorSpec
from edged.samples import Gives, WindowShape
from edged.store.models import read_model_files

Read = Callable[..., Reading]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """``read(name, sidecar="", labels=(), gives=None)``: a small model's reading with these."""
    house = House(tmp_path)

    def reading(
        name: str,
        sidecar: str = "",
        labels: tuple[str, ...] = (),
        gives: Gives | None = None,
    ) -> Reading:
        house.model(name)
        (house.models / f"{name}.toml").write_text(sidecar)
        if labels:
            house.labels(name, *labels)
        path = house.models / f"{name}.tflite"
        inputs, outputs = tensors(name)
        return read_model(read_model_files(path), inputs, outputs, gives)

    return reading


def tensors(name: str) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """A small model's inputs and outputs, as the runtime has them."""
    engine = Engine(SMALL_MODELS / f"{name}.tflite", threads=1)
    engine.invoke()
    return engine.inputs, engine.shaped_outputs()


# ---- pixels --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("classifier_uint8", "assumed: bytes as they are (nothing says how to normalise)"),
        ("classifier_int8", "assumed: bytes minus 128 (nothing says how to normalise)"),
        ("classifier_float32", "assumed: -1 to 1 (nothing says how to normalise)"),
        (
            "classifier_int8_odd_scale",
            "(byte - 127) / 128, from its metadata, then scale 0.0125, zero point 3",
        ),
        (
            "classifier_float32_metadata",
            "(byte - 123.675, 116.28, 103.53) / 58.395, 57.12, 57.375, from its metadata",
        ),
    ],
)
def test_what_becomes_of_a_byte_is_said_and_an_assumption_named_as_such(
    read: Read, name: str, said: str
) -> None:
    assert read(name).input.said == said


def test_a_normalisation_that_changes_nothing_costs_nothing(read: Read) -> None:
    reading = read("classifier_uint8_background")
    assert reading.input.said.startswith("(byte - 0) / 255, from its metadata")
    assert reading.input.pixels.table is None


def test_the_sidecar_goes_before_the_metadata(read: Read) -> None:
    reading = read("classifier_float32_metadata", "[input]\nmean = 1\nstd = [2, 3, 4]")
    said = "(byte - 1) / 2, 3, 4, from classifier_float32_metadata.toml"
    assert reading.input.said == said
    assert reading.input.pixels.table is not None
    assert reading.input.pixels.table[7].tolist() == [3, 2, 1.5]


@pytest.mark.parametrize(
    ("sidecar", "order"),
    [
        ("", None),
        ('[input]\ncolour = "bgr"', PixelOrder.BGR),
        ('[input]\ncolour = "rgb"', PixelOrder.RGB),
    ],
)
def test_the_order_of_colours_is_what_the_sidecar_tells(
    read: Read, sidecar: str, order: PixelOrder | None
) -> None:
    assert read("classifier_uint8", sidecar).input.order is order


# ---- labels --------------------------------------------------------------------------------------


def test_labels_come_from_the_sidecar_else_the_file_else_the_model(read: Read) -> None:
    name = "classifier_int8_odd_scale"
    assert read(name).labels.origin == "embedded colours.txt"
    beside = read(name, labels=("r", "g", "b")).labels
    assert (beside.origin, beside.names) == (f"labels file {name}.labels.txt", ("r", "g", "b"))
    told = read(name, 'labels = ["x", "y", "z"]', labels=("r", "g", "b")).labels
    assert (told.origin, told.names) == ("sidecar", ("x", "y", "z"))


def test_without_labels_classes_go_by_number(read: Read) -> None:
    labels = read("classifier_uint8").labels
    assert (labels.origin, labels.name(2)) == ("none: class numbers", "2")


def test_one_label_less_than_classes_leaves_the_first_to_the_background(read: Read) -> None:
    labels = read("classifier_uint8_background").labels
    assert [labels.name(n) for n in range(5)] == ["background", "red", "green", "blue", "4"]


def test_labels_that_begin_with_question_marks_count_from_the_class_before(read: Read) -> None:
    labels = read("detector_tf1", labels=("???", "person", "bicycle")).labels
    assert [labels.name(n) for n in range(3)] == ["person", "bicycle", "2"]


def test_the_label_offset_of_a_sidecar_is_taken(read: Read) -> None:
    labels = read("detector_tf1", "label_offset = 2", ("a", "b", "c", "d")).labels
    assert labels.name(0) == "c"


# ---- inputs --------------------------------------------------------------------------------------


def test_an_input_that_is_like_an_output_is_fed_by_it(read: Read) -> None:
    reading = read("stateful")
    assert (reading.input.position, dict(reading.feedback)) == (0, {1: 1})
    # The output that is fed back is no result: what is left is a classification.
    assert reading.task.name == "classification"


def test_states_that_could_change_places_are_refused(tmp_path: Path) -> None:
    files = read_model_files(SMALL_MODELS / "stateful.tflite")
    (image, state), (scores, new_state) = tensors("stateful")
    with pytest.raises(ModelError, match=r"it has 3 inputs .* just one output"):
        read_model(files, (image, state, state), (scores, new_state, new_state))
    with pytest.raises(ModelError, match="it has 2 inputs"):
        read_model(files, (image, state), (scores, new_state, new_state))
    with pytest.raises(ModelError, match="it has 2 inputs"):
        read_model(files, (image, image), (scores, new_state))


def test_an_input_whose_size_is_open_is_refused() -> None:
    files = read_model_files(SMALL_MODELS / "classifier_uint8.tflite")
    (image,), outputs = tensors("classifier_uint8")
    dynamic = replace(image, shape=(1, 1, 1, 3), shape_signature=(1, -1, -1, 3))
    with pytest.raises(ModelError) as told:
        read_model(files, (dynamic,), outputs)
    assert str(told.value) == (
        'its input "image" has a dynamic shape (1x?x?x3). '
        "Export it with a fixed shape and a batch of 1"
    )


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1, 2, 3, 4), "1x2x3x4"),
        ((2, 32, 32, 3), "2x32x32x3"),
        ((1, 3, 32, 32), "1x3x32x32"),
        ((), "a single number"),
    ],
)
def test_an_input_that_is_neither_picture_nor_window_is_refused(
    shape: tuple[int, ...], shown: str
) -> None:
    files = read_model_files(SMALL_MODELS / "classifier_uint8.tflite")
    (image,), outputs = tensors("classifier_uint8")
    with pytest.raises(ModelError) as told:
        read_model(files, (replace(image, shape=shape, shape_signature=shape),), outputs)
    assert str(told.value) == (
        f"its input is {shown}; a picture needs 1 x height x width x 3, or x 1 for grey, and a "
        "window 1 x samples x channels, or 1 x samples for one channel"
    )


def test_an_input_of_other_numbers_is_refused() -> None:
    files = read_model_files(SMALL_MODELS / "classifier_uint8.tflite")
    (image,), outputs = tensors("classifier_uint8")
    with pytest.raises(ModelError, match="its input is int16; a picture needs an input of uint8"):
        read_model(files, (replace(image, dtype="int16"),), outputs)


# ---- windows of samples --------------------------------------------------------------------------


def test_where_the_shape_leaves_it_open_the_source_says_what_the_input_takes(read: Read) -> None:
    assert isinstance(read("window_float32", gives=Gives.FRAMES).input, PictureInput)
    assert isinstance(read("window_float32", gives=Gives.WINDOWS).input, WindowInput)
    assert isinstance(read("window_float32").input, PictureInput)
    assert isinstance(read("window_one_channel").input, WindowInput)


def test_a_sidecar_that_tells_of_samples_says_that_it_takes_windows(read: Read) -> None:
    told = "[input]\nrate_hz = 50\nchannels = ['x', 'y', 'z']\nmean = [1, 2, 3]\nstd = 2"
    found = read("window_float32", told).input
    assert isinstance(found, WindowInput)
    assert found.samples.shape == WindowShape(50, 8)
    assert found.said == (
        "8 x 3 channels (x, y, z) at 50 Hz; (value - 1, 2, 3) / 2, from window_float32.toml"
    )


NO_WINDOWS = (
    "it looks at pictures, and the pipeline's source gives samples. Give the pipeline a source of "
    "pictures (picamera2, v4l2, video, images), or a model for windows of samples"
)
NO_PICTURES = (
    "it looks at windows of samples, and the pipeline's source gives pictures. Give the pipeline a "
    "source of samples (iio, microphone, wav, csv), or a model for pictures"
)


@pytest.mark.parametrize(
    ("name", "sidecar", "gives", "reason"),
    [
        ("classifier_uint8", "", Gives.WINDOWS, NO_WINDOWS),
        ("window_float32", "input.colour = 'gray'", Gives.WINDOWS, NO_WINDOWS),
        ("window_one_channel", "", Gives.FRAMES, NO_PICTURES),
        ("window_float32", "input.rate_hz = 50", Gives.FRAMES, NO_PICTURES),
        (
            "classifier_uint8",
            "input.rate_hz = 50",
            None,
            "the [input] in its .toml file is for samples, which its input of 1x32x32x3 does not "
            "take",
        ),
        (
            "window_one_channel",
            "input.colour = 'gray'",
            None,
            "the [input] in its .toml file is for pixels, which its input of 1x16 does not take",
        ),
    ],
)
def test_a_model_for_something_else_than_the_source_gives_is_refused(
    read: Read, name: str, sidecar: str, gives: Gives | None, reason: str
) -> None:
    with pytest.raises(ModelError) as told:
        read(name, sidecar, gives=gives)
    assert str(told.value) == reason


def test_a_detector_is_not_run_on_windows() -> None:
    files = read_model_files(SMALL_MODELS / "detector_tf1.tflite")
    (image,), outputs = tensors("detector_tf1")
    one = replace(image, shape=(1, 32, 32, 1), shape_signature=(1, 32, 32, 1))
    with pytest.raises(ModelError, match="it finds boxes, and a window of samples has none"):
        read_model(files, (one,), outputs, Gives.WINDOWS)
