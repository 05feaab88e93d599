"""BlazeFace: the faces that MediaPipe's short-range and full-range detectors find.

Two outputs: 16 numbers for each anchor (a box, and six points of a face, which are left) and a
score. Source of anchors and scales: face_detection_short_range.pbtxt and
face_detection_full_range.pbtxt of https://github.com/google-ai-edge/mediapipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ..errors import ModelError
from .anchors import AnchoredDecoder, BoxCoder, Coded, Rows, ScoreRule, grid_anchors
from .outputs import Output, shown
from .suppression import suppression_of
from .task import Activation, Candidate, Sure, Task, Told

_NUMBERS = 16
_IOU = 0.3


class _Range(msgspec.Struct, frozen=True):
    """``strides`` are of an input of ``side_px``; ``at_each``: anchors a place and layer."""

    name: str
    side_px: int
    strides: tuple[int, ...]
    at_each: int


# By the number of anchors. The larger short-range model has the same, twice as far apart.
_RANGES: Mapping[int, _Range] = {
    896: _Range("short", 128, (8, 16, 16, 16), 2),
    2304: _Range("full", 192, (4,), 1),
}


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """Two outputs of the shapes that these models have."""
    if (parts := _parts(outputs, told)) is not None:
        yield Candidate("detection", _said(parts[0], told), Sure.NAMES, "faces")


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    parts = _parts(outputs, told)
    if parts is None:
        raise ModelError(
            "a detector of faces needs a square picture and the outputs 1 x 896 x 16 and 1 x 896 x "
            f"1, or 1 x 2304 x 16 and 1 x 2304 x 1; it has {shown(outputs)}"
        )
    boxes, scores = parts
    layout = _RANGES[boxes.shape[1]]
    side_px = float(told.input_shape[1])
    coder = BoxCoder((side_px,) * 4, y_first=False, exponential=False)
    anchors = grid_anchors(layout.side_px, layout.strides, layout.at_each)
    rule = suppression_of(told.detection, _IOU)
    return Task(
        name="detection",
        why=f"{_said(boxes, told)}; suppression: {rule}",
        decoder=AnchoredDecoder(
            Coded(Rows(boxes.position, _NUMBERS, boxes.quantization), anchors, coder),
            Rows(scores.position, 1, scores.quantization),
            ScoreRule(Activation.SIGMOID),
            rule,
        ),
        classes=1,
        labels_output=scores.position,
        names=("face",),
        stored=True,
    )


def _parts(outputs: Sequence[Output], told: Told) -> tuple[Output, Output] | None:
    """The output of boxes and that of scores."""
    by_shape = {output.shape: output for output in outputs}
    square = len(told.input_shape) == 4 and told.input_shape[1] == told.input_shape[2]
    for count in _RANGES:
        boxes, scores = by_shape.get((1, count, _NUMBERS)), by_shape.get((1, count, 1))
        if boxes and scores and len(outputs) == 2 and square:
            return boxes, scores
    return None


def _said(boxes: Output, told: Told) -> str:
    count = boxes.shape[1]
    return f"faces of BlazeFace, {_RANGES[count].name} range: {count} anchors"
