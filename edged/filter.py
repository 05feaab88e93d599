"""From what a decoder found to what may be published: labels, threshold, number of results.

This is where class numbers become words and boxes come back to the frame. The allow-list is
applied here, on the device, before anything can be published or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from .engine.geometry import Placement
from .records import ClassScore, Decoded, Detection, Findings, ScoredBoxes, ScoredClasses

Places = npt.NDArray[np.intp]


class Filter:
    """Keeps what scores over ``threshold``, best first, at most ``max_results``.

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
        self.threshold = threshold
        """May be set from another thread, and holds from the next frame on."""
        self._allowed = None if allowed is None else frozenset(allowed)
        self._max_results = max_results

    def apply(self, decoded: Decoded, placement: Placement) -> Findings:
        """What is left of one frame's findings; ``placement`` is how its frame lay in the input."""
        (kept,) = (decoded.scores > self.threshold).nonzero()
        kept = kept[(-decoded.scores[kept]).argsort(kind="stable")]
        if isinstance(decoded, ScoredBoxes):
            return tuple(islice(self._detections(decoded, kept, placement), self._max_results))
        return tuple(islice(self._classes(decoded, kept), self._max_results))

    def _classes(self, decoded: ScoredClasses, kept: Places) -> Iterator[ClassScore]:
        for number, score in zip(kept.tolist(), decoded.scores[kept].tolist(), strict=True):
            label = self._name_of(number)
            if self._may_leave(label):
                yield ClassScore(label, score)

    def _detections(
        self, decoded: ScoredBoxes, kept: Places, placement: Placement
    ) -> Iterator[Detection]:
        boxes = placement.to_frame(decoded.boxes[kept]).tolist()
        numbers, scores = decoded.classes[kept].tolist(), decoded.scores[kept].tolist()
        for number, score, box in zip(numbers, scores, boxes, strict=True):
            label = self._name_of(number)
            # A box without an area lay outside of the frame, in the bars of a letterbox.
            if self._may_leave(label) and box[0] < box[2] and box[1] < box[3]:
                yield Detection(label, score, tuple(box))

    def _may_leave(self, label: str) -> bool:
        return self._allowed is None or label in self._allowed
