"""Anchors are found in the file that holds them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from edged.engine.anchors import read_anchors

MODELS = Path(__file__).resolve().parent.parent / "models" / "layouts"
FIRST = [0.15, 0.3, 0.3, 0.4]  # of the red box, 0.1 to the left of it


def test_a_constant_tensor_of_the_graph_holds_anchors() -> None:
    (table,) = read_anchors((MODELS / "ssd_uint8.tflite").read_bytes(), 8)
    assert table.origin == 'the constant tensor "anchors"'
    assert table.scales is None
    np.testing.assert_allclose(table.anchors[0], FIRST, atol=1e-6)


def test_mediapipes_metadata_holds_anchors_and_how_boxes_are_told() -> None:
    (table,) = read_anchors((MODELS / "efficientdet_int8.tflite").read_bytes(), 8)
    assert (table.scales, table.exponential, table.logits) == ((1, 1, 1, 1), True, True)
    np.testing.assert_allclose(table.anchors[0], FIRST, atol=1e-6)


def test_tables_of_other_sizes_are_none() -> None:
    for name in ("ssd", "efficientdet"):
        assert read_anchors((MODELS / f"{name}_uint8.tflite").read_bytes(), 9) == ()


@pytest.mark.parametrize("name", ["ssd", "efficientdet"])
def test_damage_never_makes_it_raise(name: str) -> None:
    data = (MODELS / f"{name}_float32.tflite").read_bytes()
    source = random.Random(8)
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(8):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        read_anchors(bytes(damaged), 8)
        read_anchors(data[: source.randrange(len(data))], 8)
