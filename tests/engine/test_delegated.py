"""Which operators a delegate has taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edged.engine.delegated import find_delegated, taken
from edged.engine.layers import read_graph
from edged.engine.runtime import NO_DELEGATE, Delegate
from edged.errors import ModelError

SMALL = Path(__file__).resolve().parent.parent / "models"


def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_what_lies_between_a_delegates_inputs_and_outputs_is_taken() -> None:
    own = [
        node(0, "QUANTIZE", [0], [1]),
        node(1, "CONV_2D", [1, 10, -1], [2]),
        node(2, "ADD", [2, 1], [3]),
        node(3, "ARG_MAX", [3], [4]),
        node(4, "CONV_2D", [4], [5]),
    ]
    delegates = [node(5, "DELEGATE", [1], [3]), node(6, "DELEGATE", [4], [5])]
    assert taken(own) == ()
    assert taken([*own, *delegates]) == (1, 2, 4)


def test_the_runtime_tells_it_of_a_model() -> None:
    path = SMALL / "classifier_float32.tflite"
    kinds = [layer.kind for layer in read_graph(path.read_bytes()).layers]
    with_xnnpack = find_delegated(path, threads=1, delegate=None, remembers=False)
    without = find_delegated(path, threads=1, delegate=Delegate(NO_DELEGATE), remembers=False)
    assert "FULLY_CONNECTED" in {kinds[number] for number in with_xnnpack.taken}
    assert with_xnnpack.partitions == 1
    assert with_xnnpack.runtime.startswith(("ai-edge-litert ", "tflite-runtime "))
    assert (without.taken, without.partitions) == ((), 0)


def test_a_model_that_keeps_variables_is_left_to_the_runtime() -> None:
    path = SMALL / "keyword.tflite"
    assert find_delegated(path, threads=1, delegate=None, remembers=True).taken == ()


def test_what_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="the runtime cannot load it"):
        find_delegated(path, threads=1, delegate=None, remembers=False)
