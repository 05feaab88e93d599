"""The size of a model's graph: multiply-accumulates as published, parameters, activations."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edged.engine.layers import Graph, read_graph
from edged.errors import ModelError

SMALL = Path(__file__).resolve().parent.parent / "models"

# It needs what comes with ai-edge-litert.
builders: Any = pytest.importorskip("tflite_builder")

# Howard et al., "MobileNets", 2017, table 1: stride and filters of the separable convolutions.
MOBILENET_V1 = [
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
]


class Network:
    """Convolutions one after the other; weights are zeros."""

    def __init__(self, size: int, channels: int) -> None:
        self.builder = builders.ModelBuilder("a network")
        self.input = self.now = self.builder.tensor("image", (1, size, size, channels), "int8")

    def add(self, kind: str, filters: tuple[int, ...], shape: tuple[int, ...]) -> None:
        weights = self.builder.constant(f"w{self.now.number}", np.zeros(filters, np.int8))
        out = self.builder.tensor(f"t{self.now.number}", shape, "int8")
        self.now = self.builder.operator(kind, [self.now, weights], [out])

    def graph(self) -> Graph:
        return read_graph(self.builder.build([self.input], [self.now]))


def built(kind: str, given: list[Any], out: tuple[int, ...], builder: Any) -> Graph:
    made = builder.tensor("out", out)
    builder.operator(kind, given, [made])
    return read_graph(builder.build([given[0]], [made]))


def test_mobilenet_v1_has_as_many_as_its_paper_says() -> None:
    network = Network(224, 3)
    size, depth = 112, 32
    network.add("CONV_2D", (32, 3, 3, 3), (1, size, size, 32))
    for stride, filters in MOBILENET_V1:
        size //= stride
        network.add("DEPTHWISE_CONV_2D", (1, 3, 3, depth), (1, size, size, depth))
        network.add("CONV_2D", (filters, 1, 1, depth), (1, size, size, filters))
        depth = filters
    network.add("AVERAGE_POOL_2D", (1,), (1, 1, 1, depth))
    network.add("FULLY_CONNECTED", (1000, depth), (1, 1000))

    graph = network.graph()

    assert round(graph.macs / 1e6) == 569
    assert round(graph.parameters / 1e6, 1) == 4.2
    assert not graph.uncounted


@pytest.mark.parametrize(
    ("name", "macs_m", "parameters_m"),
    [("mobilenet_v2_1.0_224_quant", 300, 3.5), ("mobilenet_v1_0.25_128_quant", 14, 0.47)],
)
def test_real_models_have_as_many_as_is_published(
    testdata: Path, name: str, macs_m: int, parameters_m: float
) -> None:
    graph = read_graph((testdata / "models" / f"{name}.tflite").read_bytes())
    assert graph.macs / 1e6 == pytest.approx(macs_m, rel=0.035)
    assert graph.parameters / 1e6 == pytest.approx(parameters_m, rel=0.01)


def test_every_kind_of_product_is_counted() -> None:
    builder = builders.ModelBuilder("products")
    image = builder.tensor("image", (1, 4, 4, 2))
    size = builder.constant("size", np.array([1, 8, 8, 3], np.int32))
    filters = builder.constant("filters", np.zeros((3, 5, 5, 2), np.float32))
    made = builder.tensor("out", (1, 8, 8, 3))
    builder.operator("TRANSPOSE_CONV", [size, filters, image], [made])
    assert read_graph(builder.build([image], [made])).macs == (4 * 4 * 2) * (3 * 5 * 5)

    builder = builders.ModelBuilder("products")
    one, other = builder.tensor("one", (6, 2, 5)), builder.tensor("other", (6, 7, 5))
    assert built("BATCH_MATMUL", [one, other], (6, 2, 7), builder).macs == 6 * 2 * 7 * 5

    builder = builders.ModelBuilder("products")
    volume = builder.tensor("volume", (1, 4, 4, 4, 2))
    filters = builder.constant("filters", np.zeros((3, 3, 3, 2, 8), np.float32))
    graph = built("CONV_3D", [volume, filters], (1, 4, 4, 4, 8), builder)
    assert graph.macs == (4**3 * 8) * (3**3 * 2)

    builder = builders.ModelBuilder("products")
    steps = builder.tensor("steps", (1, 10, 4))
    weights = builder.constant("weights", np.zeros((6, 4), np.float32))
    again = builder.constant("again", np.zeros((6, 6), np.float32))
    bias = builder.constant("bias", np.zeros(6, np.float32))
    given = [steps, weights, again, bias]
    graph = built("UNIDIRECTIONAL_SEQUENCE_RNN", given, (1, 10, 6), builder)
    assert (graph.macs, graph.parameters) == (10 * (6 * 4 + 6 * 6), 6 * 4 + 6 * 6 + 6)


def test_what_goes_element_by_element_has_none_and_what_is_not_known_is_said() -> None:
    builder = builders.ModelBuilder("elements")
    one = builder.tensor("one", (1, 8))
    sum_ = builder.operator("ADD", [one, one], [builder.tensor("sum", (1, 8))])
    made = builder.tensor("out", (1, 8))
    builder.effect("Mystery", [sum_], [made], custom_options=b"")
    graph = read_graph(builder.build([one], [made]))
    assert [layer.macs for layer in graph.layers] == [0, None]
    assert (graph.macs, graph.uncounted) == (0, ["Mystery"])


def test_weights_that_two_operators_use_count_once() -> None:
    builder = builders.ModelBuilder("shared")
    one = builder.tensor("one", (1, 4))
    weights = builder.constant("weights", np.zeros((4, 4), np.int8))
    two = builder.operator("FULLY_CONNECTED", [one, weights], [builder.tensor("two", (1, 4))])
    graph = built("FULLY_CONNECTED", [two, weights], (1, 4), builder)
    assert [layer.parameters for layer in graph.layers] == [16, 0]
    assert (graph.weights_bytes, graph.macs) == (16, 32)


def test_activations_are_what_lies_in_memory_at_once() -> None:
    builder = builders.ModelBuilder("a skip")
    first = builder.tensor("first", (1, 100), "int8")
    wide = builder.operator("EXP", [first], [builder.tensor("wide", (1, 1000), "int8")])
    narrow = builder.operator("EXP", [wide], [builder.tensor("narrow", (1, 10))])  # float32
    made = builder.operator("ADD", [narrow, first], [builder.tensor("out", (1, 100), "int16")])
    graph = read_graph(builder.build([first], [made]))
    # ``first`` is kept for the last operator, beside ``wide`` and 4 x 10 bytes.
    assert graph.activation_bytes == 100 + 1000 + 40


def test_a_damaged_file_is_told_and_nothing_else_is_raised() -> None:
    whole = (SMALL / "detector_tf1.tflite").read_bytes()
    source = random.Random(5)
    told = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(source.randrange(1, 8)):
            data[source.randrange(8, 2000)] = source.randrange(256)
        try:
            read_graph(bytes(data))
        except ModelError as error:
            told += str(error).startswith("damaged: ")
    assert told


def test_an_operator_of_tensors_that_are_not_there_is_damage() -> None:
    builder = builders.ModelBuilder("damaged")
    one = builder.tensor("one", (1, 4))
    far = builders.Tensor(99, (1, 4), "float32", None)
    made = builder.operator("ADD", [one, far], [builder.tensor("two", (1, 4))])
    with pytest.raises(ModelError) as failed:
        read_graph(builder.build([one], [made]))
    assert str(failed.value) == "damaged: operator 0 uses a tensor that the file does not hold"


def test_a_product_without_weights_is_damage() -> None:
    builder = builders.ModelBuilder("damaged")
    one = builder.tensor("one", (1, 4))
    with pytest.raises(ModelError) as failed:
        built("FULLY_CONNECTED", [one], (1, 4), builder)
    assert str(failed.value) == "damaged: one of its operators has no input 1"
