"""Writing TFLite metadata of several kinds, and the archive of label files.

Source of the fields, which are counted from 0: metadata_schema.fbs of tflite-support.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

from edged.workshop.metadata import FlatWriter, image, labelled


def image_metadata(
    name: str, mean: Sequence[float], std: Sequence[float], labels_file: str
) -> bytes:
    """What an image classifier says of itself: its normalisation, and the file of its labels."""
    write = FlatWriter()
    picture = image(write, "image", mean, std)
    scores = labelled(write, "probability", labels_file)
    graph = write.table(10, (2, write.tables(picture)), (3, write.tables(scores)))
    root = write.table(8, (0, write.text(name)), (2, write.text("1")), (3, write.tables(graph)))
    return write.finish(root, b"M001")


def labelled_output_metadata(labels_file: str) -> bytes:
    """What Ultralytics' older exporter says: where the labels are."""
    write = FlatWriter()
    output = labelled(write, "output", labels_file)
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
