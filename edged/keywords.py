"""When a word is heard, from the scores that a model gives a stream moment by moment.

The mean of the last scores smooths out what one moment alone seems to be, and a word that was heard
is not heard again for a while: its own end would be. This is how micro wake word models are meant
to be run (see ``store.manifest``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .decoders.task import Keyword
from .engine.geometry import Placed
from .filter import Filter
from .records.arrays import FloatArray
from .records.decoded import Decoded, HeardClasses
from .records.results import ClassScore, Findings


class KeywordFilter(Filter):
    """Of one model in one pipeline: it remembers the stream. Finds a word when it is heard, with
    the mean as its score, and nothing in between.
    """

    def __init__(
        self,
        name_of: Callable[[int], str],
        *,
        rule: Keyword,
        threshold: float | None,
        allowed: tuple[str, ...] | None,
        max_results: int,
    ) -> None:
        super().__init__(name_of, threshold=threshold, allowed=allowed, max_results=max_results)
        self._rule = rule
        self._last: deque[FloatArray] = deque(maxlen=rule.sliding_window)
        self._heard_s: dict[str, float] = {}  # when each word was heard last
        self._until_s = 0.0

    def apply(self, decoded: Decoded, placement: Placed | None) -> Findings:
        assert isinstance(decoded, HeardClasses)
        now_s = decoded.ended_s
        if decoded.anew:
            self._last.clear()
        if now_s < self._until_s:  # the source was opened again: its time begins anew
            self._heard_s.clear()
        self._until_s = now_s
        found: list[ClassScore] = []
        for scores in decoded.scores:
            self._last.append(scores)
            if len(self._last) == self._rule.sliding_window:
                found += self._words(now_s)
        return tuple(sorted(found, key=lambda word: -word.score)[: self._max_results])

    def _words(self, now_s: float) -> list[ClassScore]:
        """Those that are heard with the moment that came last."""
        means = np.stack(self._last).mean(axis=0, dtype=np.float64)
        threshold = 0.0 if self.threshold is None else self.threshold
        found = []
        for number, mean in enumerate(means.tolist()):
            word = self._name_of(number)
            if mean > threshold and self._may_leave(word) and self._is_new(word, now_s):
                self._heard_s[word] = now_s
                found.append(ClassScore(word, mean))
        return found

    def _is_new(self, word: str, now_s: float) -> bool:
        at = self._heard_s.get(word)
        return at is None or now_s - at > self._rule.refractory_s
