"""A model's first results in service: does it do what the probe promised?

A model on trial is watched for errors, for numbers that are not finite (a decoder makes an error
of them) and for invocations far slower than they should be. Whoever runs the trial keeps the
version before at hand.
"""

from __future__ import annotations

import math

import msgspec

LEAST_RESULTS = 50
LEAST_S = 5.0
# A camera of one frame a minute must not stay on trial for an hour.
LONGEST_S = 60.0
FEWEST_RESULTS = 5
# A burst of other work slows a few results down, and is no fault of the model.
SLOW_IN_A_ROW = 15
_FAR_OVER = 3.0
# What a busy machine adds to any inference, however short.
_JITTER_MS = 1.0


class Expected(msgspec.Struct, frozen=True):
    """Milliseconds of one invocation: as the probe measured it, and as the sidecar allows."""

    invoke_ms: float
    budget_ms: float | None


class Trial:
    """Fed by the inference thread with each result of the model."""

    def __init__(self, expected: Expected, now_ns: int) -> None:
        self._expected = expected
        self._since_ns = now_ns
        self._first_ms: list[float] = []
        self._slow = 0
        self._results = 0

    def failure(self, invoke_ms: float) -> str | None:
        """Why the model fails with this result; None while it does not. ``invoke_ms`` is without
        the time in which other work had the processor.
        """
        self._results += 1
        limit_ms, said = self._limit()
        if len(self._first_ms) < FEWEST_RESULTS:
            self._first_ms.append(invoke_ms)
        self._slow = self._slow + 1 if invoke_ms > limit_ms else 0
        if self._slow < SLOW_IN_A_ROW:
            return None
        return (
            f"it became too slow after {self._results - SLOW_IN_A_ROW} results: "
            f"{invoke_ms:.1f} ms for one inference, {said}"
        )

    def passed(self, now_ns: int) -> bool:
        """Whether the model has been watched for long enough, and is not slow just now."""
        if self._slow:
            return False
        watched_s = (now_ns - self._since_ns) / 1e9
        if watched_s >= LONGEST_S:
            return self._results >= FEWEST_RESULTS
        return self._results >= LEAST_RESULTS and watched_s >= LEAST_S

    def _limit(self) -> tuple[float, str]:
        """The milliseconds that are far too many, and the reason for a person.

        Without a budget a model is held against itself, that is against the probe or its first
        results, whichever took longer: the machine may be busier now than it was for the probe.
        """
        expected = self._expected
        if expected.budget_ms is not None:
            return 2 * expected.budget_ms, f"its budget is {expected.budget_ms:g} ms"
        if len(self._first_ms) < FEWEST_RESULTS:
            return math.inf, ""
        usual_ms = max(expected.invoke_ms, sorted(self._first_ms)[FEWEST_RESULTS // 2])
        limit_ms = max(_FAR_OVER * usual_ms, usual_ms + _JITTER_MS)
        return limit_ms, f"it used to take {usual_ms:.1f} ms"
