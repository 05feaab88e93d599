"""The detector's anchors, and truths as offsets from them.

Boxes here are in TensorFlow's order, y_min, x_min, y_max, x_max, as shares of the frame; anchors
are y_centre, x_centre, height, width. The encoding is that of Faster R-CNN (Ren et al., 2015) with
the usual scales, as the operator ``TFLite_Detection_PostProcess`` undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edged.records.arrays import FloatArray
from edged.records.frames import Size
from edged.sources.scene import LABELS, Truth

INPUT = Size(160, 128)
STRIDES = (8, 16)
HEIGHTS = ((0.14, 0.21), (0.31, 0.44))  # of the two anchors of each cell, by stride
ASPECT = 0.75  # a square's width by its height, in shares of a 4:3 frame
SCALES = np.array([10.0, 10.0, 5.0, 5.0], np.float32)  # of y, x, height and width

BACKGROUND, IGNORED = -1.0, -2.0  # what an anchor's class is where it has none

_MATCHED_FROM, _UNMATCHED_TO = 0.5, 0.4  # overlap; between them an anchor is ignored
_LEAST_VISIBLE = 0.4  # shapes hidden more than that are not learnt, nor unlearnt


def anchors() -> FloatArray:
    """All anchors, float32 (n, 4): by stride, row, column and height."""
    rows = []
    for stride, heights in zip(STRIDES, HEIGHTS, strict=True):
        ys = (np.arange(INPUT.height // stride) + 0.5) * stride / INPUT.height
        xs = (np.arange(INPUT.width // stride) + 0.5) * stride / INPUT.width
        y, x, height = np.meshgrid(ys, xs, heights, indexing="ij")
        rows.append(np.stack([y, x, height, height * ASPECT], axis=-1).reshape(-1, 4))
    return np.concatenate(rows).astype(np.float32)


def targets(truths: Sequence[Truth], centred: FloatArray) -> FloatArray:
    """What the network should say at each anchor: float32 (n, 5), four offsets and a class."""
    told = np.zeros((len(centred), 5), np.float32)
    told[:, 4] = BACKGROUND
    shown = [truth for truth in truths if truth.visible > 0]
    if not shown:
        return told
    boxes = np.array([[t.box[1], t.box[0], t.box[3], t.box[2]] for t in shown], np.float32)
    classes = np.array(
        [LABELS.index(t.label) if t.visible >= _LEAST_VISIBLE else IGNORED for t in shown]
    )
    shared = _overlaps(centred, boxes)
    nearest = shared.argmax(axis=1)
    best = shared.max(axis=1)
    for truth, anchor in enumerate(shared.argmax(axis=0)):  # none is left without an anchor
        if classes[truth] != IGNORED:
            nearest[anchor], best[anchor] = truth, 1.0
    told[:, :4] = _encoded(boxes[nearest], centred)
    told[best >= _UNMATCHED_TO, 4] = IGNORED
    matched = best >= _MATCHED_FROM
    told[matched, 4] = classes[nearest[matched]]
    return told


def _encoded(boxes: FloatArray, centred: FloatArray) -> FloatArray:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2
    offsets = (centres - centred[:, :2]) / centred[:, 2:]
    return np.concatenate([offsets, np.log(sides / centred[:, 2:])], axis=1) * SCALES


def _overlaps(centred: FloatArray, boxes: FloatArray) -> FloatArray:
    """Intersection over union of each anchor with each box: (anchors, boxes)."""
    low = (centred[:, :2] - centred[:, 2:] / 2)[:, None]
    high = (centred[:, :2] + centred[:, 2:] / 2)[:, None]
    sides = np.minimum(high, boxes[:, 2:]) - np.maximum(low, boxes[:, :2])
    shared = sides.clip(min=0).prod(axis=2)
    areas = centred[:, 2:].prod(axis=1)[:, None] + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray(shared / (areas - shared), np.float32)
