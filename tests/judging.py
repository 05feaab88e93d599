"""How well tracks are followed: MOTA and IDF1, by the definitions of their inventors.

MOTA: K. Bernardin and R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR
MOT Metrics", 2008. IDF1: E. Ristani et al., "Performance Measures and a Data Set for Multi-Target,
Multi-Camera Tracking", 2016. Box and object go together from an overlap of one half on.
scripts/bench_tracking.py lets motmetrics judge; it comes to the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from edged.tracking.assignment import assign
from edged.tracking.kalman import FloatArray64, overlaps

_LEAST = 0.5


@dataclass(slots=True)
class Judge:
    """``see`` each frame: the objects that are there, and the boxes that have a track."""

    objects: int = 0
    boxes: int = 0
    matched: int = 0
    switches: int = 0
    _last: dict[int, int] = field(default_factory=dict)  # an object's track
    _together: Counter[tuple[int, int]] = field(default_factory=Counter)

    def see(
        self, ids: Iterable[int], truth: FloatArray64, tracks: Iterable[int], boxes: FloatArray64
    ) -> None:
        """``truth`` and ``boxes`` are (n, 4), without an empty one."""
        here, found = list(ids), list(tracks)
        self.objects += len(here)
        self.boxes += len(found)
        fits = overlaps(truth, boxes) if here and found else np.zeros((len(here), len(found)))
        for row, column in np.argwhere(fits >= _LEAST).tolist():
            self._together[here[row], found[column]] += 1
        pairs = {}
        for row, name in enumerate(here):  # who goes together goes on together
            if (track := self._last.get(name)) in found:
                column = found.index(track)
                if fits[row, column] >= _LEAST and column not in pairs.values():
                    pairs[row] = column
        rest = np.where(fits >= _LEAST, fits, 0.0)
        rest[list(pairs)] = 0
        rest[:, list(pairs.values())] = 0
        fresh = assign(rest)
        pairs |= dict(zip(fresh.rows.tolist(), fresh.columns.tolist(), strict=True))
        self.matched += len(pairs)
        for row, column in pairs.items():
            before = self._last.get(here[row], found[column])
            self.switches += before != found[column]
            self._last[here[row]] = found[column]

    @property
    def mota(self) -> float:
        wrong = (self.objects - self.matched) + (self.boxes - self.matched) + self.switches
        return 1 - wrong / self.objects

    @property
    def idf1(self) -> float:
        ids = list(dict.fromkeys(name for name, _ in self._together))
        tracks = list(dict.fromkeys(track for _, track in self._together))
        gain = np.zeros((len(ids), len(tracks)))
        for (name, track), frames in self._together.items():
            gain[ids.index(name), tracks.index(track)] = frames
        best = assign(gain)
        return 2 * float(gain[best.rows, best.columns].sum()) / (self.objects + self.boxes)
