"""From turns to figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from .answers import ENDED, INFERENCE

Stages = Mapping[str, Sequence[float]]
"""Milliseconds of each frame of a turn, by stage; and ``ENDED``."""

REST = "rest"
TOTAL = "total"
OVERHEAD = "overhead"
BESIDES = "besides"


class Spread(msgspec.Struct, frozen=True):
    """Over all frames, in milliseconds."""

    median: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        median, p99 = np.percentile(values, [50, 99])
        return cls(float(median), float(p99))


class Turn(msgspec.Struct, frozen=True):
    """What one turn of at least two frames came to, in milliseconds; lists by frame.

    Beside the stages that were measured there are, of what was measured with ``wait`` and
    ``total``, ``OVERHEAD`` (``total - inference - wait``) and ``REST``, what lies between one
    frame's hand-over and the next one's beside its own stages; and ``BESIDES``, all that goes by
    between two frames beside the inference, which is what the rate feels.
    """

    stages: Stages
    rate_hz: float

    @classmethod
    def of(cls, told: Stages) -> Turn:
        ended = np.asarray(told[ENDED])
        periods = np.diff(ended)
        stages = {name: list(values) for name, values in told.items() if name != ENDED}
        inference = np.asarray(stages[INFERENCE])
        stages[BESIDES] = (periods - inference[1:]).tolist()
        if TOTAL in stages:
            worked = np.asarray(stages[TOTAL]) - np.asarray(stages["wait"])
            stages[OVERHEAD] = (worked - inference).tolist()
            own = worked + np.asarray(stages["hand-over"])
            stages[REST] = (periods - own[1:]).tolist()
        return cls(stages, 1e3 * len(periods) / float(ended[-1] - ended[0]))


def spreads(turns: Sequence[Turn]) -> dict[str, Spread]:
    """By stage, over the frames of all turns."""
    return {name: Spread.of(values) for name, values in pooled(turns).items()}


def pooled(turns: Sequence[Turn]) -> dict[str, list[float]]:
    return {
        name: [value for turn in turns for value in turn.stages[name]] for name in turns[0].stages
    }


def median_rate_hz(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.rate_hz for turn in turns)


def rate_ratio(turns: Sequence[Turn], reference: Sequence[Turn]) -> float:
    """The median of what each turn's rate is of the reference's in the same round."""
    return statistics.median(
        turn.rate_hz / other.rate_hz for turn, other in zip(turns, reference, strict=True)
    )
