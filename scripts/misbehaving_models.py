"""Models that are good when they are tried and go wrong later, for the tests of trial and rollback.

Each is ``colour classifier`` with a counter, a float32 that is fed back and so counts the frames
since the model was loaded: 0 at the first. The first ``GOOD_FRAMES`` frames are like those of a
good model, every later one is not, whatever the picture is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from tflite_builder import ModelBuilder, Tensor
from tflite_layers import UINT8_SHARE, logits_of, mean_colour, reshape, softmax

GOOD_FRAMES = 20

_PICTURE = (1, 32, 32, 3)
# Half a frame before the first that goes wrong.
_LAST = GOOD_FRAMES - 0.5
# Copying so many numbers take about a millisecond.
_WORK = 100_000

# From the model and its counter to a number that is added to all logits: 0 while all is well.
Fault = Callable[[ModelBuilder, Tensor], Tensor]


def faulty_classifier(description: str, weights: npt.NDArray[np.float32], fault: Fault) -> bytes:
    model = ModelBuilder(description)
    picture = model.tensor("image", _PICTURE, "uint8", UINT8_SHARE)
    counter = model.tensor("counter", (1, 1))
    real = model.operator("DEQUANTIZE", [picture], [model.tensor("real", _PICTURE)])
    logits = logits_of(model, mean_colour(model, real), weights)
    shifted = model.tensor("shifted", logits.shape)
    model.operator("ADD", [logits, fault(model, counter)], [shifted], schema.AddOptionsT())
    counted = model.tensor("counted", (1, 1))
    one = model.constant("one", np.ones((1, 1), np.float32))
    model.operator("ADD", [counter, one], [counted], schema.AddOptionsT())
    return model.build([picture, counter], [softmax(model, shifted), counted])


def nan(model: ModelBuilder, counter: Tensor) -> Tensor:
    """Nothing times the root of what becomes negative."""
    left = model.tensor("left", (1, 1))
    last = model.constant("last", np.full((1, 1), _LAST, np.float32))
    model.operator("SUB", [last, counter], [left], schema.SubOptionsT())
    root = model.operator("SQRT", [left], [model.tensor("root", (1, 1))])
    return _times_zero(model, root)


def error(model: ModelBuilder, counter: Tensor) -> Tensor:
    """Looks up a row that is not there, which the runtime refuses."""
    row = model.tensor("row", (1,), "int32")
    flat = reshape(model, counter, "flat counter", (1,))
    model.operator("CAST", [flat], [row], schema.CastOptionsT())
    rows = model.constant("rows", np.zeros((GOOD_FRAMES, 1), np.float32))
    return model.operator(
        "GATHER", [rows, row], [model.tensor("looked up", (1, 1))], schema.GatherOptionsT()
    )


def slow(model: ModelBuilder, counter: Tensor) -> Tensor:
    """One pass over many numbers, and later twelve."""
    return _choose(model, counter, lambda graph, x: _work(graph, x, 12))


def crash(model: ModelBuilder, counter: Tensor) -> Tensor:
    """Divides the smallest integer by -1, which x86_64 answers with SIGFPE, in either runtime.

    ARM processors do not mind, and no operator is known that ends the process there.
    """
    return _choose(model, counter, _divide)


def hang(model: ModelBuilder, counter: Tensor) -> Tensor:
    """Goes round for as long as the counter is over, which it is for ever then."""
    asked = model.graph("while")
    x = asked.tensor("x", (1,))
    last = asked.constant("last", np.full(1, _LAST, np.float32))
    over = asked.tensor("over", (1,), "bool")
    asked.operator("GREATER", [x, last], [over], schema.GreaterOptionsT())
    done = model.graph("do")
    y = done.tensor("y", (1,))
    one = done.constant("one", np.ones(1, np.float32))
    same = done.operator("MUL", [y, one], [done.tensor("same", (1,))], schema.MulOptionsT())
    options = schema.WhileOptionsT()
    options.condSubgraphIndex = model.branch(asked, [x], [over])
    options.bodySubgraphIndex = model.branch(done, [y], [same])
    flat = reshape(model, counter, "flat counter", (1,))
    held = model.operator("WHILE", [flat], [model.tensor("held", (1,))], options)
    return _times_zero(model, held)


def _choose(model: ModelBuilder, counter: Tensor, fault: Fault) -> Tensor:
    """What ``fault`` gives once the counter is over, and one pass of work before."""
    last = model.constant("last", np.full((1, 1), _LAST, np.float32))
    over = model.tensor("over", (1, 1), "bool")
    model.operator("GREATER", [counter, last], [over], schema.GreaterOptionsT())
    options = schema.IfOptionsT()
    for name, work in (("then", fault), ("else", lambda graph, x: _work(graph, x, 1))):
        graph = model.graph(name)
        x = graph.tensor("x", (1, 1))
        number = model.branch(graph, [x], [work(graph, x)])
        setattr(options, f"{name}SubgraphIndex", number)
    return model.operator("IF", [over, counter], [model.tensor("chosen", (1, 1))], options)


def _work(graph: ModelBuilder, x: Tensor, passes: int) -> Tensor:
    """0, after ``passes`` times the mean of many numbers."""
    times = graph.constant("times", np.array([1, _WORK], np.int32))
    axis = graph.constant("axis", np.array([1], np.int32))
    options = schema.ReducerOptionsT()
    options.keepDims = True
    for number in range(passes):
        many = graph.tensor(f"many {number}", (1, _WORK))
        graph.operator("TILE", [x, times], [many])
        x = graph.operator("MEAN", [many, axis], [graph.tensor(f"mean {number}", (1, 1))], options)
    return _times_zero(graph, x)


def _divide(graph: ModelBuilder, x: Tensor) -> Tensor:
    """``x`` times -2^27, but not below -2^31, modulo -1."""
    step = graph.constant("step", np.full((1, 1), -(2.0**27), np.float32))
    product = graph.tensor("product", (1, 1))
    graph.operator("MUL", [x, step], [product], schema.MulOptionsT())
    smallest = graph.constant("smallest", np.full((1, 1), -(2.0**31), np.float32))
    bounded = graph.tensor("bounded", (1, 1))
    graph.operator("MAXIMUM", [product, smallest], [bounded], schema.MaximumMinimumOptionsT())
    whole = graph.tensor("whole", (1, 1), "int32")
    graph.operator("CAST", [bounded], [whole], schema.CastOptionsT())
    minus = graph.constant("minus one", np.full((1, 1), -1, np.int32))
    remainder = graph.tensor("remainder", (1, 1), "int32")
    graph.operator("FLOOR_MOD", [whole, minus], [remainder], schema.FloorModOptionsT())
    real = graph.tensor("real", (1, 1))
    return graph.operator("CAST", [remainder], [real], schema.CastOptionsT())


def _times_zero(model: ModelBuilder, value: Tensor) -> Tensor:
    zero = model.constant("zero", np.zeros((1, 1), np.float32))
    return model.operator(
        "MUL", [value, zero], [model.tensor("nothing", (1, 1))], schema.MulOptionsT()
    )
