"""Reading .tflite files without a runtime: right where the file is sound, safe where it is not."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.engine.tflite_file import ModelFile, read_model_file, unusable_reason
from edged.engine.tflite_graph import FileTensor, Producer
from edged.errors import ModelError
from edged.records.models import Quantization

MODELS = Path(__file__).resolve().parent.parent / "models"
DAMAGED_COPIES = 300
STRING = 5  # enum TensorType
LONGEST_READ_S = 1.0  # of processor time; a read of a sound model takes 20 ms


def small(name: str) -> ModelFile:
    return read_model_file((MODELS / f"{name}.tflite").read_bytes())


def refusal(data: bytes) -> str:
    with pytest.raises(ModelError) as caught:
        read_model_file(data)
    return str(caught.value)


# ---- what a sound file says ----------------------------------------------------------------------


def test_a_classifier_is_read_whole() -> None:
    file = small("classifier_uint8")
    assert file.description == "colour classifier"
    assert file.operators == ("MEAN", "FULLY_CONNECTED", "SOFTMAX")
    assert file.custom_operators == ()
    assert (file.metadata, file.metadata_problem, file.label_files) == (None, None, ())
    (image,) = file.inputs
    assert (image.name, image.shape, image.dtype) == ("image", (1, 32, 32, 3), "uint8")
    assert image.quantization == Quantization(float(np.float32(1 / 255)), 0)
    assert image.produced_by is None
    (scores,) = file.outputs
    assert (scores.shape, scores.produced_by) == ((1, 3), Producer("SOFTMAX", 0))


def test_the_version_of_a_model_is_the_sha256_of_its_file() -> None:
    file = read_model_file((MODELS / "pose.tflite").read_bytes())
    assert file.size_bytes == (MODELS / "pose.tflite").stat().st_size
    assert len(file.sha256) == 64
    assert file.sha256 != small("segmentation").sha256


@pytest.mark.parametrize(
    ("name", "producers"),
    [
        ("classifier_float32_sigmoid", [("LOGISTIC", 0)]),
        ("classifier_float32_logits", [("FULLY_CONNECTED", 0)]),
        ("segmentation", [("ARG_MAX", 0)]),
        ("pose", [("FULLY_CONNECTED", 0)]),  # through RESHAPE
        ("detector_tf1", [("TFLite_Detection_PostProcess", place) for place in (0, 1, 2, 3)]),
        ("detector_tf2", [("TFLite_Detection_PostProcess", place) for place in (2, 0, 3, 1)]),
    ],
)
def test_outputs_know_the_operator_they_come_from(
    name: str, producers: list[tuple[str, int]]
) -> None:
    found = [tensor.produced_by for tensor in small(name).outputs]
    assert found == [Producer(*producer) for producer in producers]


def test_a_dynamic_batch_shows_in_the_signature_of_the_shape() -> None:
    (image,) = small("classifier_float32_dynamic_batch").inputs
    assert (image.shape, image.shape_signature) == ((1, 32, 32, 3), (-1, 32, 32, 3))
    (image,) = small("classifier_float32").inputs
    assert image.shape_signature == image.shape


def test_tensors_know_what_the_main_graphs_signature_calls_them() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    signatures = []
    for graph, name in ((1, "of another graph"), (0, "scores")):
        entry, signature = schema.TensorMapT(), schema.SignatureDefT()
        entry.name, entry.tensorIndex = name, 0
        signature.outputs, signature.subgraphIndex = [entry], graph
        signatures.append(signature)
    assert read_model_file(model_of(signatureDefs=signatures)).outputs[0].signature_name == "scores"
    assert small("classifier_uint8").outputs[0].signature_name is None


def test_a_graph_that_goes_in_circles_has_no_producer() -> None:
    model = pytest.importorskip("tflite_builder").ModelBuilder("a circle")
    one, other = model.tensor("one", (1,)), model.tensor("other", (1,))
    model.operator("RESHAPE", [one], [other])
    model.operator("RESHAPE", [other], [one])
    assert read_model_file(model.build([one], [other])).outputs[0].produced_by is None


def test_labels_are_found_by_the_output_they_belong_to() -> None:
    file = small("classifier_uint8_background")
    labels = file.embedded_labels(0)
    assert labels is not None
    assert (labels.name, labels.data) == ("colours.txt", b"red\ngreen\nblue\n")
    assert small("classifier_uint8").embedded_labels(0) is None


def test_a_damaged_archive_of_labels_is_told_and_the_model_read_all_the_same() -> None:
    data = (MODELS / "classifier_uint8_background.tflite").read_bytes()
    file = read_model_file(data[:-40])
    assert file.label_files == ()
    assert file.metadata is not None
    assert file.metadata_problem == 'its label file "colours.txt" is missing from it, or damaged'


def real_models(testdata: Path) -> Iterator[Path]:
    yield from (testdata / "models").glob("*.tflite")
    yield from MODELS.glob("*.tflite")


def test_every_real_model_reads_as_the_interpreter_reads_it(testdata: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    for path in real_models(testdata):
        file = read_model_file(path.read_bytes())
        bare = interpreter.Interpreter(str(path))
        for tensors, details in (
            (file.inputs, bare.get_input_details()),
            (file.outputs, bare.get_output_details()),
        ):
            for tensor, detail in zip(tensors, details, strict=True):
                check_tensor(tensor, detail, path.name)


def check_tensor(tensor: FileTensor, detail: dict[str, Any], where: str) -> None:
    assert tensor.name == detail["name"], where
    assert tensor.shape == tuple(detail["shape"]), where
    assert tensor.shape_signature == tuple(detail["shape_signature"]), where
    assert np.dtype(tensor.dtype) == detail["dtype"], where
    scale, zero_point = detail["quantization"]
    expected = Quantization(scale, zero_point) if scale else None
    assert tensor.quantization == expected, where


def test_real_operators_are_named_as_the_interpreter_names_them(testdata: Path) -> None:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    for path in real_models(testdata):
        bare = interpreter.Interpreter(
            str(path),
            experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        names = tuple(operator["op_name"] for operator in bare._get_ops_details())
        assert read_model_file(path.read_bytes()).operators == names, path.name


# ---- what is wrong with a file -------------------------------------------------------------------


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"this is not a model\n", "no TFLite model: it is a text file"),
        ("Füße".encode() * 600, "no TFLite model: it is a text file"),
        (
            b"\n<!DOCTYPE html><html>",
            "no TFLite model: it is an HTML page, perhaps saved in place of the download",
        ),
        (b"\x89HDF\r\n\x1a\n...", "no TFLite model: it is a Keras model in an HDF5 file"),
        (b"\x08\x07\x12\x07pytorch", "no TFLite model: it is an ONNX model"),
        (b"\x08\x01\x12\xf0\x01", "no TFLite model: it is a TensorFlow SavedModel"),
        (
            b"\x80\x02\x8a\nl\xfc",
            "no TFLite model: it is a Python pickle, such as PyTorch writes",
        ),
        (archive("net/data.pkl"), "no TFLite model: it is a PyTorch model"),
        (archive("model.weights.h5"), "no TFLite model: it is a Keras model"),
        (archive("a.txt"), "no TFLite model: it is a zip archive"),
        (
            archive("detector.tflite"),
            "no TFLite model: it is a zip archive that holds 'detector.tflite' (unpack it first)",
        ),
        (b"PK\x03\x04 damaged", "no TFLite model: it is a zip archive"),
        (b"\x1f\x8b\x08", "no TFLite model: it is a gzip archive"),
        (bytes(300), "no TFLite model"),
        (b"\x18\x00\x00\x00TFL3", "truncated: 8 bytes, but its tables reach to byte 28"),
        (
            b"\xff\xff\xff\xffTFL3",
            "damaged: one of its tables points far outside the file, which has 8 bytes",
        ),
    ],
)
def test_a_file_that_is_no_model_is_called_what_it_is(data: bytes, reason: str) -> None:
    assert refusal(data) == reason


def model_of(graphs: int = 1, **changes: Any) -> bytes:
    """A model of one tensor, which is its input and its output, but for ``changes``.

    ``inputs`` and ``outputs`` are of its graphs, ``type`` of the tensor, the rest of the model.
    """
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    tensor = schema.TensorT()
    tensor.shape, tensor.name, tensor.type = [1], "x", changes.pop("type", 0)
    graph = schema.SubGraphT()
    graph.tensors = [tensor]
    graph.inputs, graph.outputs = changes.pop("inputs", [0]), changes.pop("outputs", [0])
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph] * graphs, [schema.BufferT()]
    for name, value in changes.items():
        setattr(model, name, value)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_model_with_nothing_to_run_is_refused() -> None:
    assert read_model_file(model_of()).inputs[0].name == "x"
    assert refusal(model_of(graphs=0)) == "it has no graph, so there is nothing to run"
    assert refusal(model_of(inputs=[])) == "it has no inputs"
    assert refusal(model_of(outputs=[])) == "it has no outputs"


def test_another_version_of_the_format_is_refused() -> None:
    reason = refusal(model_of(version=4))
    assert reason == "made for version 4 of the TFLite format; edged knows version 3"


def test_a_file_cut_anywhere_before_its_end_is_refused() -> None:
    data = (MODELS / "detector_tf1.tflite").read_bytes()
    for size in range(8, len(data) - 8):
        assert refusal(data[:size]).startswith("truncated: "), size


def test_weights_that_are_cut_off_are_told_as_truncated() -> None:
    data = (MODELS / "classifier_uint8.tflite").read_bytes()
    axes = b"\1\0\0\0\2\0\0\0"
    assert data.count(b"\x08\0\0\0" + axes) == 1
    longer = data.replace(b"\x08\0\0\0" + axes, b"\0\0\1\0" + axes)
    end = data.index(axes) + 65_536
    assert (
        refusal(longer) == f"truncated: {len(data):,} bytes, but its tables reach to byte {end:,}"
    )


def test_weights_behind_the_tables_that_are_cut_off_are_told_as_truncated() -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    behind = schema.BufferT()
    behind.offset, behind.size = 4000, 96
    data = model_of(buffers=[behind])
    assert refusal(data).endswith("but its tables reach to byte 4,096")
    assert read_model_file(data.ljust(4096, b"\0")).outputs[0].name == "x"


def test_a_table_whose_layout_is_cut_within_a_number_is_told_as_truncated() -> None:
    data = struct.pack("<I4siHHB", 8, b"TFL3", -4, 5, 4, 0)
    assert refusal(data) == "truncated: 17 bytes, but its tables reach to byte 18"


def test_tensors_and_operators_that_are_not_there_are_told() -> None:
    assert refusal(model_of(outputs=[7])) == "damaged: one of its outputs is tensor 7 of 1"
    assert refusal(model_of(inputs=[-1])) == "damaged: one of its inputs is tensor -1 of 1"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "the file is empty"),
        ("text", "no TFLite model: it is a text file"),
        ("root_offset_out_of_bounds", "truncated: 8 bytes, but its tables reach to byte 28"),
        ("truncated", "truncated: 200,000 bytes, but its tables reach to byte 503,684"),
    ],
)
def test_bad_models_that_cannot_be_read_say_why(testdata: Path, name: str, reason: str) -> None:
    assert refusal((testdata / "bad-models" / f"{name}.tflite").read_bytes()) == reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("compiled_for_edgetpu", 'made for the Coral Edge TPU: it needs delegate = "edgetpu"'),
        (
            "custom_op_unresolved",
            'needs the operator "fake-op-double", which the TFLite runtime does not have',
        ),
        (
            "custom_op_posenet_decoder",
            'needs the operator "PosenetDecoderOp", which the TFLite runtime does not have',
        ),
        ("aborts_on_invoke", None),
        ("invalid_quantization_parameters", None),
        ("weights_corrupted", None),
    ],
)
def test_bad_models_that_can_be_read_say_what_they_need(
    testdata: Path, name: str, reason: str | None
) -> None:
    file = read_model_file((testdata / "bad-models" / f"{name}.tflite").read_bytes())
    assert unusable_reason(file, None) == reason
    assert unusable_reason(file, "edgetpu") is None


def test_the_runtimes_own_custom_operators_are_no_reason_to_refuse() -> None:
    assert unusable_reason(small("detector_tf1"), None) is None


def test_an_input_of_strings_is_refused() -> None:
    reason = unusable_reason(read_model_file(model_of(type=STRING)), None)
    assert reason == 'its input "x" takes string values, not numbers'
    assert unusable_reason(read_model_file(model_of()), None) is None


# ---- any bytes at all ----------------------------------------------------------------------------


def damaged(data: bytes, seed: int) -> bytes:
    """A copy with bits turned over, its end cut off, or a range zeroed: half of it early."""
    chance = random.Random(seed)
    copy = bytearray(data)
    place = chance.randrange(min(len(copy), 2000) if seed % 2 else len(copy))
    if seed % 3 == 0:
        for _ in range(chance.choice((1, 8, 64))):
            copy[min(place + chance.randrange(200), len(copy) - 1)] ^= 1 << chance.randrange(8)
    elif seed % 3 == 1:
        del copy[place:]
    else:
        end = min(place + chance.randrange(1, 2000), len(copy))
        copy[place:end] = bytes(end - place)
    return bytes(copy)


def read_any(data: bytes) -> None:
    """Read, and let pass only what the contract allows, within the bound of time."""
    began = time.process_time()
    with contextlib.suppress(ModelError):
        unusable_reason(read_model_file(data), None)
    assert time.process_time() - began < LONGEST_READ_S


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.stem)
def test_damaged_copies_of_small_models_are_read_or_refused(path: Path) -> None:
    data = path.read_bytes()
    for seed in range(DAMAGED_COPIES):
        read_any(damaged(data, seed))


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v1_0.25_128_quant", "keras_lstm_mnist_ptq", "movenet_single_pose_lightning_ptq"],
)
def test_damaged_copies_of_real_models_are_read_or_refused(testdata: Path, name: str) -> None:
    data = (testdata / "models" / f"{name}.tflite").read_bytes()
    for seed in range(DAMAGED_COPIES):
        read_any(damaged(data, seed))


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_refused(data: bytes, with_identifier: bool) -> None:
    read_any(data[:4] + b"TFL3" + data[4:] if with_identifier else data)


def test_tables_that_overlap_cost_no_more_than_the_bound() -> None:
    """20,000 operators in one place have 200,000 inputs each: a file of 1 MB, 16 GB to read."""
    builder = flatbuffers.Builder(1 << 20)
    inputs = builder.CreateNumpyVector(np.zeros(200_000, np.int32))
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(1, inputs, 0)
    operator = builder.EndObject()
    operators = references(builder, [operator] * 20_000)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(3, operators, 0)
    graphs = references(builder, [builder.EndObject()])
    builder.StartObject(1)
    kinds = references(builder, [builder.EndObject()])
    builder.StartObject(3)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(1, kinds, 0)
    builder.PrependUOffsetTRelativeSlot(2, graphs, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    began = time.process_time()
    assert refusal(bytes(builder.Output())) == "damaged: it has too many tables, or they overlap"
    assert time.process_time() - began < LONGEST_READ_S


def references(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in offsets:
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
