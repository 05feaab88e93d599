"""The stage that gives a frame's detections their tracks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from ..records.results import Detection, Findings
from .tracker import Tracker


class Tracking:
    """Of one pipeline, behind its filter. It outlives the models that serve it."""

    def __init__(self, tracker: Tracker, max_results: int) -> None:
        self.tracker = tracker
        self._max_results = max_results

    def apply(self, findings: Findings, threshold: float, at_ns: int) -> Findings:
        """The detections that score over ``threshold``, those of a track with its number.

        What scores less is only for the tracker to go by. ``at_ns``: when the frame was taken.
        """
        found = [each for each in findings if isinstance(each, Detection)]
        boxes = np.array([each.box for each in found], np.float32).reshape(-1, 4)
        scores = np.array([each.score for each in found], np.float32)
        # A class is known by its label: its number is another one in the model's next version.
        classes = np.array([hash(each.label) for each in found], np.int64)
        tracks = self.tracker.update(boxes, scores, classes, high=threshold, at_ns=at_ns)
        return tuple(islice(_over(threshold, found, tracks.tolist()), self._max_results))


def _over(threshold: float, found: list[Detection], tracks: list[int]) -> Iterator[Detection]:
    for each, track in zip(found, tracks, strict=True):
        if each.score > threshold:
            yield Detection(each.label, each.score, each.box, track or None)
