"""TFLite metadata: what a model's author says of it, and the label files that travel with it.

The metadata is a flatbuffer of its own (identifier M001) in one of the model's buffers. Source of
its slots: metadata_schema.fbs of tflite-support. Its files are a zip archive that is appended to
the model: https://ai.google.dev/edge/litert/models/metadata
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import Literal

import msgspec
import numpy as np

from .file_kind import zip_names
from .flatbuffer import INT8, UINT8, Damaged, FlatBytes, FlatTable

TFLITE_METADATA = "TFLITE_METADATA"
"""What the entry is called that leads to them."""

_IDENTIFIER = b"M001"
_MAX_LABEL_BYTES = 1_000_000
_MAX_LABEL_FILES = 16

# union ProcessUnitOptions, union ContentProperties
_NORMALIZATION = 1
_CONTENTS = {1: "feature", 2: "image", 3: "bounding box", 4: "audio"}
# enum ColorSpaceType, BoundingBoxType, CoordinateType, AssociatedFileType
_COLOR_SPACES = {1: "RGB", 2: "GRAYSCALE"}
_BOX_TYPES = {1: "boundaries", 2: "upper left", 3: "center"}
_COORDINATES = {0: "ratio", 1: "pixel"}
_LABEL_KINDS: dict[int, Literal["axis", "value"]] = {2: "axis", 3: "value"}


class Normalization(msgspec.Struct, frozen=True):
    """What a model wants done to its input: ``(x - mean) / std``; one value, or one a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class BoxFormat(msgspec.Struct, frozen=True):
    """How a tensor holds boxes.

    ``order`` says at which place each coordinate lies: for "boundaries" (left, top, right, bottom)
    of (y0, x0, y1, x1) it is (1, 0, 3, 2). ``coordinates``: "ratio" (0..1) or "pixel".
    """

    order: tuple[int, ...]
    kind: str | None
    coordinates: str | None


class LabelReference(msgspec.Struct, frozen=True):
    """A label file as a tensor names it: of an axis (a label a place) or of values (class ids)."""

    name: str
    kind: Literal["axis", "value"]
    locale: str | None


class LabelFile(msgspec.Struct, frozen=True):
    """A label file out of the archive, not yet parsed."""

    name: str
    data: bytes


class TensorMetadata(msgspec.Struct, frozen=True):
    """What is said of one input or output. ``minimum`` and ``maximum`` are of the real values."""

    name: str | None
    description: str | None
    content: str | None
    color_space: str | None
    normalization: Normalization | None
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    boxes: BoxFormat | None
    labels: tuple[LabelReference, ...]


class TensorGroup(msgspec.Struct, frozen=True):
    """Outputs that belong together, by the names that their metadata gives them."""

    name: str | None
    tensors: tuple[str, ...]


class ModelMetadata(msgspec.Struct, frozen=True):
    """What is said of a model; ``inputs`` and ``outputs`` stand in the model's own order."""

    name: str | None
    description: str | None
    version: str | None
    author: str | None
    license: str | None
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    output_groups: tuple[TensorGroup, ...]


def read_metadata(data: bytes) -> ModelMetadata:
    """Read the metadata flatbuffer. Raises Damaged, whose message says what is wrong with it."""
    if data[4:8] != _IDENTIFIER:
        raise Damaged("it does not begin like TFLite metadata")
    root = FlatBytes(data).root()
    subgraphs = root.tables(10)
    main = subgraphs[0] if subgraphs else None
    return ModelMetadata(
        name=root.text(4),
        description=root.text(6),
        version=root.text(8),
        author=root.text(12),
        license=root.text(14),
        inputs=tuple(_tensor(table) for table in main.tables(8)) if main else (),
        outputs=tuple(_tensor(table) for table in main.tables(10)) if main else (),
        output_groups=tuple(_group(table) for table in main.tables(20)) if main else (),
    )


def read_label_files(data: bytes, metadata: ModelMetadata | None) -> tuple[LabelFile, ...]:
    """The label files of the archive at the end of a model: those that the metadata names.

    Where it names none, every text file counts. Files over 1 MB are left out.
    """
    named = (
        {label.name for tensor in metadata.outputs for label in tensor.labels} if metadata else ()
    )
    wanted = [
        name for name in zip_names(data) if name in named or (not named and name.endswith(".txt"))
    ]
    return tuple(unpack(data, wanted[:_MAX_LABEL_FILES]))


def unpack(data: bytes, names: Iterable[str]) -> Iterable[LabelFile]:
    """The files of these names in the archive at the end of a model; those over 1 MB are left out,
    and those behind the first that is damaged.
    """
    there = zip_names(data)
    names = [name for name in names if name in there]
    if not names:
        return
    import zipfile  # few models have one

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in names:
                # Only these two cost memory in proportion to what is read.
                if archive.getinfo(name).compress_type in (
                    zipfile.ZIP_STORED,
                    zipfile.ZIP_DEFLATED,
                ):
                    with archive.open(name) as file:
                        content = file.read(_MAX_LABEL_BYTES + 1)
                    if len(content) <= _MAX_LABEL_BYTES:
                        yield LabelFile(name, content)
    except Exception:  # zipfile and zlib let out half a dozen kinds on damaged bytes
        return


def _tensor(table: FlatTable) -> TensorMetadata:
    content = table.table(10)
    properties = content.table(6) if content else None
    kind = _CONTENTS.get(content.number(4, UINT8)) if content else None
    stats = table.table(14)
    return TensorMetadata(
        name=table.text(4),
        description=table.text(6),
        content=kind,
        color_space=(
            _COLOR_SPACES.get(properties.number(4, INT8))
            if properties and kind == "image"
            else None
        ),
        normalization=_normalization(table.tables(12)),
        minimum=_reals(stats, 6) if stats else (),
        maximum=_reals(stats, 4) if stats else (),
        boxes=_boxes(properties) if properties and kind == "bounding box" else None,
        labels=_labels(table.tables(16)),
    )


def _normalization(process_units: list[FlatTable]) -> Normalization | None:
    for unit in process_units:
        options = unit.table(6)
        if unit.number(4, UINT8) != _NORMALIZATION or options is None:
            continue
        found = Normalization(mean=_reals(options, 4), std=_reals(options, 6))
        numbers = (*found.mean, *found.std)
        if not found.mean or len(found.mean) != len(found.std) or 0 in found.std:
            raise Damaged(f"a normalisation with mean {found.mean} and std {found.std}")
        if not all(map(math.isfinite, numbers)):
            raise Damaged("a normalisation with numbers that are not finite")
        return found
    return None


def _boxes(properties: FlatTable) -> BoxFormat:
    return BoxFormat(
        order=tuple(properties.numbers(4, np.uint32).tolist()),
        kind=_BOX_TYPES.get(properties.number(6, INT8)),
        coordinates=_COORDINATES.get(properties.number(8, INT8)),
    )


def _labels(files: list[FlatTable]) -> tuple[LabelReference, ...]:
    labels = []
    for file in files:
        name, kind = file.text(4), _LABEL_KINDS.get(file.number(8, INT8))
        if name and kind:
            labels.append(LabelReference(name, kind, file.text(10)))
    return tuple(labels)


def _group(table: FlatTable) -> TensorGroup:
    return TensorGroup(table.text(4), table.texts(6))


def _reals(table: FlatTable, slot: int) -> tuple[float, ...]:
    return tuple(table.numbers(slot, np.float32).tolist())
