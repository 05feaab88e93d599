"""TFLite metadata and the label files that travel with a model."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.flatbuffer import Damaged
from edged.engine.metadata import (
    BoxFormat,
    LabelFile,
    LabelReference,
    Normalization,
    TensorGroup,
    read_label_files,
    read_metadata,
)
from edged.engine.tflite_file import read_model_file

TESTS = Path(__file__).resolve().parent.parent
MODELS = TESTS / "models"


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script that writes metadata for the small models."""
    monkeypatch.syspath_prepend(TESTS.parent / "scripts")
    return pytest.importorskip("tflite_metadata")


def test_a_classifiers_metadata_is_read_whole(writing: Any) -> None:
    metadata = read_metadata(writing.image_metadata("fruit", [1, 2, 3], [4, 5, 6], "fruit.txt"))
    assert (metadata.name, metadata.version, metadata.author) == ("fruit", "1", None)
    (image,) = metadata.inputs
    assert (image.name, image.content, image.color_space) == ("image", "image", "RGB")
    assert image.normalization == Normalization((1, 2, 3), (4, 5, 6))
    (scores,) = metadata.outputs
    assert scores.normalization is None
    assert scores.labels == (LabelReference("fruit.txt", "axis", None),)


def detector_metadata(writing: Any) -> bytes:
    """Everything that a detector's metadata may hold."""
    write = writing.FlatWriter()
    box = write.table(3, (0, write.integers(1, 0, 3, 2)), (1, write.byte(1)))
    content = write.table(3, (0, write.byte(3)), (1, write.ref(box)))
    stats = write.table(2, (0, write.floats(1.0)), (1, write.floats(-1.0)))
    location = write.table(
        7, (0, write.text("location")), (3, write.ref(content)), (5, write.ref(stats))
    )
    german = write.table(5, (0, write.text("de.txt")), (2, write.byte(3)), (3, write.text("de")))
    other = write.table(5, (0, write.text("readme.txt")), (2, write.byte(1)))
    category = write.table(7, (0, write.text("category")), (6, write.tables(german, other)))
    group = write.table(2, (0, write.text("result")), (1, write.texts("location", "category")))
    graph = write.table(10, (3, write.tables(location, category)), (8, write.tables(group)))
    root = write.table(8, (3, write.tables(graph)), (4, write.text("me")), (5, write.text("MIT")))
    data: bytes = write.finish(root, b"M001")
    return data


def test_a_detectors_metadata_tells_boxes_groups_and_ranges(writing: Any) -> None:
    metadata = read_metadata(detector_metadata(writing))
    assert (metadata.author, metadata.license, metadata.inputs) == ("me", "MIT", ())
    boxes, classes = metadata.outputs
    assert boxes.boxes == BoxFormat((1, 0, 3, 2), "boundaries", "ratio")
    assert (boxes.minimum, boxes.maximum) == ((-1.0,), (1.0,))
    assert classes.labels == (LabelReference("de.txt", "value", "de"),)
    assert metadata.output_groups == (TensorGroup("result", ("location", "category")),)


def test_metadata_without_a_graph_tells_of_no_tensors(writing: Any) -> None:
    write = writing.FlatWriter()
    metadata = read_metadata(write.finish(write.table(8, (0, write.text("bare"))), b"M001"))
    assert (metadata.name, metadata.inputs, metadata.outputs) == ("bare", (), ())


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ([127], [0]),
        ([127, 127, 127], [128]),
        ([], []),
        ([float("nan")], [1]),
        ([0], [float("inf")]),
    ],
)
def test_a_normalisation_that_cannot_be_applied_is_refused(
    writing: Any, mean: list[float], std: list[float]
) -> None:
    with pytest.raises(Damaged, match="a normalisation with"):
        read_metadata(writing.image_metadata("x", mean, std, "x.txt"))


def test_a_model_with_damaged_metadata_is_read_with_a_note() -> None:
    data = (MODELS / "classifier_float32_metadata.tflite").read_bytes()
    file = read_model_file(data.replace(b"M001", b"M999"))
    assert file.metadata is None
    assert file.metadata_problem == (
        "its metadata is not used: it does not begin like TFLite metadata"
    )
    # The archive is sound, so its only text file still serves.
    assert file.embedded_labels(0) == LabelFile("colours.txt", b"red\ngreen\nblue\n")


def test_damage_anywhere_in_the_metadata_is_damage_or_nothing(writing: Any) -> None:
    image = writing.image_metadata("fruit", [1, 2, 3], [4, 5, 6], "fruit.txt")
    for data in (image, detector_metadata(writing)):
        refused = sum(not is_read(read_metadata, flipped(data, seed)) for seed in range(1000))
        assert 0 < refused < 1000


@given(st.binary(max_size=300))
def test_any_bytes_are_metadata_or_damaged(data: bytes) -> None:
    is_read(read_metadata, data[:4] + b"M001" + data[4:])


def flipped(data: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    copy = bytearray(data)
    copy[chance.randrange(8, len(copy))] ^= 1 << chance.randrange(8)
    return bytes(copy)


def is_read(read: Callable[[bytes], object], data: bytes) -> bool:
    try:
        read(data)
    except Damaged:
        return False
    return True


# ---- the archive ---------------------------------------------------------------------------------


def with_files(*files: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Something that is no zip, with an archive at its end."""
    file = io.BytesIO(b"TFL3" * 100)
    with zipfile.ZipFile(file, "a", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return file.getvalue()


def test_without_metadata_every_text_file_counts_as_labels() -> None:
    data = with_files(("a.txt", b"cat\n"), ("b.bin", b"x"))
    assert read_label_files(data, None) == (LabelFile("a.txt", b"cat\n"),)


def test_files_that_the_metadata_does_not_name_are_left_alone(writing: Any) -> None:
    metadata = read_metadata(writing.image_metadata("x", [0], [1], "labels"))
    data = with_files(("labels", b"cat\n"), ("license.txt", b"MIT\n"))
    assert read_label_files(data, metadata) == (LabelFile("labels", b"cat\n"),)


def test_an_archive_that_swells_is_left_out_at_the_bound() -> None:
    data = with_files(("bomb.txt", bytes(50_000_000)), ("fine.txt", bytes(1_000_000)))
    tracemalloc.start()
    assert [file.name for file in read_label_files(data, None)] == ["fine.txt"]
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 10_000_000


def test_an_archive_of_too_many_files_is_left_out() -> None:
    few = with_files(*((f"{n}.txt", b"") for n in range(40)))
    assert len(read_label_files(few, None)) == 16
    many = with_files(*((f"{n}.txt", b"") for n in range(1001)))
    assert read_label_files(many, None) == ()


def test_a_compression_that_may_take_any_memory_is_left_out() -> None:
    data = with_files(("a.txt", b"cat\n"), compression=zipfile.ZIP_LZMA)
    assert read_label_files(data, None) == ()


def test_an_archive_with_any_damage_gives_what_is_left_of_it() -> None:
    data = with_files(("a.txt", b"cat\n" * 100), ("b.txt", b"dog\n" * 100))
    for seed in range(500):
        for file in read_label_files(flipped(data, seed), None):
            assert file.data in (b"cat\n" * 100, b"dog\n" * 100)


# ---- real models ---------------------------------------------------------------------------------


def test_efficientnet_tells_its_normalisation_and_its_labels(testdata: Path) -> None:
    file = read_model_file((testdata / "models" / "efficientnet_lite0_int8.tflite").read_bytes())
    assert file.metadata is not None
    assert file.metadata_problem is None
    assert file.metadata.name == "EfficientNet-lite image classifier (quantized)"
    assert file.metadata.inputs[0].normalization == Normalization((127.0,), (128.0,))
    assert file.metadata.inputs[0].color_space == "RGB"
    labels = file.embedded_labels(0)
    assert labels is not None
    assert labels.name == "labels_without_background.txt"
    assert len(labels.data.splitlines()) == 1000


@pytest.mark.parametrize("name", ["mobilenet_v2_1.0_224_quant", "mobilenet_v1_0.25_128_quant"])
def test_mobilenets_carry_a_label_for_each_class(testdata: Path, name: str) -> None:
    file = read_model_file((testdata / "models" / f"{name}.tflite").read_bytes())
    labels = file.embedded_labels(0)
    assert labels is not None
    assert len(labels.data.splitlines()) == file.outputs[0].shape[-1] == 1001
