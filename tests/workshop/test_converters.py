"""The real converters. Each is large, and wants other versions than the others do: a test skips
where its own is not installed.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="the extra workshop is not installed")

from edged.errors import EdgedError
from edged.loading import Examined
from edged.workshop.convert import Order, convert
from edged.workshop.subject import take

pytestmark = pytest.mark.filterwarnings("default")


def converted(source: Path, **options: str) -> Examined:
    lines: list[str] = []
    made = convert(Order(source, source.with_name("made.tflite"), **options), lines.append)
    assert made is not None, lines
    return made


def without_what_lies_beside(model: Path) -> Examined:
    for path in model.parent.glob("made.*"):
        if path != model:
            path.unlink()
    return take(model, None).examined


def test_keras_with_its_own_preprocessing_takes_bytes_as_they_are(tmp_path: Path) -> None:
    keras = pytest.importorskip("tensorflow", reason="the extra keras is not installed").keras
    layers = keras.layers
    picture = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, strides=2)(layers.Rescaling(1 / 255)(picture))
    scores = layers.Dense(3, activation="softmax")(layers.Flatten()(x))
    keras.Model(picture, scores).save(tmp_path / "a.keras")

    made = converted(tmp_path / "a.keras")

    assert made.probed.inputs[0].shape == (1, 16, 16, 3)
    assert "(byte - 0) / 1, from made.toml" in made.reading.input.said
    alone = without_what_lies_beside(tmp_path / "made.tflite")
    assert "(byte - 0) / 1, from its metadata" in alone.reading.input.said
    assert made.reading.task.name == "classification"


def test_a_saved_model_is_converted(tmp_path: Path) -> None:
    keras = pytest.importorskip("tensorflow", reason="the extra keras is not installed").keras
    picture = keras.Input((16, 16, 3))
    scores = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(picture))
    keras.Model(picture, scores).export(tmp_path / "saved")

    assert converted(tmp_path / "saved").probed.outputs[0].shape == (1, 3)


def test_keras_without_a_size_is_refused(tmp_path: Path) -> None:
    keras = pytest.importorskip("tensorflow", reason="the extra keras is not installed").keras
    picture = keras.Input((None, None, 3))
    mean = keras.layers.GlobalAveragePooling2D()(picture)
    keras.Model(picture, keras.layers.Dense(2, activation="softmax")(mean)).save(
        tmp_path / "a.keras"
    )

    with pytest.raises(EdgedError) as error:
        converted(tmp_path / "a.keras")

    assert str(error.value) == (
        f"{tmp_path / 'a.keras'}: its input is ?x?x?x3, of no fixed size. Save it with one, such "
        "as keras.Input((224, 224, 3))"
    )


def test_onnx_is_turned_to_channels_last_and_keeps_what_it_says(tmp_path: Path) -> None:
    pytest.importorskip("onnx2tf", reason="the extra onnx is not installed")
    onnx = importlib.import_module("onnx")
    make = onnx.helper
    source = np.random.default_rng(0)
    weights = onnx.numpy_helper.from_array(source.normal(size=(8, 3, 3, 3)).astype("f4"), "w")
    last = onnx.numpy_helper.from_array(source.normal(size=(8, 3)).astype("f4"), "last")
    nodes = [
        make.make_node("Conv", ["images", "w"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        make.make_node("GlobalAveragePool", ["c"], ["g"]),
        make.make_node("Flatten", ["g"], ["f"]),
        make.make_node("MatMul", ["f", "last"], ["m"]),
        make.make_node("Softmax", ["m"], ["probabilities"], axis=1),
    ]
    picture = make.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 3, 32, 32])
    scores = make.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1, 3])
    graph = make.make_graph(nodes, "colours", [picture], [scores], [weights, last])
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
    told = {"Image.NominalPixelRange": "Normalized_0_1", "labels": '["red", "green", "blue"]'}
    make.set_model_props(model, told)
    onnx.save(model, str(tmp_path / "a.onnx"))

    made = converted(tmp_path / "a.onnx")

    assert made.probed.inputs[0].shape == (1, 32, 32, 3)
    assert "(byte - 0) / 255" in made.reading.input.said
    assert made.reading.labels.names == ("red", "green", "blue")
    alone = without_what_lies_beside(tmp_path / "made.tflite")
    assert "(byte - 0) / 255, from its metadata" in alone.reading.input.said
    assert alone.reading.labels.names == ("red", "green", "blue")


def test_a_program_of_pytorch_is_turned_to_channels_last(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch", reason="the extra torch is not installed")
    torch = importlib.import_module("torch")
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
        torch.nn.Softmax(dim=1),
    ).eval()
    program = torch.export.export(network, (torch.rand(1, 3, 32, 32),))
    torch.export.save(program, str(tmp_path / "a.pt2"), extra_files={"labels.txt": "a\nb\nc"})

    made = converted(tmp_path / "a.pt2")

    assert made.probed.inputs[0].shape == (1, 32, 32, 3)
    assert made.reading.labels.names == ("a", "b", "c")
    alone = without_what_lies_beside(tmp_path / "made.tflite")
    assert alone.reading.labels.names == ("a", "b", "c")
