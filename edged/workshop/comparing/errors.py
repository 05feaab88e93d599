"""How far the numbers of one model are from those of another."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from ...records.arrays import AnyArray


class Difference(msgspec.Struct, frozen=True):
    """Of an output, over all examples. ``cosine``: of the angle between the two, 1 where they point
    the same way. ``largest``: the largest difference of two numbers, in the output's unit.
    ``sqnr_db``: the signal to quantisation noise ratio, 10 log10(sum a^2 / sum (a - b)^2), infinite
    where all numbers are the same.
    """

    name: str
    cosine: float
    largest: float
    sqnr_db: float


class Differing:
    """Takes pairs of arrays of the same shape, the second one held against the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._products = self._ones = self._others = self._noise = self._largest = 0.0

    def take(self, one: AnyArray, other: AnyArray) -> None:
        """What is not finite in the first does not count."""
        a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
        finite = np.isfinite(a)
        a, b = a[finite], np.nan_to_num(b[finite])
        apart = a - b
        self._products += float(a @ b)
        self._ones += float(a @ a)
        self._others += float(b @ b)
        self._noise += float(apart @ apart)
        self._largest = max(self._largest, float(np.abs(apart).max(initial=0.0)))

    @property
    def difference(self) -> Difference:
        norm = math.sqrt(self._ones * self._others)
        cosine = self._products / norm if norm else float(self._ones == self._others)
        return Difference(self._name, cosine, self._largest, sqnr_db(self._ones, self._noise))


def sqnr_db(signal: float, noise: float) -> float:
    """Of sums of squares; infinite where there is no noise."""
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal else -math.inf
