"""Writing TFLite metadata into a model: how its pixels are scaled, and its labels.

Source of the fields, which are counted from 0: metadata_schema.fbs of tflite-support. What reads
them is ``engine.metadata``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import flatbuffers
import numpy as np

LABELS = "labels.txt"
_NORMALIZATION, _IMAGE, _AXIS_LABELS = 1, 2, 2
_UNKNOWN, _RGB, _GRAY = 0, 1, 2

Field = Callable[[int], None]


class FlatWriter:
    """A flatbuffer written from its leaves to its root, without generated code.

    ``table(7, (0, writer.text("image")))`` is a table of a type with seven fields whose first is a
    string; it gives a reference for ``ref`` or ``tables``.
    """

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(256)

    def table(self, fields: int, *present: tuple[int, Field]) -> int:
        self._builder.StartObject(fields)
        for number, add in present:
            add(number)
        return int(self._builder.EndObject())

    def ref(self, offset: int) -> Field:
        return lambda number: self._builder.PrependUOffsetTRelativeSlot(number, offset, 0)

    def byte(self, value: int) -> Field:
        return lambda number: self._builder.PrependUint8Slot(number, value, 0)

    def real(self, value: float) -> Field:
        return lambda number: self._builder.PrependFloat32Slot(number, value, 0.0)

    def blob(self, value: bytes) -> Field:
        return self.ref(self._builder.CreateByteVector(value))

    def tables(self, *offsets: int) -> Field:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        return self.ref(self._builder.EndVector())

    def floats(self, *values: float) -> Field:
        return self.ref(self._builder.CreateNumpyVector(np.array(values, np.float32)))

    def integers(self, *values: int) -> Field:
        return self.ref(self._builder.CreateNumpyVector(np.array(values, np.uint32)))

    def text(self, value: str) -> Field:
        return self.ref(self._builder.CreateString(value))

    def texts(self, *values: str) -> Field:
        return self.tables(*[self._builder.CreateString(value) for value in values])

    def finish(self, root: int, identifier: bytes) -> bytes:
        self._builder.Finish(root, identifier)
        return bytes(self._builder.Output())


def image(
    write: FlatWriter, name: str, mean: Sequence[float], std: Sequence[float], colours: int = _RGB
) -> int:
    """An input of pictures, to be normalised so: ``(byte - mean) / std``."""
    options = write.table(2, (0, write.floats(*mean)), (1, write.floats(*std)))
    unit = write.table(2, (0, write.byte(_NORMALIZATION)), (1, write.ref(options)))
    picture = write.table(2, (0, write.byte(colours)))
    content = write.table(3, (0, write.byte(_IMAGE)), (1, write.ref(picture)))
    return write.table(7, (0, write.text(name)), (3, write.ref(content)), (4, write.tables(unit)))


def labelled(write: FlatWriter, name: str, labels_file: str) -> int:
    """An output with a label for each of its places."""
    labels = write.table(5, (0, write.text(labels_file)), (2, write.byte(_AXIS_LABELS)))
    return write.table(7, (0, write.text(name)), (6, write.tables(labels)))


def written(
    graph: Any,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    colour: str | None,
    labels: Sequence[str] | None,
) -> bytes | None:
    """Metadata for a model with this main graph (of ``tables.read_tables``); None: there is nothing
    to say. The labels go into an archive at the end of the file: ``with_labels``.
    """
    if not (mean or labels):
        return None
    write = FlatWriter()
    inputs = [
        image(write, _name(tensor), mean, std, _colours(tensor, colour))
        if mean and std and _is_picture(tensor)
        else write.table(7, (0, write.text(_name(tensor))))
        for tensor in (graph.tensors[number] for number in graph.inputs)
    ]
    outputs = [
        labelled(write, _name(tensor), LABELS)
        if labels and _has_place_for(tensor, len(labels))
        else write.table(7, (0, write.text(_name(tensor))))
        for tensor in (graph.tensors[number] for number in graph.outputs)
    ]
    main = write.table(10, (2, write.tables(*inputs)), (3, write.tables(*outputs)))
    return write.finish(write.table(8, (3, write.tables(main))), b"M001")


def with_labels(model: bytes, labels: Sequence[str] | None) -> bytes:
    """The file with its labels in an archive at its end."""
    if not labels:
        return model
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS), "".join(f"{label}\n" for label in labels))
    return file.getvalue()


def _name(tensor: Any) -> str:
    return str((tensor.name or b"").decode(errors="replace"))


def _is_picture(tensor: Any) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[3] in (1, 3)


def _colours(tensor: Any, colour: str | None) -> int:
    """The schema has no word for BGR."""
    if tensor.shape[3] == 1:
        return _GRAY
    return _UNKNOWN if colour == "bgr" else _RGB


def _has_place_for(tensor: Any, labels: int) -> bool:
    """For each of them, or for a background before them."""
    return len(tensor.shape) > 0 and tensor.shape[-1] in (labels, labels + 1)
