"""The layouts in which detectors give their boxes, each in a file of its own."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from msgspec.structs import replace

from .outputs import Output
from .task import Candidate, Task, TaskModule, Told, best_of

LAYOUTS: Mapping[str, str] = {
    "post-processed": "detection",
    "yolo-v5": "yolo",
    "yolo-v8": "yolo",
    "yolo-v10": "yolo",
    "anchors": "anchored",
    "faces": "faces",
}
"""Each layout's file here, which is imported when it is needed. One file may have several."""


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """All layouts as which the outputs might be read."""
    for name in dict.fromkeys(LAYOUTS.values()):
        yield from _module(name).find(outputs, told)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """By the layout that is told, else by the roles that are, else by what the outputs are. Raises
    ModelError where that cannot be, and where several layouts fit as well.
    """
    layout = told.detection.layout
    if layout is None and told.roles:
        raw = len(outputs) < 4 and not {"classes", "count"} & set(told.roles)
        layout = "anchors" if raw else "post-processed"
    if layout is None:
        fits = f"fit no layout of a detector ({', '.join(LAYOUTS)}) without being told which it is"
        layout = best_of(find(outputs, told), outputs, fits).layout
    assert layout is not None
    told = replace(told, detection=replace(told.detection, layout=layout))
    return _module(LAYOUTS[layout]).read(outputs, told)


def _module(name: str) -> TaskModule:
    return cast(TaskModule, importlib.import_module(f".{name}", __package__))
