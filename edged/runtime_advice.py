"""Where a runtime is slow with a model, in words."""

from __future__ import annotations

from .engine.layers import Graph

_X86 = ("x86_64", "AMD64", "i686")
_PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def is_quantized(graph: Graph) -> bool:
    """Whether most of its multiply-accumulates are of whole numbers."""
    whole = sum(
        layer.macs or 0
        for layer in graph.layers
        if layer.kind in _PRODUCTS
        and graph.tensors[layer.inputs[0]].dtype in ("int8", "uint8", "int16")
    )
    return 2 * whole > graph.macs


def slow_here(runtime: str, machine: str) -> str | None:
    """Why quantised models are slower than float ones; None where they need not be."""
    if runtime == "tflite-runtime" and machine in _X86:
        return (
            "tflite-runtime has no quick kernels for whole numbers on x86, where a quantised model "
            "may take several times as long as a float one; ai-edge-litert has"
        )
    return None
