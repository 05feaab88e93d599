"""From what a decoder found to what may be published: labels, threshold, number of results.

This is where class numbers become words and boxes come back to the frame. The allow-list is
applied here, on the device, before anything can be published or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from .baseline import LEAST_THRESHOLD, Baseline
from .engine.geometry import Placed
from .records.arrays import FloatArray
from .records.decoded import (
    ClassMap,
    Decoded,
    HeardClasses,
    Numbers,
    Reconstruction,
    ScoredBoxes,
    ScoredClasses,
    ScoredPeople,
)
from .records.info import AnomalyInfo
from .records.poses import KEYPOINTS, MOST_PEOPLE
from .records.results import (
    Anomaly,
    ClassScore,
    Detection,
    Findings,
    Keypoint,
    Person,
    Region,
    Value,
)

_MOST_SCORE = 1e38  # as a message has room for


class Filter:
    """Keeps what scores over ``threshold``, best first, at most ``max_results``.

    ``name_of`` gives a class's label; ``allowed`` is the list of labels to publish, None for all.
    The numbers of a regression are kept whatever they are. Of an anomaly detector ``threshold`` is
    the error over which its input is unusual; where it is None, ``baseline`` says so. ``low`` takes
    the threshold's place where it is less: a tracker goes by what scores low too.
    """

    def __init__(
        self,
        name_of: Callable[[int], str],
        *,
        threshold: float | None,
        allowed: tuple[str, ...] | None,
        max_results: int,
        baseline: Baseline | None = None,
        low: float = 1.0,
    ) -> None:
        self._name_of = name_of
        self._baseline = baseline
        self.threshold = threshold
        """May be set from another thread, and holds from the next frame on."""
        self._allowed = None if allowed is None else frozenset(allowed)
        self._max_results = max_results
        self._low = low

    def anomaly_info(self) -> AnomalyInfo | None:
        """Over which error an input is unusual; None where the model is no anomaly detector."""
        if self._baseline is None:
            return None
        threshold = self.threshold
        return self._baseline.info() if threshold is None else AnomalyInfo(threshold)

    def apply(self, decoded: Decoded, placement: Placed | None) -> Findings:
        """What is left of one frame's findings; ``placement`` is how its frame lay in the input,
        None for a window, in which nothing has a place.
        """
        threshold = 0.0 if self.threshold is None else min(self.threshold, self._low)
        match decoded:
            case ScoredBoxes():  # the first, for a detector's every frame goes through here
                assert placement is not None
                kept = [place for place, score in enumerate(decoded.scores) if score > threshold]
                return self._detections(decoded, _best_first(kept, decoded.scores), placement)
            case ScoredClasses():
                return self._classes(decoded, _over(threshold, decoded.scores))
            case ScoredPeople():
                assert placement is not None
                return self._people(decoded, _over(threshold, decoded.scores), placement)
            case ClassMap():
                assert placement is not None
                found = self._regions(decoded, placement)
                best = sorted(found, key=lambda one: -one.fraction)
                return tuple(one for one in best[: self._max_results] if one.fraction > threshold)
            case Numbers():
                return tuple(islice(self._values(decoded), self._max_results))
            case Reconstruction():
                return (self._anomaly(decoded.error),)
            case HeardClasses():
                raise TypeError("what is heard goes through a KeywordFilter")

    def _values(self, decoded: Numbers) -> Iterator[Value]:
        """In the model's order, whatever the threshold."""
        for number, value in enumerate(decoded.values.tolist()):
            label = self._name_of(number)
            if self._may_leave(label):
                yield Value(label, value)

    def _anomaly(self, error: float) -> Anomaly:
        threshold = self.threshold
        if threshold is None and self._baseline is not None:
            threshold = self._baseline.take(error)
        score = None
        if threshold is not None:
            score = min(error / max(threshold, LEAST_THRESHOLD), _MOST_SCORE)
        return Anomaly(
            error if self._may_leave("error") else None,
            score if self._may_leave("score") else None,
            score is not None and score > 1,
        )

    def _classes(self, decoded: ScoredClasses, kept: Sequence[int]) -> tuple[ClassScore, ...]:
        found: list[ClassScore] = []
        for number in kept:
            if len(found) == self._max_results:
                break
            label = self._name_of(number)
            if self._may_leave(label):
                found.append(ClassScore(label, float(decoded.scores[number])))
        return tuple(found)

    def _detections(
        self, decoded: ScoredBoxes, kept: Sequence[int], placement: Placed
    ) -> tuple[Detection, ...]:
        found: list[Detection] = []
        for place in kept:
            if len(found) == self._max_results:
                break
            label = self._name_of(decoded.classes[place])
            if self._may_leave(label):
                box = placement.to_frame(decoded.boxes[place])
                # One without an area lay outside of the frame, in the bars of a letterbox.
                if box[0] < box[2] and box[1] < box[3]:
                    found.append(Detection(label, decoded.scores[place], box))
        return tuple(found)

    def _regions(self, decoded: ClassMap, placement: Placed) -> Iterator[Region]:
        """What each class covers of the part of the frame that the model sees."""
        rows, columns = placement.covered(*decoded.classes.shape)
        seen = decoded.classes[rows, columns]
        pixels = np.bincount(seen.ravel())
        covered: dict[str, int] = {}
        for number in pixels.nonzero()[0].tolist():
            label = self._name_of(number)
            covered[label] = covered.get(label, 0) + int(pixels[number])
        for label, count in covered.items():
            if self._may_leave(label):
                yield Region(label, count / seen.size)

    def _people(
        self, decoded: ScoredPeople, kept: Sequence[int], placement: Placed
    ) -> tuple[Person, ...]:
        """Each with the keypoints that may leave."""
        names = [(place, name) for place, name in enumerate(KEYPOINTS) if self._may_leave(name)]
        found: list[Person] = []
        for person in kept[: min(self._max_results, MOST_PEOPLE)]:
            points = decoded.points[person].tolist()
            scores = decoded.point_scores[person].tolist()
            keypoints = tuple(
                Keypoint(name, *placement.point_to_frame(*points[place]), scores[place])
                for place, name in names
            )
            found.append(Person(float(decoded.scores[person]), keypoints))
        return tuple(found)

    def _may_leave(self, label: str) -> bool:
        return self._allowed is None or label in self._allowed


def _over(threshold: float, scores: FloatArray) -> list[int]:
    """The places of those over the threshold, the best first; there may be a thousand scores."""
    return _best_first((scores > threshold).nonzero()[0].tolist(), scores)


def _best_first(places: list[int], scores: Sequence[float] | FloatArray) -> list[int]:
    """In place; of equal ones the first stays the first."""
    if len(places) > 1:
        places.sort(key=scores.__getitem__, reverse=True)
    return places
