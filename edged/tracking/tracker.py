"""Tracks: the same object keeps the same number from frame to frame.

Two thresholds in the manner of ByteTrack (Y. Zhang et al., "ByteTrack: Multi-Object Tracking by
Associating Every Detection Box", 2022): what scores high is matched first, and what scores low may
still go on with a track that was seen in the frame before, as one half hidden does; it begins none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..records import FloatArray
from .assignment import Places, assign
from .kalman import BoxFilters, FloatArray64, overlaps

TrackIds = npt.NDArray[np.int64]
NO_TRACK = 0

MAX_TRACKS = 200
MAX_DETECTIONS = 100
# The least overlap of a track and a detection: that scores high, that scores low, and of a track
# that was seen but once.
_FIRM, _WEAK, _TENTATIVE = 0.2, 0.5, 0.3


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """``low``: over which score a detection may go on with a track. ``lost_s``: how long one is
    looked for that is not seen.
    """

    low: float
    lost_s: float


class Tracker:
    """Of one pipeline; one thread uses it.

    ``ids`` gives the numbers, which outlive the tracker so that none is used again. A track gets
    its number when it was seen in two frames that followed each other. It ends when it was lost
    for ``lost_s``, or left the frame.
    """

    def __init__(self, settings: TrackSettings, high: float, ids: Iterator[int]) -> None:
        """``high``: over which score a detection may begin a track."""
        self.high = high
        """May be set from another thread, and holds from the next frame on."""
        self.settings = settings
        self.ended: TrackIds = np.empty(0, np.int64)
        """The tracks that ended with the last ``update`` or ``reset``."""
        self._ids = ids
        self._at_ns = 0
        self._forget()

    @property
    def alive(self) -> TrackIds:
        """The tracks that have not ended, be they seen or lost at the moment; in no order."""
        alive: TrackIds = self._id[self._id != NO_TRACK]
        return alive

    def reset(self) -> None:
        """Let all tracks end: what comes next goes with nothing that was."""
        self.ended = self.alive
        self._forget()

    def update(
        self,
        boxes: FloatArray,
        scores: FloatArray,
        classes: npt.NDArray[np.int64],
        at_ns: int,
    ) -> TrackIds:
        """The track of each detection of a frame, (n,); ``NO_TRACK`` while it has none.

        ``boxes`` (n, 4) are ``x_min, y_min, x_max, y_max`` in shares of the frame, ``scores`` (n,)
        0..1, ``classes`` (n,). ``at_ns``: of any clock that goes forwards; where it goes back, all
        tracks end. A box without an area or that is not finite has no track, nor has one that
        scores worse than ``MAX_DETECTIONS`` others.
        """
        found = np.full(len(boxes), NO_TRACK, np.int64)
        self.ended = found[:0]
        seconds = (at_ns - self._at_ns) / 1e9
        self._at_ns = at_ns
        if seconds < 0:
            self.reset()
        elif len(self._id):
            self._go_on(seconds, at_ns)
        (usable,) = _usable(boxes, scores).nonzero()
        if len(usable) > MAX_DETECTIONS:
            usable = usable[(-scores[usable]).argsort(kind="stable")[:MAX_DETECTIONS]]
        if len(usable) or len(self._id):
            seen = boxes[usable].astype(np.float64)
            found[usable] = self._match(seen, scores[usable], classes[usable])
        return found

    def _forget(self) -> None:
        self._filters = BoxFilters()
        self._id = np.empty(0, np.int64)  # NO_TRACK: seen but once
        self._class = np.empty(0, np.int64)
        self._seen_ns = np.empty(0, np.int64)
        self._lost = np.empty(0, bool)

    def _go_on(self, seconds: float, at_ns: int) -> None:
        """To where they should be now, without those that are not looked for any more."""
        stays = at_ns - self._seen_ns <= self.settings.lost_s * 1e9
        if not stays.all():
            self._end(~stays)
        self._filters.predict(seconds)
        boxes = self._filters.boxes
        middle = boxes[:, :2] + boxes[:, 2:]  # twice the centre
        gone = self._lost & ((middle < 0) | (middle > 2)).any(axis=1)
        if gone.any():
            self._end(gone)

    def _end(self, which: npt.NDArray[np.bool_]) -> None:
        ids = self._id[which]
        self.ended = np.concatenate((self.ended, ids[ids != NO_TRACK]))
        stays = ~which
        self._filters.keep(stays)
        self._id, self._class = self._id[stays], self._class[stays]
        self._seen_ns, self._lost = self._seen_ns[stays], self._lost[stays]

    def _match(
        self, boxes: FloatArray64, scores: FloatArray, classes: npt.NDArray[np.int64]
    ) -> TrackIds:
        track_of = np.full(len(boxes), -1)  # by its place
        if len(self._id):
            likeness = overlaps(self._filters.boxes, boxes)
            likeness[self._class[:, None] != classes] = 0
            high = scores > self.high
            known = self._id != NO_TRACK
            free = np.ones(len(self._id), bool)
            rounds = (
                (known, high, _FIRM),
                (known & ~self._lost, ~high, _WEAK),
                (~known, high, _TENTATIVE),
            )
            for tracks, detections, least in rounds:
                (rows,) = (tracks & free).nonzero()
                (columns,) = (detections & (track_of < 0)).nonzero()
                pairs = assign(likeness[rows[:, None], columns] - least)
                track_of[columns[pairs.columns]] = rows[pairs.rows]
                free[rows[pairs.rows]] = False
        return self._take(track_of, boxes, scores, classes)

    def _take(
        self,
        track_of: Places,
        boxes: FloatArray64,
        scores: FloatArray,
        classes: npt.NDArray[np.int64],
    ) -> TrackIds:
        """Go on with the tracks that were matched, and begin others with what was not."""
        (matched,) = (track_of >= 0).nonzero()
        rows = track_of[matched]
        self._lost[:] = True
        if len(rows):
            self._filters.correct(rows, boxes[matched])
            self._seen_ns[rows] = self._at_ns
            self._lost[rows] = False
            for row in rows[self._id[rows] == NO_TRACK].tolist():
                self._id[row] = next(self._ids)
        found = np.full(len(boxes), NO_TRACK, np.int64)
        found[matched] = self._id[rows]
        forgotten = self._lost & (self._id == NO_TRACK)
        if forgotten.any():
            self._end(forgotten)
        (fresh,) = ((track_of < 0) & (scores > self.high)).nonzero()
        fresh = fresh[: MAX_TRACKS - len(self._id)]
        if len(fresh):
            self._begin(boxes[fresh], classes[fresh])
        return found

    def _begin(self, boxes: FloatArray64, classes: npt.NDArray[np.int64]) -> None:
        count = len(boxes)
        self._filters.add(boxes)
        self._id = np.concatenate((self._id, np.full(count, NO_TRACK, np.int64)))
        self._class = np.concatenate((self._class, classes))
        self._seen_ns = np.concatenate((self._seen_ns, np.full(count, self._at_ns, np.int64)))
        self._lost = np.concatenate((self._lost, np.zeros(count, bool)))


def _usable(boxes: FloatArray, scores: FloatArray) -> npt.NDArray[np.bool_]:
    """Comparisons with what is not a number are false, and so is a difference of infinities."""
    with np.errstate(invalid="ignore"):
        sides = boxes[:, 2:] - boxes[:, :2]
        good = (sides > 0).all(axis=1) & np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    return np.asarray(good)
