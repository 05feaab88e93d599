"""What ``edged model quantize`` tells of the model that it made."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterator

from ..records.models import TensorSpec
from ..store.models import SUFFIX
from ..toml_text import printable
from .layers import short_name
from .output import carried
from .quantize import Order, Quantized
from .quantizer import Mode, look_at

_MOST = 6
_WELL_AGREED = 0.95
_MADE = {
    Mode.INT8: "are int8",
    Mode.DYNAMIC: "have int8 weights",
    Mode.FLOAT16: "have float16 weights",
}


def told(order: Order, made: Quantized) -> Iterator[str]:
    """Lines for a person."""
    before, after = len(made.subject.files.data), len(made.data)
    found = look_at(made.data)
    smaller = _times(before / after)
    yield f"wrote {order.target}: {after:,} bytes, {smaller} than {order.source.name}"
    kinds = Counter(found.left_float)
    stay = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(_MOST))
    float_ones = f"; float32 stay {stay}" if stay and order.mode is Mode.INT8 else ""
    yield f"{found.quantized} of {found.operators} operators {_MADE[order.mode]}{float_ones}"
    if made.left_float:
        names = ", ".join(f"{each.number} ({short_name(each)})" for each in made.left_float[:_MOST])
        more = len(made.left_float) - _MOST
        yield printable(f"left float: {names}" + (f" and {more} more" if more > 0 else ""))
    probed = made.examined.probed
    yield (
        f"input {', '.join(map(_shown, probed.inputs))}; "
        f"output {', '.join(map(_shown, probed.outputs))}"
    )
    if made.agreement is not None:
        yield (
            f"agreement with the float model: {100 * made.agreement:.1f} % "
            f"({made.examined.reading.task.name}, {made.compared} examples)"
        )
    if beside := carried(made.subject.files):
        stem = order.target.name.removesuffix(SUFFIX)
        yield f"carried over: {', '.join(stem + ending for ending in beside)}"
    yield from _notes(order, made)


def _notes(order: Order, made: Quantized) -> Iterator[str]:
    bound = order.least_agreement
    if bound is not None and made.agreement is not None and made.agreement < bound:
        yield f"note: no choice of layers gives the agreement of {bound:g} that was asked for"
    if bound is None and made.agreement is not None and made.agreement < _WELL_AGREED:
        yield (
            f"note: it loses something. edged model compare {order.source} {order.target} --data "
            f"{order.calibrate} --layers tells where; --skip leaves a layer float, and --auto 0.99 "
            "finds out which"
        )
    if order.mode is Mode.INT8 and platform.machine() == "x86_64":
        yield (
            "note: on x86, ai-edge-litert has quick kernels for int8, and tflite-runtime has none. "
            "How fast it is here, edged model compare tells"
        )


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times smaller" if ratio >= 1 else f"{1 / ratio:.2f} times larger"


def _shown(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} {'x'.join(map(str, tensor.shape))}"
