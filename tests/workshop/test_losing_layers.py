"""Where a quantised model loses; an operator by itself; how far numbers are apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from household import SMALL_MODELS

from edged.engine.alone import alone, computed_inputs
from edged.engine.interpreter import Engine
from edged.engine.layers import read_graph
from edged.errors import EdgedError
from edged.workshop.comparing.errors import Differing, sqnr_db
from edged.workshop.comparing.fallen import find_left
from edged.workshop.comparing.layers import Losses, Watched, operator_alone

builders: Any = pytest.importorskip("tflite_builder")


def network(step: float | None) -> bytes:
    """y = tanh(x w) u, with w in steps of ``step``; None: float."""
    source = np.random.default_rng(1)
    w = source.normal(0, 1, (8, 8)).astype(np.float32)
    u = source.normal(0, 1, (4, 8)).astype(np.float32)
    if step is not None:
        w = (np.rint(w / step) * step).astype(np.float32)
    model = builders.ModelBuilder("a network")
    schema = builders.schema
    options = schema.FullyConnectedOptionsT
    x = model.tensor("x", (1, 8))
    one = model.operator(
        "FULLY_CONNECTED", [x, model.constant("w", w)], [model.tensor("coarse", (1, 8))], options()
    )
    bent = model.operator("TANH", [one], [model.tensor("bent", (1, 8))])
    y = model.operator(
        "FULLY_CONNECTED", [bent, model.constant("u", u)], [model.tensor("y", (1, 4))], options()
    )
    data: bytes = model.build([x], [y])
    return data


def watched(directory: Path, name: str, data: bytes) -> Watched:
    path = directory / f"{name}.tflite"
    path.write_bytes(data)
    return Watched(path, data, remembers=False)


def test_an_operator_by_itself_gives_what_it_gives_in_the_whole(tmp_path: Path) -> None:
    data = (SMALL_MODELS / "detector_tf1.tflite").read_bytes()
    whole = watched(tmp_path, "whole", data)
    view = whole.engine.input_view(0)
    view[...] = np.random.default_rng(2).integers(0, 255, view.shape)
    del view
    whole.engine.invoke()
    tried = 0
    for layer in whole.graph.layers:
        inputs = computed_inputs(whole.graph, layer)
        single = operator_alone(data, layer, inputs)
        assert single is not None, layer
        for position, place in enumerate(inputs):
            single.input_view(position)[...] = whole.engine.tensor(place)
        single.invoke()
        if layer.kind == "TFLite_Detection_PostProcess":
            continue  # what lies behind its count nobody has written
        for place in layer.outputs:
            np.testing.assert_array_equal(single.tensor(place), whole.engine.tensor(place))
            tried += 1
    assert tried > 2


def test_one_operator_and_no_more_is_left() -> None:
    data = (SMALL_MODELS / "classifier_int8.tflite").read_bytes()
    graph = read_graph(data)
    cut = read_graph(alone(data, graph.layers[1], computed_inputs(graph, graph.layers[1])))
    assert [layer.kind for layer in cut.layers] == [graph.layers[1].kind]
    assert (cut.inputs, cut.outputs) == (graph.layers[1].inputs[:1], graph.layers[1].outputs)


def test_the_layer_that_was_made_coarse_is_the_one_that_loses(tmp_path: Path) -> None:
    exact, coarse = (
        watched(tmp_path, name, network(step)) for name, step in (("a", None), ("b", 0.25))
    )
    losses = Losses(exact, coarse)
    source = np.random.default_rng(3)
    for _ in range(8):
        x = source.normal(0, 1, (1, 8))
        for each in (exact, coarse):
            each.engine.input_view(0)[...] = x
            each.engine.invoke()
        losses.take()
    first, *others = losses.found
    assert (first.number, first.kind, first.name) == (0, "FULLY_CONNECTED", "coarse")
    assert first.own_db is not None
    assert 10 < first.own_db < 30
    assert first.own_db == pytest.approx(first.sqnr_db)
    # What the others give is off by what they were given, and they add nothing.
    assert all(each.own_db is None or each.own_db > 100 for each in others)
    assert all(each.sqnr_db < 30 for each in others)


def test_models_that_have_nothing_to_do_with_each_other_are_told(tmp_path: Path) -> None:
    one = watched(tmp_path, "a", network(None))
    other = watched(tmp_path, "b", (SMALL_MODELS / "regression_float32.tflite").read_bytes())
    with pytest.raises(EdgedError, match="The operators of the two models do not go together"):
        Losses(one, other)


def test_what_the_delegate_left_is_told_with_its_cost() -> None:
    path = SMALL_MODELS / "detector_tf1.tflite"
    engine = Engine(path, threads=1)
    given = [engine.input_view(0).copy()]
    left = find_left(path, path.read_bytes(), False, given)
    assert left.operators == len(read_graph(path.read_bytes()).layers)
    by_kind = {each.kind: each for each in left.fallen}
    cost_ms = by_kind["TFLite_Detection_PostProcess"].cost_ms
    assert cost_ms is not None
    assert 0 < cost_ms < 1000
    assert left.cost_ms >= cost_ms


def test_no_descriptor_is_left_open() -> None:
    data = (SMALL_MODELS / "classifier_int8.tflite").read_bytes()
    graph = read_graph(data)
    layer = graph.layers[1]
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        assert operator_alone(data, layer, computed_inputs(graph, layer)) is not None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_how_far_numbers_are_apart() -> None:
    differing = Differing("scores")
    differing.take(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    differing.take(np.array([0.0, np.nan]), np.array([0.0, 7.0]))
    found = differing.difference
    assert found.largest == 0.5
    assert found.sqnr_db == pytest.approx(10 * math.log10(25 / 0.25))
    assert found.cosine == pytest.approx(27 / (5 * math.hypot(3, 4.5)))
    assert sqnr_db(1.0, 0.0) == math.inf
    assert Differing("none").difference.cosine == 1.0
