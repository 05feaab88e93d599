"""Resampling a stream of samples to the rate that a model was made for.

By interpolation with a windowed sinc (J. O. Smith, "Digital Audio Resampling", the method of
libsamplerate and others), with a Kaiser window. Libraries that work in blocks of a fixed number of
samples are made for sound: soxr gives the first sample of 10 Hz from a sensor of 25 Hz after 39 s,
this after 2.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import SourceError
from ..records.arrays import FloatArray

SAME_WITHIN = 1e-3  # rates that differ by less are one: crystals and drivers are no more exact
_FINEST = 1000  # of the whole numbers that the ratio is made of: it is right to that share
_MOST = 10_000  # more would take filters that no memory holds
_STOP_DB = 80.0
_ZERO_CROSSINGS, _ZERO_CROSSINGS_OF_SOUND = 16, 32
_SOUND_HZ = 4000.0


def same_rate(one_hz: float, other_hz: float) -> bool:
    """Whether no resampling is needed between them."""
    return abs(one_hz - other_hz) <= SAME_WITHIN * other_hz


class Resampler:
    """One stream, from its first sample to its last; after a gap, a new one.

    The first sample given is of the moment of the first one taken: there is no shift in time, but
    a wait: a sample is given when ``reach`` more have been taken, 16 periods of the slower rate (32
    with sound). What lies before the first sample and after the last is taken to be like them, so
    that what is constant (gravity) stays so. Frequencies that the slower rate cannot hold are gone
    (-80 dB); what is below 0.69 of its half (0.84 with sound) passes as it is.
    """

    def __init__(self, from_hz: float, to_hz: float) -> None:
        """Raises SourceError where the rates are too far apart."""
        if not 1 / _MOST <= to_hz / from_hz <= _MOST:
            raise SourceError(
                f"The samples come at {from_hz:g} Hz and the model takes {to_hz:g} Hz: that is too "
                "far apart to be resampled."
            )
        self.ratio = _fraction(from_hz, to_hz)
        """How many samples come out for one that goes in."""
        sound = min(from_hz, to_hz) >= _SOUND_HZ
        crossings = _ZERO_CROSSINGS_OF_SOUND if sound else _ZERO_CROSSINGS
        self._kernels = _kernels(self.ratio, crossings)
        self.reach = self._kernels.shape[1] // 2
        self._given = 0  # how many came out
        self._taken: FloatArray | None = None  # those that are still needed
        self._first: int = 1 - self.reach  # the number of the first of them

    def feed(self, values: FloatArray) -> FloatArray:
        """What can be given after these (float32, samples x channels); maybe nothing."""
        if not len(values):
            return values
        if self._taken is None:
            self._taken = np.repeat(values[:1], self.reach - 1, axis=0)
        self._taken = np.concatenate((self._taken, values))
        return self._give(math.ceil((self._end - self.reach) * self.ratio))

    def flush(self) -> FloatArray:
        """The rest, up to the moment of the last sample taken, of which there was one at least.

        A sample after that moment would be made up.
        """
        assert self._taken is not None
        until = math.floor((self._end - 1) * self.ratio) + 1
        last = np.repeat(self._taken[-1:], self.reach, axis=0)
        self._taken = np.concatenate((self._taken, last))
        return self._give(until)

    @property
    def _end(self) -> int:
        """How many samples have been taken."""
        assert self._taken is not None
        return self._first + len(self._taken)

    def _give(self, until: int) -> FloatArray:
        """From the sample after the last one given up to that with this number, without it."""
        assert self._taken is not None
        if until <= self._given:
            return self._taken[:0]
        # Sample n is of the moment of sample n * out_of / into.
        into, out_of = self.ratio.numerator, self.ratio.denominator
        moments = np.arange(self._given, until, dtype=np.int64) * out_of
        begins = moments // into - (self.reach - 1) - self._first
        taps = sliding_window_view(self._taken, 2 * self.reach, axis=0)[begins]
        given: FloatArray
        if into == 1:
            given = taps @ self._kernels[0]
        else:
            given = np.einsum("nct,nt->nc", taps, self._kernels[moments % into])
        self._given = until
        needed = until * out_of // into - (self.reach - 1) - self._first
        if needed > 0:
            self._taken = self._taken[needed:].copy()
            self._first += needed
        return given


def _fraction(from_hz: float, to_hz: float) -> Fraction:
    if to_hz > from_hz:
        return Fraction(to_hz / from_hz).limit_denominator(_FINEST)
    return 1 / Fraction(from_hz / to_hz).limit_denominator(_FINEST)


@functools.lru_cache(maxsize=4)
def _kernels(ratio: Fraction, crossings: int) -> FloatArray:
    """The weights of the samples around, for each position that an output can have among them.

    float32, positions x taps; half of the taps lie after it. Kaiser's formulas for the window's
    form and the width of the filter's slope are from A. V. Oppenheim and R. W. Schafer,
    "Discrete-Time Signal Processing", 7.5.3.
    """
    beta = 0.1102 * (_STOP_DB - 8.7)
    slope = (_STOP_DB - 7.95) / (14.36 * crossings)  # as a share of half the slower rate
    slower = min(1.0, float(ratio))  # as a share of the rate of what goes in
    reach = math.ceil(crossings / slower)
    positions = np.arange(ratio.numerator)[:, None] / ratio.numerator
    distances = np.arange(1 - reach, reach + 1)[None, :] - positions
    inside = np.clip(1 - (distances * slower / crossings) ** 2, 0, None)
    kernels = np.sinc(distances * slower * (1 - slope / 2)) * np.i0(beta * np.sqrt(inside))
    kernels[inside == 0] = 0
    return np.asarray(kernels / kernels.sum(axis=1, keepdims=True), np.float32)
