"""What is usual for an anomaly detector: a threshold for its errors, learnt from a quiet period.

An autoencoder reproduces what it was trained on, and badly what it was not; how well depends on the
machine that it listens to, its mounting and its room. So the first ``learn_s`` seconds of a model
in service are taken for usual, and the errors in them give the threshold:

    centre = median(cbrt(error))    spread = 1.4826 * median(|cbrt(error) - centre|)
    threshold = (centre + 5 * spread) ** 3

The cube root of a mean of squares is close to normal (Wilson and Hilferty, "The distribution of
chi-square", PNAS 17, 1931), which the errors themselves, all on one side of 0, are not. Median and
median absolute deviation are those of Iglewicz and Hoaglin ("How to Detect and Handle Outliers",
ASQC 1993): a door that slams in the quiet period moves them hardly, where a mean and a standard
deviation would be carried off. Five spreads of a normal distribution are exceeded once in 3.5
million times; their 3.5 would be once in 4,300, twenty times a day with a window a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from .records.info import AnomalyInfo

FEWEST_ERRORS = 30
MOST_ERRORS = 20_000
LEAST_THRESHOLD = 1e-9
_MOST_THRESHOLD = 1e38  # as a message and the file of baselines have room for
_SPREADS = 5.0
_TO_DEVIATION = 1.4826  # of a normal distribution, from its median absolute deviation
# Errors that are all but equal would make an anomaly of anything.
_LEAST_SPREAD = 0.02


def threshold_of(errors: Sequence[float]) -> float:
    """By the rule above; ``errors`` is not empty, and each finite and not negative."""
    roots = np.cbrt(np.asarray(errors, np.float64))
    centre = float(np.median(roots))
    spread = _TO_DEVIATION * float(np.median(np.abs(roots - centre)))
    threshold = (centre + _SPREADS * max(spread, _LEAST_SPREAD * centre)) ** 3
    return min(max(threshold, LEAST_THRESHOLD), _MOST_THRESHOLD)


class Baseline:
    """Of one model in one pipeline. ``take`` is called from the inference thread; ``info`` from
    any. ``on_learnt`` is called once, from the inference thread, with the threshold and from how
    many errors it was learnt, and must only hand on.
    """

    def __init__(
        self,
        learn_s: float,
        on_learnt: Callable[[float, int], None],
        known: float | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``known``: the threshold that this model has learnt in this pipeline before."""
        self._learn_ns = round(learn_s * 1e9)
        self._on_learnt = on_learnt
        self._now_ns = now_ns
        self._threshold = known
        self._until_ns: int | None = None  # None: nothing has come yet
        self._errors: list[float] = []
        self._taken = 0
        self._every = 1

    def info(self) -> AnomalyInfo:
        threshold, until_ns = self._threshold, self._until_ns
        if threshold is not None:
            return AnomalyInfo(threshold)
        return AnomalyInfo(None, self._now_ns() + self._learn_ns if until_ns is None else until_ns)

    def take(self, error: float) -> float | None:
        """The threshold for this error; None while it is one to learn from."""
        if self._threshold is None:
            self._learn(error)
            return None
        return self._threshold

    def _learn(self, error: float) -> None:
        now_ns = self._now_ns()
        if self._until_ns is None:
            self._until_ns = now_ns + self._learn_ns
        if self._taken % self._every == 0:
            self._errors.append(error)
        self._taken += 1
        if len(self._errors) >= MOST_ERRORS:
            # Half as many stand for the whole period just as well.
            self._errors, self._every = self._errors[::2], self._every * 2
        if now_ns >= self._until_ns and len(self._errors) >= FEWEST_ERRORS:
            threshold = threshold_of(self._errors)
            self._threshold, self._errors = threshold, []
            self._on_learnt(threshold, self._taken)
