"""Where boxes are and how they move: one Kalman filter a box, all of them in a few arrays.

The state of a filter is a box's centre and size and the speed of each. All four are measured, and
neither their noise nor their movement mixes them, so that the covariance of eight by eight falls
into four of two by two: a place, its speed, and what the one says about the other. Time is
continuous (a speed that drifts as white noise does: Y. Bar-Shalom et al., "Estimation with
Applications to Tracking and Navigation", 2001, 6.2.2), since frames do not come evenly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray64 = npt.NDArray[np.float64]

# As multiples of a box's size: how exact a detector is, how fast a thing is when it appears, and
# by how much its speed changes within a second. Chosen by scripts/bench_tracking.py.
MEASURED = 0.05
FIRST_SPEED_HZ = 1.0
DRIFT = 0.8
_LEAST_SIZE = 1e-4  # shares of the frame
_PLACE, _SPEED, _PLACE_VAR, _BOTH_VAR, _SPEED_VAR, _DRIFT = range(6)
_STILL = np.eye(6)
# From centre and size to the corners, and back.
_CORNERS = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]])
_CENTRE = np.linalg.inv(_CORNERS)


class BoxFilters:
    """n filters, in the order in which they were added. Boxes are float64 (n, 4), ``x_min, y_min,
    x_max, y_max``, in shares of the frame; times are in seconds.
    """

    def __init__(self) -> None:
        self._state = np.empty((6, 0, 4))  # the last is as of when time goes by

    def __len__(self) -> int:
        return self._state.shape[1]

    @property
    def boxes(self) -> FloatArray64:
        """Where the boxes are now, as far as is known."""
        boxes: FloatArray64 = self._state[_PLACE] @ _CORNERS
        return boxes

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Whether their centres are within the frame."""
        away = np.absolute(self._state[_PLACE, :, :2] - 0.5).max(axis=1)
        return np.asarray(away <= 0.5)

    def add(self, boxes: FloatArray64) -> None:
        place = _centred(boxes)
        area = _area(place)
        fresh = np.zeros((6, *place.shape))
        fresh[_PLACE] = place
        fresh[_PLACE_VAR] = MEASURED**2 * area
        fresh[_SPEED_VAR] = FIRST_SPEED_HZ**2 * area
        self._state = np.concatenate((self._state, fresh), axis=1)

    def keep(self, which: npt.NDArray[np.bool_]) -> None:
        self._state = self._state[:, which]

    def predict(self, seconds: float) -> None:
        """Let time go by."""
        self._state[_DRIFT] = DRIFT**2 * _area(self._state[_PLACE])
        shape = self._state.shape
        # Of all boxes at once: step by step takes four times as long.
        after = _after(seconds) @ self._state.reshape(shape[0], -1)
        self._state = after.reshape(shape)
        sizes = self._state[_PLACE, :, 2:]
        np.maximum(sizes, _LEAST_SIZE, out=sizes)

    def correct(self, rows: npt.NDArray[np.intp], boxes: FloatArray64) -> None:
        """Take in what was measured of some of them."""
        state = self._state
        # All at once, in place, is quicker than to take some out and put them back: what was not
        # measured is where it is thought to be, with no exactness at all.
        measured, noise = state[_PLACE].copy(), np.full((len(self), 1), np.inf)
        measured[rows] = seen = _centred(boxes)
        noise[rows] = MEASURED**2 * _area(seen)
        gains = state[_PLACE_VAR:_SPEED_VAR] / (state[_PLACE_VAR] + noise)
        measured -= state[_PLACE]
        state[:_PLACE_VAR] += gains * measured
        state[_SPEED_VAR] -= gains[1] * state[_BOTH_VAR]
        state[_PLACE_VAR:_SPEED_VAR] *= 1 - gains[0]


def _after(seconds: float) -> FloatArray64:
    """What makes a state of the one before, for a box's centre or size: (6, 6)."""
    after = _STILL.copy()
    after[_PLACE, _SPEED] = after[_BOTH_VAR, _SPEED_VAR] = after[_SPEED_VAR, _DRIFT] = seconds
    after[_PLACE_VAR, _BOTH_VAR:] = 2 * seconds, seconds**2, seconds**3 / 3
    after[_BOTH_VAR, _DRIFT] = seconds**2 / 2
    return after


def _centred(boxes: FloatArray64) -> FloatArray64:
    place = boxes @ _CENTRE
    sizes = place[:, 2:]
    np.maximum(sizes, _LEAST_SIZE, out=sizes)
    return place


def _area(place: FloatArray64) -> FloatArray64:
    """The square of the one size that stands for width and height, shape (n, 1): a thin thing may
    well move by its own width between two frames.
    """
    return place[:, 2:3] * place[:, 3:4]


def overlaps(ours: FloatArray64, theirs: FloatArray64) -> FloatArray64:
    """Intersection over union of each with each, (n, m), of boxes with an area."""
    x_min, y_min, x_max, y_max = ours.T[:, :, None]
    their_x_min, their_y_min, their_x_max, their_y_max = theirs.T
    # One side at a time, and in place: half the time of both in one array (measured).
    shared = np.minimum(x_max, their_x_max)
    shared -= np.maximum(x_min, their_x_min)
    np.maximum(shared, 0.0, out=shared)
    height = np.minimum(y_max, their_y_max)
    height -= np.maximum(y_min, their_y_min)
    np.maximum(height, 0.0, out=height)
    shared *= height
    area = (x_max - x_min) * (y_max - y_min)
    other = (their_x_max - their_x_min) * (their_y_max - their_y_min)
    iou: FloatArray64 = shared / (area + other - shared)
    return iou
