"""What Ultralytics' exporters write into the archive at the end of a model.

Newer ones append ``metadata.json``, a JSON object. Older ones, and YOLOv5's, leave the same as a
Python literal in a text file, which TFLite metadata calls the labels of the output. Source:
https://docs.ultralytics.com/integrations/tflite/ and the files that these exporters write.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any

import msgspec

from .metadata import LabelFile, unpack

NAME = "metadata.json"
_OLD_NAMES = ("temp_meta.txt", "metadata.txt", "meta.txt")
_MOST_NESTED = 2_000  # brackets; a literal nested deeper could overwhelm Python's parser
_MOST_CLASSES = 10_000


class Ultralytics(msgspec.Struct, frozen=True):
    """What was exported. ``task`` is "detect", "classify", "segment", "pose", "obb" or None, which
    is "detect" (YOLOv5 does not say it); ``names`` are those of the classes, class 0 first.
    """

    file: str
    task: str | None
    names: tuple[str, ...]
    version: str | None

    @property
    def label_file(self) -> LabelFile:
        """The names, as a file of labels."""
        lines = (" ".join(name.split()) or "???" for name in self.names)
        return LabelFile(self.file, "\n".join(lines).encode())


def read_ultralytics(data: bytes) -> tuple[Ultralytics | None, str | None]:
    """Of a model file's bytes: what its archive holds, or why what it holds cannot be used."""
    problem = None
    for file in unpack(data, (NAME, *_OLD_NAMES)):
        try:
            return _read(file), None
        except (ValueError, TypeError, ArithmeticError, SyntaxError, RecursionError, MemoryError):
            # A labels file may well have one of these names.
            if file.name == NAME:
                problem = f"its {NAME} is not used: it is not what Ultralytics' exporters write"
    return None, problem


def _read(file: LabelFile) -> Ultralytics:
    """Raises ValueError and what the parsers raise."""
    text = file.data.decode("utf-8")
    if sum(map(text.count, "([{")) > _MOST_NESTED:
        raise ValueError("it has too many brackets")
    told = json.loads(text) if file.name == NAME else ast.literal_eval(text)
    if not isinstance(told, dict) or "names" not in told:
        raise ValueError("it names no classes")
    task, version = told.get("task"), told.get("version")
    return Ultralytics(
        file=file.name,
        task=task if isinstance(task, str) else None,
        names=tuple(_names(told["names"])),
        version=version if isinstance(version, str) else None,
    )


def _names(told: Any) -> Iterable[str]:
    """Of a list, or a table of numbers and names; raises ValueError for anything else."""
    if isinstance(told, list):
        told = dict(enumerate(told))
    if not isinstance(told, dict):
        raise ValueError("its names are no list")
    by_number = {int(number): str(name) for number, name in told.items()}
    count = max(by_number, default=-1) + 1
    if min(by_number, default=0) < 0 or count > _MOST_CLASSES:
        raise ValueError("its classes have strange numbers")
    return [by_number.get(number, str(number)) for number in range(count)]
