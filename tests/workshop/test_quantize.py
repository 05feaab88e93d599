from __future__ import annotations

import contextlib
import importlib
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from household import SMALL_MODELS

pytest.importorskip("litert_quantizer", reason="the extra workshop is not installed")

from quantizing import FLOAT, WINDOWS, best, hard_to_quantize, write_pictures, write_table

from edged.engine.metadata import TensorMetadata
from edged.engine.windows import sample_rule
from edged.errors import EdgedError
from edged.inputs import WindowInput
from edged.inspect import inspect
from edged.records.models import TensorSpec
from edged.samples import Channel, Window
from edged.store.models import read_model_files
from edged.workshop.data import Example
from edged.workshop.likeness import Likeness
from edged.workshop.output import write_model
from edged.workshop.quantize import Order, Quantized, quantize
from edged.workshop.quantizer import Mode
from edged.workshop.scratch import scratch
from edged.workshop.told import told

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


class Quantizing:
    """``edged model quantize`` in this process. ``said`` is what it told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.target = directory / "made.tflite"
        self.said: list[str] = []
        self.done: list[tuple[str, int, int]] = []

    def __call__(self, source: Path = FLOAT, **changed: Any) -> Quantized:
        if changed.get("mode", Mode.INT8) is Mode.INT8:
            changed.setdefault("calibrate", self.data)
        order = Order(source, changed.pop("target", self.target), **changed)
        made = quantize(order, self.said.append, lambda *done: self.done.append(done))
        self.said += told(order, made)
        return made

    def refused(self, source: Path = FLOAT, **changed: Any) -> str:
        before = sorted(self.directory.rglob("*"))
        with pytest.raises(EdgedError) as error:
            self(source, **changed)
        assert sorted(self.directory.rglob("*")) == before
        return str(error.value)


@pytest.fixture
def quantizing(tmp_path: Path) -> Quantizing:
    return Quantizing(tmp_path)


@pytest.fixture
def with_pictures(quantizing: Quantizing) -> Quantizing:
    write_pictures(quantizing.data, 50)
    return quantizing


def test_a_float_model_becomes_int8_and_finds_the_same(with_pictures: Quantizing) -> None:
    made = with_pictures()

    for name, colour in (("red", RED), ("green", GREEN), ("blue", BLUE)):
        label, score = best(with_pictures.target, colour)
        expected, expected_score = best(FLOAT, colour)
        assert label == expected == name
        assert score == pytest.approx(expected_score, abs=0.02)
    assert made.agreement is not None
    assert made.agreement > 0.9
    assert with_pictures.said[0] == f"calibrated with 50 examples from {with_pictures.data}"
    assert "3 of 3 operators are int8" in with_pictures.said
    assert "input int8 1x32x32x3; output int8 1x3" in with_pictures.said
    assert ("calibrating", 50, 50) in with_pictures.done


def test_metadata_and_labels_inside_the_model_are_carried_over(with_pictures: Quantizing) -> None:
    with_pictures()

    before, after = (read_model_files(path).facts for path in (FLOAT, with_pictures.target))
    assert after.metadata == before.metadata
    assert after.label_files == before.label_files
    assert after.metadata_problem is None


def test_all_bytes_that_a_pixel_can_be_have_a_place(with_pictures: Quantizing) -> None:
    """Whatever those are in the examples: here none is over 255 in red alone, say."""
    shutil.rmtree(with_pictures.data)
    with_pictures.data.mkdir()
    for number in range(50):
        dark = np.full((32, 32, 3), number, np.uint8)
        cv2.imwrite(str(with_pictures.data / f"{number}.png"), dark)

    with_pictures()

    files = read_model_files(with_pictures.target)
    steps = files.facts.inputs[0].quantization
    assert files.facts.metadata is not None
    told_of = files.facts.metadata.inputs[0].normalization
    assert steps is not None
    assert told_of is not None
    real = [
        (byte - mean) / std
        for byte in (0, 255)
        for mean, std in zip(told_of.mean, told_of.std, strict=True)
    ]
    assert steps.scale * (-128 - steps.zero_point) == pytest.approx(min(real), abs=steps.scale)
    assert steps.scale * (127 - steps.zero_point) == pytest.approx(max(real), abs=steps.scale)


def test_what_lies_beside_the_model_goes_with_it(with_pictures: Quantizing) -> None:
    source = with_pictures.directory / "float" / "colours.tflite"
    source.parent.mkdir()
    shutil.copy(SMALL_MODELS / "classifier_float32.tflite", source)
    source.with_name("colours.labels.txt").write_text("rot\ngrün\nblau\n")
    source.with_name("colours.tflite.minisig").write_text("a signature of other bytes")
    source.with_name("red.png").write_bytes((with_pictures.data / "000.png").read_bytes())
    source.with_name("colours.toml").write_text(
        'task = "classification"\ninput = {mean = 100, std = 50}\n'
        '[golden]\ninput = "red.png"\nexpect = {label = "rot"}\n'
    )

    with_pictures(source)

    made = {path.name for path in with_pictures.directory.iterdir() if path.is_file()}
    assert made == {"made.tflite", "made.toml", "made.labels.txt", "red.png"}
    assert best(with_pictures.target, RED)[0] == "rot"
    assert "carried over: made.toml, made.labels.txt" in with_pictures.said
    inspected = inspect(with_pictures.target)
    assert [each.said.split(",")[0] for each in inspected.inputs] == ["(byte - 100) / 50"]


def test_inputs_and_outputs_can_stay_float_and_keep_their_names(with_pictures: Quantizing) -> None:
    with_pictures(float_ends=True)

    before, after = (read_model_files(path).facts for path in (FLOAT, with_pictures.target))
    assert [(t.name, t.dtype) for t in (*after.inputs, *after.outputs)] == [
        (t.name, "float32") for t in (*before.inputs, *before.outputs)
    ]
    assert best(with_pictures.target, RED)[0] == "red"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (Mode.DYNAMIC, "1 of 3 operators have int8 weights"),
        (Mode.FLOAT16, "1 of 3 operators have float16 weights"),
    ],
)
def test_weights_alone_need_no_data(quantizing: Quantizing, mode: Mode, said: str) -> None:
    made = quantizing(mode=mode)

    assert best(quantizing.target, RED)[0] == "red"
    assert said in quantizing.said
    assert made.agreement is None


def test_windows_calibrate_a_model_of_windows(quantizing: Quantizing) -> None:
    source = np.random.default_rng(1)
    for number in range(10):
        level = source.normal(0, 1, 3)
        values = source.normal(level, 0.1, (40, 3))
        write_table(quantizing.data / f"{number}.csv", values)

    made = quantizing(WINDOWS)

    assert made.examined.reading.task.name == "classification"
    assert made.compared == 50
    assert made.agreement is not None
    assert made.agreement > 0.9


def test_a_table_without_a_channel_of_the_model_is_told(quantizing: Quantizing) -> None:
    write_table(quantizing.data / "a.csv", np.zeros((40, 3)))
    source = quantizing.directory / "windows.tflite"
    shutil.copy(WINDOWS, source)
    source.with_suffix(".toml").write_text('input.channels = ["x", "y", "gyro_z"]')

    assert quantizing.refused(source) == (
        f'{source}: it takes a channel "gyro_z", and the source gives x, y, z. Correct [input] '
        "channels in its .toml file, or the source"
    )


def test_what_is_fed_back_is_stored_alike_where_it_goes_out_and_comes_in(
    with_pictures: Quantizing,
) -> None:
    from tflite_builder import ModelBuilder
    from tflite_layers import logits_of, mean_colour, softmax

    schema = importlib.import_module("ai_edge_litert.schema_py_generated")
    model = ModelBuilder("half of what was, half of what is")
    picture = model.tensor("image", (1, 32, 32, 3))
    state = model.tensor("state", (1, 3))
    half = model.constant("half", np.array([[0.5]], np.float32))
    halves = [
        model.operator("MUL", [whole, half], [model.tensor(name, (1, 3))], schema.MulOptionsT())
        for name, whole in (("now", mean_colour(model, picture)), ("then", state))
    ]
    new = model.tensor("new state", (1, 3))
    model.operator("ADD", halves, [new], schema.AddOptionsT())
    scores = softmax(model, logits_of(model, new, 2 * np.eye(2, 3, dtype=np.float32)))
    source = with_pictures.directory / "state.tflite"
    source.write_bytes(model.build([picture, state], [scores, new]))

    made = with_pictures(source)

    inputs, outputs = made.examined.probed.inputs, made.examined.probed.outputs
    assert inputs[1].quantization == outputs[1].quantization != None  # noqa: E711
    assert made.agreement is not None
    assert made.agreement > 0.9


# ---- layers that stay float ----------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["1", "logits", "log*"])
def test_a_layer_is_left_float_by_number_name_or_pattern(
    with_pictures: Quantizing, layer: str
) -> None:
    with_pictures(skip=[layer])

    assert "2 of 3 operators are int8; float32 stay 1 FULLY_CONNECTED" in with_pictures.said
    assert "left float: 1 (logits)" in with_pictures.said


def test_a_layer_that_is_not_there_is_told(with_pictures: Quantizing) -> None:
    assert with_pictures.refused(skip=["logit"]) == (
        'the model has no layer "logit"; did you mean "logits"? It has 3, from 0 ("colour") to 2 '
        '("scores")'
    )


def test_nothing_stays_float_where_the_agreement_is_enough(with_pictures: Quantizing) -> None:
    assert with_pictures(least_agreement=0.5).left_float == []


def test_layers_stay_float_until_the_agreement_is_enough(with_pictures: Quantizing) -> None:
    """A model whose last layer multiplies tiny differences: int8 in between loses them."""
    source = with_pictures.directory / "hard.tflite"
    source.write_bytes(hard_to_quantize())

    poor = with_pictures(source)
    good = with_pictures(source, least_agreement=0.97, force=True)

    assert poor.agreement is not None
    assert good.agreement is not None
    assert poor.agreement < 0.9
    assert good.agreement >= 0.97
    assert 0 < len(good.left_float) < 4


# ---- what is told of the data --------------------------------------------------------------------


def test_few_examples_are_told(quantizing: Quantizing) -> None:
    write_pictures(quantizing.data, 3)

    quantizing()

    assert quantizing.said[1] == (
        "note: 3 examples are few. About 200, of all that the model will meet, tell its ranges "
        "better"
    )


def test_examples_that_are_all_the_same_are_told(quantizing: Quantizing) -> None:
    write_pictures(quantizing.data, 1)
    for number in range(1, 60):
        shutil.copy(quantizing.data / "000.png", quantizing.data / f"{number:03}.png")

    quantizing()

    assert quantizing.said[1] == "note: all 60 examples are the same to the model"


def test_data_that_tell_too_little_are_told_where_the_model_cannot_serve(
    quantizing: Quantizing,
) -> None:
    """Of grey all three of its logits are 0: there is no range."""
    quantizing.data.mkdir()
    cv2.imwrite(str(quantizing.data / "grey.png"), np.full((32, 32, 3), 99, np.uint8))

    assert quantizing.refused(SMALL_MODELS / "classifier_float32.tflite").endswith(
        "Calibrate it with data that differ more, or leave layers float with --skip"
    )


def test_pictures_that_are_plain_small_and_grey_are_told(quantizing: Quantizing) -> None:
    quantizing.data.mkdir()
    for number in range(50):
        path = quantizing.data / f"{number}.png"
        assert cv2.imwrite(str(path), np.full((16, 16, 3), 5 * number, np.uint8))

    quantizing()

    assert quantizing.said[1:4] == [
        "note: 50 of 50 examples are all of one value",
        "note: 50 of 50 pictures are smaller than the model's input of 32 x 32, and are enlarged "
        "for it",
        "note: all pictures are grey, and the model takes colours",
    ]


def test_windows_in_another_unit_than_the_model_was_trained_with_are_told(
    quantizing: Quantizing,
) -> None:
    write_table(quantizing.data / "a.csv", np.random.default_rng(1).normal(981, 9, (400, 3)))
    source = quantizing.directory / "windows.tflite"
    shutil.copy(WINDOWS, source)
    source.with_suffix(".toml").write_text("input = {mean = 0, std = 9.81}")

    quantizing(source)

    assert quantizing.said[1] == (
        "note: 50 of 50 windows hold values over 10 deviations from the mean that the model was "
        "trained with. Are they in its unit?"
    )


def test_a_recording_at_another_rate_than_the_models_is_told(quantizing: Quantizing) -> None:
    write_table(quantizing.data / "a.csv", np.random.default_rng(1).normal(0, 1, (400, 3)))
    write_table(quantizing.data / "b.csv", np.random.default_rng(2).normal(0, 1, (400, 3)))
    slow = (quantizing.data / "b.csv").read_text().splitlines()
    (quantizing.data / "b.csv").write_text("\n".join(slow[:1] + slow[1::2]))
    source = quantizing.directory / "windows.tflite"
    shutil.copy(WINDOWS, source)
    source.with_suffix(".toml").write_text("input = {rate_hz = 100}")

    quantizing(source)

    assert quantizing.said[1:2] == [
        "note: 1 of 2 recordings are not at the model's 100 Hz (b.csv: 50 Hz), and are resampled, "
        "as the daemon does"
    ]


def test_recordings_at_the_models_rate_or_at_none_are_not_told(quantizing: Quantizing) -> None:
    write_table(quantizing.data / "a.csv", np.random.default_rng(1).normal(0, 1, (400, 3)))
    lines = (quantizing.data / "a.csv").read_text().splitlines()
    without_times = [line.split(",", 1)[1] for line in lines]
    (quantizing.data / "b.csv").write_text("\n".join(without_times))
    source = quantizing.directory / "windows.tflite"
    shutil.copy(WINDOWS, source)
    source.with_suffix(".toml").write_text("input = {rate_hz = 100}")

    quantizing(source)

    assert not [line for line in quantizing.said if "Hz" in line]


@pytest.mark.parametrize(("greatest", "outside"), [(4.0, True), (5.0, False)])
def test_values_outside_of_what_the_metadata_name_are_told(greatest: float, outside: bool) -> None:
    told_of = TensorMetadata("x", None, None, None, None, (-5.0,), (greatest,), None, ())
    spec = TensorSpec(0, "window", (1, 20, 3), (1, 20, 3), "float32", None)
    input_ = WindowInput(0, sample_rule(spec, None, None, None))
    likeness = Likeness(input_, spec, told_of)
    given = np.linspace(-5, 5, 60, dtype=np.float32).reshape(20, 3)
    channels = tuple(map(Channel, "xyz"))
    for number in range(60):
        window = Window(number, 0, 0, given, 100, channels, 20 * number)
        likeness.take(Example(Path("a.csv"), window), given + np.float32(1e-4 * (number % 2)))

    notes = [note for note in likeness.notes() if "metadata" in note]

    assert (
        notes
        == [
            "60 of 60 examples come to values outside of -5 to 4, which its metadata name for its "
            "input. Are they in its unit?"
        ]
        * outside
    )


def test_a_model_that_takes_any_batch_is_told_with_what_mends_it(
    with_pictures: Quantizing,
) -> None:
    source = SMALL_MODELS / "classifier_float32_dynamic_batch.tflite"

    assert with_pictures.refused(source) == (
        f'{source} takes a batch of any size (its input "image"). Make it one of 1: edged model '
        f"convert {source} -o NAME.tflite"
    )


def test_what_cannot_be_read_is_told_and_passed_over(with_pictures: Quantizing) -> None:
    for number in range(5):
        (with_pictures.data / f"bad{number}.png").write_bytes(b"no picture")

    with_pictures()

    assert with_pictures.said[1:5] == [
        *(
            f"note: bad{n}.png: bad{n}.png is skipped: it is not a picture that can be decoded."
            for n in range(3)
        ),
        "note: 2 more were passed over",
    ]


def test_data_of_which_nothing_can_be_read_are_refused(quantizing: Quantizing) -> None:
    quantizing.data.mkdir()
    (quantizing.data / "bad.png").write_bytes(b"no picture")

    assert quantizing.refused() == (
        f"nothing in {quantizing.data} can be used to calibrate it. 1 picture is there, and none "
        "is whole and long enough"
    )


# ---- what is refused -----------------------------------------------------------------------------


def test_what_is_there_is_replaced_only_by_force(with_pictures: Quantizing) -> None:
    with_pictures.target.write_bytes(b"dear to somebody")
    with_pictures.target.with_name("made.toml").write_text("task = 'regression'")

    assert with_pictures.refused() == (
        f"made.tflite and made.toml are in {with_pictures.directory} already. Give -o another "
        "name, or --force to replace what is there"
    )
    with_pictures(force=True)
    assert best(with_pictures.target, RED)[0] == "red"
    assert not with_pictures.target.with_name("made.toml").exists()


def test_a_model_is_not_replaced_by_itself(with_pictures: Quantizing) -> None:
    source = with_pictures.directory / "a.tflite"
    shutil.copy(FLOAT, source)

    for target in (source, with_pictures.directory / "data" / ".." / "a.tflite"):
        assert with_pictures.refused(source, target=target, force=True) == (
            f"{target} is the model itself. Give -o another name"
        )


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("made", "{}: a model's file is called NAME.tflite. Give -o such a name"),
        ("none/made.tflite", "there is no directory {.parent}. Make it first"),
    ],
)
def test_a_target_that_cannot_be_is_refused(
    with_pictures: Quantizing, target: str, why: str
) -> None:
    path = with_pictures.directory / target

    assert with_pictures.refused(target=path) == why.format(path)


@pytest.mark.parametrize("name", ["classifier_int8", "classifier_uint8"])
def test_a_quantised_model_is_refused(with_pictures: Quantizing, name: str) -> None:
    source = SMALL_MODELS / f"{name}.tflite"

    assert with_pictures.refused(source) == (
        f"{source}: it is quantised already. Quantise the float model that it was made from"
    )


def test_a_model_of_float16_is_refused(with_pictures: Quantizing) -> None:
    with_pictures(mode=Mode.FLOAT16)

    source = with_pictures.target
    assert with_pictures.refused(source, target=source.with_name("b.tflite")) == (
        f"{source}: its weights are float16 already. Quantise the float32 model that it was "
        "made from"
    )


def test_a_model_without_weights_is_refused(quantizing: Quantizing) -> None:
    source = quantizing.directory / "segmentation.tflite"
    shutil.copy(SMALL_MODELS / "segmentation_scores_float32.tflite", source)
    source.with_suffix(".toml").write_text('task = "segmentation"')

    assert quantizing.refused(source, mode=Mode.FLOAT16) == (
        f"{source}: it has no operator that can be quantised so (MUL). Serve it as it is"
    )


def test_data_that_the_model_does_not_take_are_refused(quantizing: Quantizing) -> None:
    write_table(quantizing.data / "a.csv", np.zeros((40, 3)))

    assert quantizing.refused() == (
        f"classifier_float32_metadata.tflite looks at pictures, and {quantizing.data} holds 1 "
        "recording. Name a directory with what it takes"
    )


def edged(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edged", "model", "quantize", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_command_says_what_it_made_and_nothing_on_standard_error(
    with_pictures: Quantizing,
) -> None:
    done = edged(FLOAT, "--calibrate", with_pictures.data, "-o", with_pictures.target)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith(f"wrote {with_pictures.target}: ")


def test_a_disk_that_is_full_leaves_nothing_half_written(with_pictures: Quantizing) -> None:
    with no_room(1000), pytest.raises(EdgedError) as error:
        write_model(with_pictures.target, FLOAT.read_bytes(), {}, {})

    assert str(error.value) == (
        f"cannot put the model into {with_pictures.directory}: File too large. Make room there; "
        "nothing there is half-written"
    )
    assert [path.name for path in with_pictures.directory.iterdir()] == ["data"]


def test_no_room_for_what_is_only_tried_is_told() -> None:
    with no_room(0), pytest.raises(EdgedError) as error, scratch("made", b"a model", {}):
        pass

    assert str(error.value) == (
        f"cannot write to {tempfile.gettempdir()}: File too large. Make room there, or name "
        "another directory in $TMPDIR"
    )


def test_no_directory_for_what_is_only_tried_is_told() -> None:
    program = (
        "import resource\n"
        "from edged.errors import EdgedError\n"
        "from edged.workshop.scratch import scratch_directory\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "try:\n"
        "    scratch_directory().__enter__()\n"
        "except EdgedError as error:\n"
        "    print(error)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)

    assert done.stdout == (
        "no directory for temporary files can be written to. Make room there, or name another "
        "directory in $TMPDIR\n"
    )


@contextlib.contextmanager
def no_room(over_bytes: int) -> Iterator[None]:
    """No file of this process can grow further."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (over_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_int8_without_data_is_told(quantizing: Quantizing) -> None:
    done = edged(FLOAT, "-o", quantizing.target)

    assert done.returncode == 2
    assert "int8 needs --calibrate DIR; --mode dynamic and float16 do without" in done.stderr
