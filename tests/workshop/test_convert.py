from __future__ import annotations

import importlib.util
import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest
from household import SMALL_MODELS
from quantizing import FLOAT

pytest.importorskip("ai_edge_litert", reason="the extra workshop is not installed")

from edged.engine.tflite_file import read_model_file
from edged.engine.ultralytics import read_ultralytics
from edged.errors import EdgedError, MissingExtra
from edged.inputs import PictureInput
from edged.store.models import read_model_files
from edged.workshop import convert as converting
from edged.workshop.convert import (
    Facts,
    Order,
    assembled,
    beside_of,
    convert,
    source_kind,
    with_ultralytics,
)
from edged.workshop.converters import (
    Problem,
    channels_last,
    of_properties,
    read_labels,
    refuse_unknown,
)
from edged.workshop.subject import take
from edged.workshop.tables import read_tables, write_tables

DYNAMIC = SMALL_MODELS / "classifier_float32_dynamic_batch.tflite"


def said(order: Order) -> list[str]:
    lines: list[str] = []
    convert(order, lines.append)
    return lines


def test_a_batch_of_any_size_becomes_one_of_1(tmp_path: Path) -> None:
    assert said(Order(DYNAMIC, tmp_path / "fixed.tflite")) == []

    facts = read_model_files(tmp_path / "fixed.tflite").facts
    assert facts.inputs[0].shape_signature == facts.inputs[0].shape == (1, 32, 32, 3)


def test_what_an_image_model_says_of_its_pixels_goes_into_the_toml() -> None:
    told = {"Image.NominalPixelRange": "Normalized_0_1", "Image.BitmapPixelFormat": "Bgr8"}
    facts = Facts(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in of_properties(told).items()}
    )

    assert beside_of(facts) == {".toml": b'[input]\nmean = [0.0]\nstd = [255.0]\ncolour = "bgr"\n'}


@pytest.mark.parametrize(
    "text", ['["a", "b"]', "['a', 'b']", "{0: 'a', 1: 'b'}", "a,b", "a\nb", '{"1": "b", "0": "a"}']
)
def test_labels_are_read_in_each_way_of_writing_them(text: str) -> None:
    assert read_labels(text) == ["a", "b"]


def test_what_the_source_knows_is_read_from_the_file_alone_as_with_its_toml(
    tmp_path: Path,
) -> None:
    facts = Facts(mean=(127.5,), std=(64.0,), labels=("rot", "grün", "blau"))
    data = assembled(DYNAMIC.read_bytes(), facts)
    alone, with_files = tmp_path / "alone.tflite", tmp_path / "beside.tflite"
    alone.write_bytes(data)
    with_files.write_bytes(data)
    for ending, content in beside_of(facts).items():
        with_files.with_name(f"beside{ending}").write_bytes(content)

    one, other = take(alone, None).examined.reading, take(with_files, None).examined.reading

    assert one.labels.names == other.labels.names == ("rot", "grün", "blau")
    assert one.labels.origin == "embedded labels.txt"
    assert isinstance(one.input, PictureInput)
    assert isinstance(other.input, PictureInput)
    assert np.array_equal(one.input.pixels.table, other.input.pixels.table)
    assert one.input.said == "(byte - 127.5) / 64, from its metadata"


def test_metadata_name_input_and_output_as_the_model_does() -> None:
    facts = read_model_file(assembled(DYNAMIC.read_bytes(), Facts(mean=(0.0,), std=(255.0,))))

    assert facts.metadata_problem is None
    assert facts.metadata is not None
    (picture,), (scores,) = facts.metadata.inputs, facts.metadata.outputs
    assert (picture.name, picture.content, picture.color_space) == ("image", "image", "RGB")
    assert (scores.name, scores.labels) == (facts.outputs[0].name, ())


def test_metadata_that_a_model_has_already_stay() -> None:
    before = read_model_file(FLOAT.read_bytes())

    after = read_model_file(assembled(FLOAT.read_bytes(), Facts(mean=(1.0,), std=(2.0,))))

    assert after.metadata == before.metadata


def test_of_pictures_in_bgr_the_metadata_name_no_order_of_colours() -> None:
    told = Facts(mean=(0.0,), std=(1.0,), colour="bgr")

    facts = read_model_file(assembled(DYNAMIC.read_bytes(), told))

    assert facts.metadata is not None
    assert facts.metadata.inputs[0].color_space is None


def test_labels_become_a_file_beside_the_model() -> None:
    assert beside_of(Facts(labels=("a", "b"))) == {".labels.txt": b"a\nb\n"}


def test_what_ultralytics_says_is_read_from_the_made_model_as_from_its_own() -> None:
    told = {"names": "{0: 'cat', 1: 'dog'}", "stride": "32", "task": "detect", "version": "8.3"}
    facts = Facts(ultralytics=of_properties(told)["ultralytics"])
    made = with_ultralytics(write_tables(read_tables(DYNAMIC.read_bytes())), facts)

    found, problem = read_ultralytics(made)

    assert problem is None
    assert found is not None
    assert (found.task, found.names, found.version) == ("detect", ("cat", "dog"), "8.3")


@pytest.mark.parametrize("shape", [(1, 3, 32, 3), (1, 1, 32, 1), (1, 16, 16, 16)])
def test_an_input_whose_layout_nothing_tells_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(Problem) as error:
        refuse_unknown("images", shape, "auto")

    assert str(error.value) == (
        f'its input "images" is {"x".join(map(str, shape))}, and nothing says which of it are '
        "the channels. Add --layout nchw or --layout nhwc"
    )
    refuse_unknown("images", shape, "nchw")


def test_the_layout_is_told_by_where_the_channels_are() -> None:
    assert channels_last((1, 32, 32, 3), "auto")
    assert not channels_last((1, 3, 32, 32), "auto")
    assert channels_last((1, 16, 16, 16), "nhwc")
    assert not channels_last((1, 3), "auto")


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pt", b"PK\x03\x04", "{} cannot be converted: it is a zip archive. "),
        ("a.txt", b"a letter", "{} cannot be converted: it is a text file. "),
    ],
)
def test_what_cannot_be_converted_is_told(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(EdgedError) as error:
        source_kind(path)

    assert str(error.value).startswith(why.format(path))


def test_a_directory_that_is_no_saved_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(EdgedError, match=r"is a directory, and no SavedModel"):
        source_kind(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert source_kind(tmp_path) == "keras"


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("a.keras", "tensorflow", "keras"),
        ("a.onnx", "onnx2tf", "onnx"),
        ("a.pt2", "litert_torch", "torch"),
    ],
)
def test_a_converter_that_is_not_installed_is_told_with_the_command(
    tmp_path: Path, name: str, module: str, extra: str
) -> None:
    if importlib.util.find_spec(module) is not None:
        pytest.skip(f"{module} is installed")
    (tmp_path / name).touch()

    with pytest.raises(MissingExtra) as error:
        said(Order(tmp_path / name, tmp_path / "b.tflite"))

    assert str(error.value).endswith(
        f"is not installed. Install it with: pip install 'edged[{extra}]'"
    )
    assert not (tmp_path / "b.tflite").exists()


def test_a_converter_that_there_is_not_for_this_machine_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("litert_torch") is not None:
        pytest.skip("litert_torch is installed")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    (tmp_path / "a.pt2").touch()

    with pytest.raises(EdgedError) as error:
        convert(Order(tmp_path / "a.pt2", tmp_path / "b.tflite"), print)

    assert str(error.value) == (
        "litert-torch, which converts PyTorch's exported programs, can be installed on x86_64 "
        "alone, and this is aarch64. Convert the model there, and bring the .tflite file here"
    )


def test_the_reason_of_a_converter_that_fails_is_its_last_line() -> None:
    done = subprocess.CompletedProcess([], 1, b"noise\nValueError: no such layer\n\n")
    killed = subprocess.CompletedProcess([], -9, b"noise\n")

    assert converting.reason_of(done) == "ValueError: no such layer"
    assert (
        converting.reason_of(killed)
        == "its converter ended by signal 9; most likely memory ran out"
    )


def test_a_model_that_cannot_serve_yet_is_written_and_told(tmp_path: Path) -> None:
    lines = said(Order(SMALL_MODELS / "two_inputs.tflite", tmp_path / "b.tflite"))

    assert len(lines) == 1
    assert lines[0].startswith("note: b.tflite cannot be used: it has 2 inputs")
    assert (tmp_path / "b.tflite").exists()


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "b.tflite").write_bytes(b"dear")

    with pytest.raises(EdgedError, match=r"b\.tflite is in .* already\."):
        said(Order(DYNAMIC, tmp_path / "b.tflite"))

    assert (tmp_path / "b.tflite").read_bytes() == b"dear"
