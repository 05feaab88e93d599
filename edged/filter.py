"""From what a decoder found to what may be published: labels, threshold, number of results.

This is where class numbers become words and boxes come back to the frame. The allow-list is
applied here, on the device, before anything can be published or kept.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .engine.geometry import Placement
from .records import ClassScore, Decoded, Detection, Findings, FloatArray, ScoredBoxes


class Filter:
    """Keeps what scores at least ``threshold``, best first, at most ``max_results``.

    ``name_of`` gives a class's label; ``allowed`` is the list of labels to publish, None for all.
    """

    def __init__(
        self,
        name_of: Callable[[int], str],
        *,
        threshold: float,
        allowed: tuple[str, ...] | None,
        max_results: int,
    ) -> None:
        self._name_of = name_of
        self._threshold = threshold
        self._allowed = None if allowed is None else frozenset(allowed)
        self._max_results = max_results

    def apply(self, decoded: Decoded, placement: Placement) -> Findings:
        if isinstance(decoded, ScoredBoxes):
            return self._detections(decoded, placement)
        return tuple(
            ClassScore(label, score) for _, label, score in self._best(decoded.scores, None)
        )

    def _detections(self, decoded: ScoredBoxes, placement: Placement) -> tuple[Detection, ...]:
        boxes = placement.to_frame(decoded.boxes)
        # A box without an area lay outside of the frame, in the bars of a letterbox.
        seen = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        scores = np.where(seen, decoded.scores, -1.0).astype(np.float32)
        return tuple(
            Detection(label, score, tuple(boxes[place].tolist()))
            for place, label, score in self._best(scores, decoded.classes.tolist())
        )

    def _best(self, scores: FloatArray, classes: list[int] | None) -> list[tuple[int, str, float]]:
        """Place, label and score of what is kept. ``classes`` None: the place is the class."""
        kept = np.flatnonzero(scores >= self._threshold)
        kept = kept[np.argsort(-scores[kept], kind="stable")]
        best: list[tuple[int, str, float]] = []
        for place in kept.tolist():
            label = self._name_of(place if classes is None else classes[place])
            if self._allowed is None or label in self._allowed:
                best.append((place, label, float(scores[place])))
                if len(best) == self._max_results:
                    break
        return best
