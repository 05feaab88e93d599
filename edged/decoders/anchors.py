"""Boxes that a model tells as the difference from anchors: SSD, EfficientDet and face detectors.

Source of the formulae: Liu et al., SSD (https://arxiv.org/abs/1512.02325), section 2.2, with the
scales of the box coder of the TF Object Detection API; and MediaPipe's calculators
(https://github.com/google-ai-edge/mediapipe: ``ssd_anchors_calculator`` for the anchors of faces,
``tensors_to_detections_calculator`` for boxes).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from ..records.arrays import AnyArray, FloatArray
from ..records.decoded import ScoredBoxes
from ..records.models import Quantization
from . import numbers, unlike
from .candidates import LEAST_SCORE, corners, places_over, real, scored_boxes, stored
from .classification import sigmoid
from .suppression import Suppression
from .task import Activation

_LARGEST_POWER = 50.0  # a box e^50 times as large as its anchor covers the whole input all the same
_LEAST_LOGIT = float(np.log(LEAST_SCORE / (1 - LEAST_SCORE)))

Anchors = npt.NDArray[np.float64]


class BoxCoder(msgspec.Struct, frozen=True):
    """How four numbers move an anchor. They are x, y, width and height, or with ``y_first`` y, x,
    height and width; the centre moves by ``number / scale`` of the anchor's size, which is taken
    ``e ** (number / scale)`` times, or ``number / scale`` times where it is not ``exponential``.
    """

    scales: tuple[float, float, float, float]
    """Of x, y, width and height."""
    y_first: bool = True
    exponential: bool = True

    def boxes(self, coded: FloatArray, anchors: Anchors) -> npt.NDArray[np.float64]:
        """``coded`` and ``anchors`` (n, 4) -> boxes (n, 4) as x_min, y_min, x_max, y_max."""
        moves = coded.take((1, 0, 3, 2), axis=1) if self.y_first else coded
        shares = moves / np.array(self.scales)
        shares[:, :2] = shares[:, :2] * anchors[:, 2:] + anchors[:, :2]
        if self.exponential:
            shares[:, 2:] = np.exp(np.minimum(shares[:, 2:], _LARGEST_POWER))
        shares[:, 2:] *= anchors[:, 2:]
        return corners(shares)


class Rows(msgspec.Struct, frozen=True):
    """Output ``position`` holds ``columns`` numbers for each anchor."""

    position: int
    columns: int
    quantization: Quantization | None = None

    def stored(self, outputs: Sequence[AnyArray], count: int) -> AnyArray:
        """The output (count, columns). Raises ModelError."""
        try:
            return numbers(outputs, self.position).reshape(count, self.columns)
        except (IndexError, ValueError) as error:
            raise unlike(error) from error


class ScoreRule(msgspec.Struct, frozen=True):
    """``activation``: what scores are still to go through. ``background``: the first column is how
    sure it is that there is nothing, and never found.
    """

    activation: Activation
    background: bool = False


class Coded(msgspec.Struct, frozen=True):
    """The ``boxes`` of a model, four numbers each and others behind them; and the ``anchors``
    (n, 4) that they move, as x centre, y centre, width, height in shares of the input.
    """

    boxes: Rows
    anchors: Anchors
    coder: BoxCoder


class AnchoredDecoder:
    """Takes outputs as they are stored."""

    def __init__(
        self, coded: Coded, scores: Rows, rule: ScoreRule, suppression: Suppression
    ) -> None:
        self._coded = coded
        self._scores = scores
        self._rule = rule
        self._suppression = suppression
        least = _LEAST_LOGIT if rule.activation is Activation.SIGMOID else LEAST_SCORE
        self._least = stored(least, scores.quantization)

    def decode(self, outputs: Sequence[AnyArray]) -> ScoredBoxes:
        coded, anchors = self._coded, self._coded.anchors
        boxes = coded.boxes.stored(outputs, len(anchors))[:, :4]
        scores, quantization = self._scores.stored(outputs, len(anchors)), self._scores.quantization
        if self._rule.activation is Activation.SOFTMAX:  # of a whole row, the background with it
            scores, quantization = _softmax(real(scores, quantization)), None
        first = int(self._rule.background)
        scores = scores[:, first:]
        places = places_over(self._least, scores.max(axis=1))
        found = real(scores.take(places, axis=0), quantization)
        if self._rule.activation is Activation.SIGMOID:
            found = sigmoid(found)
        moves = real(boxes.take(places, axis=0), coded.boxes.quantization)
        return scored_boxes(
            coded.coder.boxes(moves, anchors[places]),
            found.max(axis=1),
            found.argmax(axis=1) + first,
            self._suppression,
        )


def _softmax(logits: FloatArray) -> FloatArray:
    """``exp(x) / sum(exp(x))`` over each row, shifted so that it can't overflow."""
    with np.errstate(over="ignore"):  # the difference of the largest numbers
        powers: FloatArray = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def grid_anchors(side_px: int, strides: Sequence[int], at_each: int) -> Anchors:
    """Anchors of size 1 as MediaPipe makes them for faces: (n, 4).

    Layers that follow each other with the same stride share a grid. On each place of it, row by
    row, lie ``at_each`` anchors a layer, all with their centre in the middle of the place.
    """
    grids = []
    for stride in dict.fromkeys(strides):
        cells = -(-side_px // stride)
        y, x = np.divmod(np.arange(cells * cells), cells)
        centres = (np.stack([x, y], axis=1) + 0.5) / cells
        grids.append(np.repeat(centres, at_each * strides.count(stride), axis=0))
    centres = np.concatenate(grids)
    return np.hstack([centres, np.ones_like(centres)])
