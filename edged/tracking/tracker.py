"""Tracks: the same object keeps the same number from frame to frame.

Two thresholds in the manner of ByteTrack (Y. Zhang et al., "ByteTrack: Multi-Object Tracking by
Associating Every Detection Box", 2022): what scores high is matched first, and what scores low may
still go on with a track, as one half hidden does; it begins none. (In the paper only with a track
that was seen in the frame before; without that, a third of a percent of all objects more is found.)
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

from ..records.arrays import FloatArray
from .assignment import Places, assign
from .kalman import BoxFilters, FloatArray64, overlaps

TrackIds = npt.NDArray[np.int64]
NO_TRACK = 0
_NEVER = 2**63 - 1

MAX_TRACKS = 200
MAX_DETECTIONS = 100
# Between two frames: for how long things are taken to go on as they went, and when all is begun
# anew. A gate lets a frame pass every ten seconds while everything stands still.
_STRIDE_S, _GAP_S = 1.0, 30.0
# The least overlap of a track and a detection: that scores high, that scores low, and of a track
# that was seen but once.
_FIRM, _WEAK, _TENTATIVE = 0.1, 0.3, 0.1


class TrackSettings(msgspec.Struct, frozen=True):
    """``low``: over which score a detection may go on with a track. ``lost_s``: how long one is
    looked for that is not seen, from the first frame on in which it is missed.
    """

    low: float
    lost_s: float


class Tracker:
    """Of one pipeline; one thread uses it.

    ``ids`` gives the numbers, which outlive the tracker so that none is used again. A track gets
    its number when it was seen in two frames that followed each other. It ends when it was lost
    for ``lost_s``, or left the frame, or when no frame came for a while.
    """

    def __init__(self, settings: TrackSettings, ids: Iterator[int]) -> None:
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
        *,
        high: float,
        at_ns: int,
    ) -> TrackIds:
        """The track of each detection of a frame, (n,); ``NO_TRACK`` while it has none.

        ``boxes`` (n, 4) are ``x_min, y_min, x_max, y_max`` in shares of the frame, ``scores`` (n,)
        0..1, ``classes`` (n,). ``high``: over which score a detection is matched first and may
        begin a track. ``at_ns``: of any clock that goes forwards; where it goes back, all
        tracks end. A box without an area or that is not finite has no track, nor has one that
        scores worse than ``MAX_DETECTIONS`` others.
        """
        found = np.full(len(boxes), NO_TRACK, np.int64)
        self.ended = found[:0]
        seconds = (at_ns - self._at_ns) / 1e9
        self._at_ns = at_ns
        if not 0 <= seconds <= max(_GAP_S, self.settings.lost_s):
            self.reset()
        elif len(self._id):
            self._go_on(seconds, at_ns)
        (usable,) = _usable(boxes, scores).nonzero()
        if len(usable) > MAX_DETECTIONS:
            usable = usable[(-scores[usable]).argsort(kind="stable")[:MAX_DETECTIONS]]
        if len(usable) or len(self._id):
            seen = boxes[usable].astype(np.float64)
            found[usable] = self._match(seen, scores[usable] > high, classes[usable])
        return found

    def _forget(self) -> None:
        self._filters = BoxFilters()
        self._id = np.empty(0, np.int64)  # NO_TRACK: seen but once
        self._class = np.empty(0, np.int64)
        self._lost = np.empty(0, bool)
        self._missed_ns = np.empty(0, np.int64)  # since when it is lost

    def _go_on(self, seconds: float, at_ns: int) -> None:
        """To where they should be now, without those that are not looked for any more."""
        over = self._missed_ns < at_ns - self.settings.lost_s * 1e9
        if over.any():
            self._end(over)
        self._filters.predict(min(seconds, _STRIDE_S))
        if self._lost.any():
            gone = self._lost & ~self._filters.inside
            if gone.any():
                self._end(gone)

    def _end(self, which: npt.NDArray[np.bool_]) -> None:
        ids = self._id[which]
        self.ended = np.concatenate((self.ended, ids[ids != NO_TRACK]))
        stays = ~which
        self._filters.keep(stays)
        self._id, self._class = self._id[stays], self._class[stays]
        self._lost, self._missed_ns = self._lost[stays], self._missed_ns[stays]

    def _match(
        self, boxes: FloatArray64, high: npt.NDArray[np.bool_], classes: npt.NDArray[np.int64]
    ) -> TrackIds:
        track_of = np.full(len(boxes), -1)  # by its place
        if len(self._id):
            likeness = overlaps(self._filters.boxes, boxes)
            likeness *= self._class[:, None] == classes
            known = self._id != NO_TRACK
            free = np.ones(len(self._id), bool)
            rounds = (
                (known, high, _FIRM),
                (known, ~high, _WEAK),
                (~known, high, _TENTATIVE),
            )
            for tracks, detections, least in rounds:
                (rows,) = (tracks & free).nonzero()
                (columns,) = (detections & (track_of < 0)).nonzero()
                if not (len(rows) and len(columns)):
                    continue
                pairs = assign(likeness.take(rows, axis=0).take(columns, axis=1) - least)
                track_of[columns[pairs.columns]] = rows[pairs.rows]
                free[rows[pairs.rows]] = False
        found = self._take(track_of, boxes)
        (fresh,) = ((track_of < 0) & high).nonzero()
        fresh = fresh[: MAX_TRACKS - len(self._id)]
        if len(fresh):
            self._begin(boxes[fresh], classes[fresh])
        return found

    def _take(self, track_of: Places, boxes: FloatArray64) -> TrackIds:
        """Go on with the tracks that were matched, by their places; -1: with none."""
        (matched,) = (track_of >= 0).nonzero()
        rows = track_of[matched]
        self._missed_ns[~self._lost] = self._at_ns
        self._lost[:] = True
        if len(rows):
            self._filters.correct(rows, boxes[matched])
            self._lost[rows] = False
            self._missed_ns[rows] = _NEVER
            (sure,) = (self._id[rows] == NO_TRACK).nonzero()
            for row in rows[sure].tolist():
                self._id[row] = next(self._ids)
        found = np.full(len(boxes), NO_TRACK, np.int64)
        found[matched] = self._id[rows]
        forgotten = self._lost & (self._id == NO_TRACK)
        if forgotten.any():
            self._end(forgotten)
        return found

    def _begin(self, boxes: FloatArray64, classes: npt.NDArray[np.int64]) -> None:
        count = len(boxes)
        self._filters.add(boxes)
        self._id = np.concatenate((self._id, np.full(count, NO_TRACK, np.int64)))
        self._class = np.concatenate((self._class, classes))
        self._lost = np.concatenate((self._lost, np.zeros(count, bool)))
        self._missed_ns = np.concatenate((self._missed_ns, np.full(count, _NEVER, np.int64)))


def _usable(boxes: FloatArray, scores: FloatArray) -> npt.NDArray[np.bool_]:
    """Which are finite and have an area."""
    good = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    return np.asarray(good & np.isfinite(boxes).all(axis=1) & np.isfinite(scores))
