"""The layers that a user names: by number, by name or by a pattern of names."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

from ..errors import EdgedError
from ..toml_text import shown
from .quantizer import Layer


def named(layers: Sequence[Layer], wanted: Iterable[str]) -> list[Layer]:
    """In the layers' own order. Converters join the names of what became one operator by ``;``:
    each of them is one, too. Raises EdgedError for what no layer is called.
    """
    found: set[int] = set()
    for text in wanted:
        numbers = {layer.number for layer in layers if _is_called(layer, text)}
        if not numbers:
            raise EdgedError(_unknown(layers, text))
        found |= numbers
    return [layer for layer in layers if layer.number in found]


def short_name(layer: Layer) -> str:
    """The first of its names."""
    return layer.name.split(";")[0]


def _is_called(layer: Layer, text: str) -> bool:
    if text.isdecimal():
        return int(text) == layer.number
    names = {layer.name, *layer.name.split(";")}
    return text in names or any(fnmatch.fnmatchcase(name, text) for name in names)


def _unknown(layers: Sequence[Layer], text: str) -> str:
    names = [short_name(layer) for layer in layers]
    near = " or ".join(map(shown, difflib.get_close_matches(text, names, n=2, cutoff=0.4)))
    hint = f"; did you mean {near}?" if near else "."
    return (
        f"the model has no layer {shown(text)}{hint} It has {len(layers)}, from 0 "
        f"({shown(names[0])}) to {len(layers) - 1} ({shown(names[-1])})"
    )
