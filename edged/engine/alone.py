"""A model of which one operator is left, with the weights it uses: to be looked at by itself.

The bytes are changed where they are. The list of operators is cut to one entry; an entry leads
forwards to its operator, so it may stand in the place of the first. The numbers of the inputs and
outputs are put at the end, to which the graph then leads. https://flatbuffers.dev/internals
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ..errors import ModelError
from .flatbuffer import Damaged, FlatBytes
from .layers import Graph, Layer


def computed_inputs(graph: Graph, layer: Layer) -> list[int]:
    """The tensors that the operator takes and the file does not hold."""
    places = dict.fromkeys(place for place in layer.inputs if place >= 0)
    return [
        place
        for place in places
        if not graph.tensors[place].weights_bytes and not graph.tensors[place].variable
    ]


def alone(data: bytes, layer: Layer, inputs: Sequence[int]) -> bytes:
    """The model ``data`` with ``layer`` only; its inputs are the tensors ``inputs``, its outputs
    those of the layer. Raises ModelError.
    """
    try:
        root = FlatBytes(data).root()
        graph = root.tables(8)[0]
        fields = {slot: graph.place(slot) for slot in (6, 8, 10)}
        signatures = root.place(18)
    except Damaged as error:
        raise ModelError(f"damaged: {error}") from error
    made = bytearray(data)

    def led_to(place: int | None) -> int:
        if place is None:
            raise ModelError("its graph has no inputs, no outputs or no operators")
        return place + int(struct.unpack_from("<I", data, place)[0])

    operators = led_to(fields[10])
    first = operators + 4
    struct.pack_into("<II", made, operators, 1, led_to(first + 4 * layer.number) - first)
    for slot, numbers in ((6, inputs), (8, layer.outputs)):
        place = fields[slot]
        led_to(place)
        made += b"\0" * (-len(made) % 4)
        struct.pack_into("<I", made, place or 0, len(made) - (place or 0))
        made += struct.pack(f"<I{len(numbers)}i", len(numbers), *numbers)
    if signatures is not None:
        struct.pack_into("<I", made, led_to(signatures), 0)
    return bytes(made)
