"""The heads of YOLO: one output, whose rows are candidates.

- ``v5`` (v5, v7): n x (5 + classes): x centre, y centre, width, height, how sure it is that there
  is something, and how sure of each class then. A score is the product of the two.
- ``v8`` (v8, v9, v11, v12): (4 + classes) x n: the same without the fifth.
- ``v10`` (v10, v26, end to end): n x 6: x_min, y_min, x_max, y_max, score, class; suppression done.

Source: the models' own documentation, https://docs.ultralytics.com/integrations/tflite/ and
https://docs.ultralytics.com/models/yolov10/. Coordinates are shares of the input, or its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.decoded import ScoredBoxes
from ..records.models import Quantization
from . import numbers, unlike
from .candidates import (
    LEAST_SCORE,
    class_numbers,
    corners,
    places_over,
    real,
    scored_boxes,
    stored,
)
from .outputs import Output, shown
from .suppression import Suppression, suppression_of
from .task import Candidate, Sure, Task, Told


class Head(msgspec.Struct, frozen=True):
    """Output ``position`` holds ``rows`` x ``columns`` numbers. ``unit_xy``: what width and height
    of the input are in the units of its boxes, (1, 1) where these are shares.
    """

    position: int
    rows: int
    columns: int
    quantization: Quantization | None
    unit_xy: tuple[float, float]

    def stored(self, outputs: Sequence[AnyArray]) -> AnyArray:
        """The output (rows, columns). Raises ModelError."""
        try:
            return numbers(outputs, self.position).reshape(self.rows, self.columns)
        except (IndexError, ValueError) as error:
            raise unlike(error) from error

    @property
    def unit(self) -> npt.NDArray[np.float64]:
        """The units of x, y, x, y."""
        return np.array(self.unit_xy * 2)


class _Suppressed:
    """Takes outputs as they are stored; suppression is still to be done."""

    def __init__(self, head: Head, suppression: Suppression) -> None:
        self._head = head
        self._suppression = suppression
        self._unit = head.unit
        self._least = stored(LEAST_SCORE, head.quantization)


class V8Decoder(_Suppressed):
    def decode(self, outputs: Sequence[AnyArray]) -> ScoredBoxes:
        head = self._head.stored(outputs)
        places = places_over(self._least, head[4:].max(axis=0))
        found = real(head.take(places, axis=1), self._head.quantization)
        classes, boxes = found[4:], corners(found[:4].T / self._unit)
        return scored_boxes(boxes, classes.max(axis=0), classes.argmax(axis=0), self._suppression)


class V5Decoder(_Suppressed):
    def decode(self, outputs: Sequence[AnyArray]) -> ScoredBoxes:
        head = self._head.stored(outputs)
        places = places_over(self._least, head[:, 4])  # no score is over this
        found = real(head.take(places, axis=0), self._head.quantization)
        with np.errstate(over="ignore"):  # which is found below
            classes = found[:, 5:] * found[:, 4:5]
        scores = classes.max(axis=1)
        kept = places_over(LEAST_SCORE, scores)
        boxes = corners(found[kept, :4] / self._unit)
        return scored_boxes(boxes, scores[kept], classes[kept].argmax(axis=1), self._suppression)


class V10Decoder:
    """Takes outputs as they are stored."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._unit = head.unit

    def decode(self, outputs: Sequence[AnyArray]) -> ScoredBoxes:
        found = real(self._head.stored(outputs), self._head.quantization)
        classes = class_numbers(found[:, 5])
        return scored_boxes(found[:, :4] / self._unit, found[:, 4], classes, None)


# ---- the reading ---------------------------------------------------------------------------------

_SAID = {
    "yolo-v5": "a head of YOLO v5: {a} candidates of 5 numbers and {classes} classes",
    "yolo-v8": "a head of YOLO v8: {b} candidates of 4 numbers and {classes} classes",
    "yolo-v10": "an end-to-end head of YOLO v10: {a} boxes, suppression done",
}
_SHAPES = {
    "yolo-v5": "1 x n x (5 + classes)",
    "yolo-v8": "1 x (4 + classes) x n",
    "yolo-v10": "1 x n x 6",
}
# How many pixels apart the candidates of each grid are: of most models, of those for large
# pictures, of those for small objects, and of the tiny ones.
_GRIDS = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_MOST_END_TO_END = 1000
_LARGEST_SHARE = 4.0  # boxes that reach beyond the input are a little more than 1
_POSE = 4 + 1 + 17 * 3


def find(outputs: Sequence[Output], told: Told) -> Iterator[Candidate]:
    """One output for a picture with as many candidates as the input has places, or with as many
    numbers as an exporter says there are classes.
    """
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or len(told.input_shape) != 4:
        return
    classes = told.detection.exported
    sure = Sure.SHAPES if classes is None else Sure.NAMES
    for layout in _SAID:
        if _fits(layout, outputs[0].shape, told):
            yield Candidate("detection", _said(layout, outputs[0]), sure, layout)


def _fits(layout: str, shape: tuple[int, ...], told: Told) -> bool:
    first, a, b = shape
    height, width = told.input_shape[1:3]
    places = {sum((height // s) * (width // s) for s in grid) for grid in _GRIDS}
    classes = told.detection.exported
    if first != 1:
        return False
    if layout == "yolo-v8":
        return b in places and a >= 5 if classes is None else a == 4 + classes
    if layout == "yolo-v5":
        anchored = a in {3 * count for count in places}
        return anchored and b >= 6 if classes is None else b == 5 + classes
    return b == 6 and a <= _MOST_END_TO_END and a not in {3 * count for count in places}


def _said(layout: str, output: Output) -> str:
    _, a, b = output.shape
    return _SAID[layout].format(a=a, b=b, classes=b - 5 if layout == "yolo-v5" else a - 4)


def read(outputs: Sequence[Output], told: Told) -> Task:
    """As the layout that is told. Raises ModelError for other outputs, and where nothing says what
    the coordinates are.
    """
    layout = told.detection.layout
    assert layout in _SAID
    if not _can_be(layout, outputs):
        raise ModelError(f"{layout} needs one output of {_SHAPES[layout]}; it has {shown(outputs)}")
    (output,) = outputs
    if layout == "yolo-v8" and output.shape[1] == _POSE and told.detection.exported is None:
        _refuse_pose(told)
    pixels, why = _coordinates(output, told)
    height, width = told.input_shape[1:3] if len(told.input_shape) == 4 else (1, 1)
    unit_xy = (float(width), float(height)) if pixels else (1.0, 1.0)
    head = Head(output.position, output.shape[1], output.shape[2], output.quantization, unit_xy)
    rule = suppression_of(told.detection)
    decoder: V5Decoder | V8Decoder | V10Decoder
    if layout == "yolo-v10":
        decoder = V10Decoder(head)
    else:
        decoder = (V5Decoder if layout == "yolo-v5" else V8Decoder)(head, rule)
        why += f"; suppression: {rule}"
    return Task(
        name="detection",
        why=f"{_said(layout, output)}; {why}",
        decoder=decoder,
        classes=None,
        labels_output=output.position,
        from_0_to_1=True,
        stored=True,
    )


def _can_be(layout: str, outputs: Sequence[Output]) -> bool:
    """Whether there is one output that such a head might be, whatever the input is."""
    shape = outputs[0].shape if len(outputs) == 1 else ()
    if len(shape) != 3 or shape[0] != 1:
        return False
    if layout == "yolo-v8":
        return shape[1] >= 5 and shape[2] > 0
    return shape[1] > 0 and (shape[2] == 6 if layout == "yolo-v10" else shape[2] >= 6)


def _coordinates(output: Output, told: Told) -> tuple[bool, str]:
    """Whether they are pixels, and why. Raises ModelError where nothing says it."""
    if told.detection.coordinates is not None:
        return told.detection.coordinates == "pixels", f"{told.detection.coordinates}, as told"
    if told.detection.exported is not None:
        return False, "normalised, as Ultralytics exports them"
    # The end-to-end head holds numbers of classes too, which reach as far as they like.
    if output.quantization is not None and told.detection.layout != "yolo-v10":
        largest = float(output.quantization.real(np.array(np.iinfo(output.dtype).max)))
        if largest <= _LARGEST_SHARE:
            return False, f"normalised (its quantisation reaches to {largest:.3g})"
        return True, f"in pixels (its quantisation reaches to {largest:.3g})"
    raise ModelError(
        "it is a YOLO detector, and nothing says whether its boxes are shares of the picture (as "
        "Ultralytics' TFLite exports are) or pixels of its input. Add the right line to its .toml "
        'file: outputs.coordinates = "normalised", or outputs.coordinates = "pixels"'
    )


def _refuse_pose(told: Told) -> None:
    """A head of poses looks like one of 52 classes; only labels can say that it is that."""
    if told.detection.coordinates is None and len(told.detection.names(0)) != _POSE - 4:
        raise ModelError(
            "it could be a YOLO detector of 52 classes, or of poses, which edged does not run. If "
            'it has 52 classes, add to its .toml file: outputs.coordinates = "normalised" (or '
            '"pixels")'
        )
