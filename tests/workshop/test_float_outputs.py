"""What a quantised model computes as float32 it gives as float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("litert_quantizer", reason="the extra workshop is not installed")

from make_test_models import ANCHORS, post_processing_options
from quantizing import hard_to_quantize, write_pictures
from tflite_builder import ModelBuilder
from tflite_layers import logits_of, mean_colour, reshape

from edged.engine.interpreter import Engine
from edged.workshop.comparing.layers import LISTS, Losses, Watched
from edged.workshop.quantize import Order, Quantized, quantize
from edged.workshop.quantizer import read_tables
from edged.workshop.told import told


def detector() -> bytes:
    """A float detector of three places that ends in its own post-processing."""
    model = ModelBuilder("boxes by colour")
    picture = model.tensor("image", (1, 32, 32, 3))
    weights = np.full((3, 4, 3), 0.1, np.float32)
    for colour in range(3):
        weights[colour, colour + 1, colour] = 8  # column 0 is the background
    logits = logits_of(
        model, mean_colour(model, picture), weights.reshape(12, 3), np.full(12, -4, np.float32)
    )
    scores = model.operator("LOGISTIC", [logits], [model.tensor("class scores", (1, 12))])
    inputs = [
        model.constant("offsets", np.zeros((1, 3, 4), np.float32)),
        reshape(model, scores, "scores by anchor", (1, 3, 4)),
        model.constant("anchors", ANCHORS),
    ]
    shapes = {"": (1, 10, 4), ":1": (1, 10), ":2": (1, 10), ":3": (1,)}
    outputs = [model.tensor(LISTS + end, shape) for end, shape in shapes.items()]
    model.operator(LISTS, inputs, outputs, custom_options=post_processing_options())
    data: bytes = model.build([picture], outputs)
    return data


def quantized(directory: Path, source: bytes) -> tuple[Order, Quantized]:
    write_pictures(directory / "data", 50)
    (directory / "float.tflite").write_bytes(source)
    (directory / "float.toml").write_text("[input]\nmean = 0\nstd = 255\n")
    order = Order(
        directory / "float.tflite", directory / "made.tflite", calibrate=directory / "data"
    )
    return order, quantize(order, lambda _: None, lambda *_: None)


def test_boxes_out_of_a_detectors_own_post_processing_keep_their_precision(tmp_path: Path) -> None:
    order, made = quantized(tmp_path, detector())

    outputs = made.examined.probed.outputs
    assert [each.dtype for each in outputs] == ["float32"] * 4
    assert [each.name for each in outputs] == [LISTS, f"{LISTS}:1", f"{LISTS}:2", f"{LISTS}:3"]
    assert made.agreement is not None
    assert made.agreement > 0.95
    one, other = Engine(order.source, threads=1), Engine(order.target, threads=1)
    pixels: Any = np.zeros((1, 32, 32, 3), np.float32)
    pixels[..., 0] = 1.0
    one.input_view(0)[...] = pixels
    other.input_view(0)[...] = pixels * 255 - 128
    for each in (one, other):
        each.invoke()
    np.testing.assert_allclose(one.output(0)[0, 0], other.output(0)[0, 0], atol=1e-6)


def test_its_signature_leads_to_the_outputs_that_it_has(tmp_path: Path) -> None:
    _, made = quantized(tmp_path, detector())

    model = read_tables(made.data)
    led_to = [int(entry.tensorIndex) for entry in model.signatureDefs[0].outputs]
    assert sorted(led_to) == sorted(map(int, model.subgraphs[0].outputs))


def test_lists_in_the_order_of_scores_are_no_loss_of_a_layer(tmp_path: Path) -> None:
    order, made = quantized(tmp_path, detector())

    data = order.source.read_bytes()
    losses = Losses(Watched(order.source, data, False), Watched(order.target, made.data, False))
    for each, black in ((losses.one, 0), (losses.other, -128)):
        each.engine.input_view(0)[...] = black
        each.engine.invoke()
    losses.take()
    assert losses.found
    assert LISTS not in {loss.kind for loss in losses.found}


@pytest.mark.parametrize(("source", "noted"), [(hard_to_quantize(), True), (detector(), False)])
def test_what_loses_is_told_with_what_to_do(source: bytes, noted: bool, tmp_path: Path) -> None:
    order, made = quantized(tmp_path, source)

    note = (
        f"note: it loses something. edged model compare {order.source} {order.target} --data "
        f"{order.calibrate} --layers tells where; --skip leaves a layer float, and --auto 0.99 "
        "finds out which"
    )
    assert (note in told(order, made)) == noted
