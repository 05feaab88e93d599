"""Writing TFLite metadata and the archive of label files.

Source of the fields, which are counted from 0: metadata_schema.fbs of tflite-support.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence

import flatbuffers
import numpy as np

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


def image_metadata(
    name: str, mean: Sequence[float], std: Sequence[float], labels_file: str
) -> bytes:
    """What an image classifier says of itself: its normalisation, and the file of its labels."""
    write = FlatWriter()
    options = write.table(2, (0, write.floats(*mean)), (1, write.floats(*std)))
    unit = write.table(2, (0, write.byte(1)), (1, write.ref(options)))  # NormalizationOptions
    picture = write.table(2, (0, write.byte(1)))  # ImageProperties: RGB
    content = write.table(3, (0, write.byte(2)), (1, write.ref(picture)))
    image = write.table(
        7, (0, write.text("image")), (3, write.ref(content)), (4, write.tables(unit))
    )
    labels = write.table(5, (0, write.text(labels_file)), (2, write.byte(2)))  # TENSOR_AXIS_LABELS
    scores = write.table(7, (0, write.text("probability")), (6, write.tables(labels)))
    graph = write.table(10, (2, write.tables(image)), (3, write.tables(scores)))
    root = write.table(8, (0, write.text(name)), (2, write.text("1")), (3, write.tables(graph)))
    return write.finish(root, b"M001")


def labelled_output_metadata(labels_file: str) -> bytes:
    """What Ultralytics' older exporter says: where the labels are."""
    write = FlatWriter()
    labels = write.table(5, (0, write.text(labels_file)), (2, write.byte(2)))
    output = write.table(7, (0, write.text("output")), (6, write.tables(labels)))
    graph = write.table(10, (3, write.tables(output)))
    root = write.table(8, (0, write.text("colours")), (3, write.tables(graph)))
    return write.finish(root, b"M001")


def anchors_metadata(anchors: Sequence[Sequence[float]]) -> bytes:
    """What MediaPipe's model maker says of a detector without post-processing, whose anchors are
    x centre, y centre, width, height. Source: object_detector_metadata_schema.fbs of MediaPipe.
    """
    write = FlatWriter()
    tables = [
        write.table(4, *((place, write.real(number)) for place, number in enumerate(anchor)))
        for anchor in anchors
    ]
    fixed = write.table(1, (0, write.tables(*tables)))
    source = write.table(1, (0, write.ref(fixed)))
    scales = ((place, write.real(1.0)) for place in (6, 7, 8, 9))
    decoding = write.table(12, *scales, (10, write.byte(1)), (11, write.byte(1)))
    options = write.table(3, (1, write.ref(source)), (2, write.ref(decoding)))
    detector = write.finish(options, b"V001")
    write = FlatWriter()
    custom = write.table(2, (0, write.text("DETECTOR_METADATA")), (1, write.blob(detector)))
    graph = write.table(10, (9, write.tables(custom)))
    return write.finish(write.table(8, (3, write.tables(graph))), b"M001")


def append_file(model: bytes, name: str, text: str) -> bytes:
    """The model with a file in a zip archive at its end."""
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()


def append_label_file(model: bytes, name: str, labels: Sequence[str]) -> bytes:
    """The model with a labels file in a zip archive at its end."""
    return append_file(model, name, "".join(f"{label}\n" for label in labels))
