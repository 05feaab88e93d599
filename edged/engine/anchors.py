"""The anchors that a detector's file holds, which its boxes are differences from.

They are a constant tensor of its graph, or MediaPipe's own metadata of detectors. Source of the
slots: tensorflow/lite/schema/schema.fbs, and object_detector_metadata_schema.fbs of MediaPipe.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..records.models import AnchorTable
from .flatbuffer import UINT8, UINT32, Damaged, FlatBytes, FlatTable
from .metadata import TFLITE_METADATA

_FLOAT32 = 0
_DETECTOR = "DETECTOR_METADATA"
_IDENTIFIER = b"V001"


def read_anchors(data: bytes, count: int) -> tuple[AnchorTable, ...]:
    """All tables of ``count`` anchors in a model file's bytes; none where it is damaged.

    MediaPipe's metadata, which says more, comes alone.
    """
    try:
        root = FlatBytes(data).root()
        buffers = root.tables(12)
        told = [table for table in _told(root, buffers) if len(table.anchors) == count]
        return tuple(told or _constant(root.tables(8)[0], buffers, count))
    except (Damaged, IndexError):
        return ()


def _constant(graph: FlatTable, buffers: list[FlatTable], count: int) -> Iterator[AnchorTable]:
    """Tensors of count x 4 that hold y centre, x centre, height and width."""
    for tensor in graph.tables(4):
        shape = tuple(tensor.numbers(4, np.int32).tolist())
        if shape not in ((count, 4), (1, count, 4)) or tensor.number(6, UINT8) != _FLOAT32:
            continue
        held = buffers[tensor.number(8, UINT32)].blob(4)
        if len(held) != count * 16:
            continue
        yxhw = np.frombuffer(held, "<f4").reshape(count, 4).astype(np.float64)
        if np.isfinite(yxhw).all() and (yxhw[:, 2:] > 0).all():
            name = tensor.text(10) or ""
            yield AnchorTable(f'the constant tensor "{name}"', yxhw[:, [1, 0, 3, 2]])


def _told(root: FlatTable, buffers: list[FlatTable]) -> Iterator[AnchorTable]:
    """Of MediaPipe's metadata, if there are any."""
    for entry in root.tables(16):
        if entry.text(4) != TFLITE_METADATA:
            continue
        metadata = FlatBytes(bytes(buffers[entry.number(6, UINT32)].blob(4))).root()
        for custom in (one for graph in metadata.tables(10)[:1] for one in graph.tables(22)):
            blob = bytes(custom.blob(6))
            if custom.text(4) == _DETECTOR and blob[4:8] == _IDENTIFIER:
                yield from _detector(FlatBytes(blob).root())


def _detector(options: FlatTable) -> Iterator[AnchorTable]:
    source, decoding = options.table(6), options.table(8)
    fixed = source.table(4) if source else None
    if fixed is None or decoding is None:
        return
    xywh = np.array(
        [[anchor.real(slot) for slot in (4, 6, 8, 10)] for anchor in fixed.tables(4)], np.float64
    ).reshape(-1, 4)
    x, y, width, height = (decoding.real(slot) for slot in (16, 18, 20, 22))
    if np.isfinite(xywh).all() and min(x, y, width, height) > 0:
        yield AnchorTable(
            "MediaPipe's metadata",
            xywh,
            scales=(x, y, width, height),
            exponential=bool(decoding.number(24, UINT8)),
            logits=bool(decoding.number(26, UINT8)),
        )
