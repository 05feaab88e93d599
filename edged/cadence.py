"""When a result is published: every one, on change, or at an interval."""

from __future__ import annotations

import enum
from collections.abc import Hashable

from .records.results import ClassScore, Findings, Value, labels_of


class Publish(enum.Enum):
    EVERY = "every"
    CHANGE = "change"
    INTERVAL = "interval"
    NEVER = "events"


class Cadence:
    """Decides for one pipeline. ``interval_s`` is also the heartbeat of ``change``.

    What happens, such as a word that is heard, is published each time and with nothing in between;
    with ``interval`` at most once in so many seconds.
    """

    def __init__(self, publish: Publish, interval_s: float) -> None:
        self._publish = publish
        self._interval_ns = round(interval_s * 1e9)
        self._last_ns: int | None = None
        self._last_said: Hashable = None

    def due(self, findings: Findings, now_ns: int, *, happens: bool = False) -> bool:
        """Whether to publish these findings; if so they count as the last published ones.

        ``happens``: they are of what happens, not of how things are.
        """
        if self._publish is Publish.NEVER or (happens and not findings):
            return False
        if self._publish is Publish.EVERY or (happens and self._publish is Publish.CHANGE):
            return True
        said = _said(findings)
        waited = self._last_ns is None or now_ns - self._last_ns >= self._interval_ns
        changed = self._publish is Publish.CHANGE and said != self._last_said
        if not (waited or changed):
            return False
        self._last_ns, self._last_said = now_ns, said
        return True


def _said(findings: Findings) -> Hashable:
    """The set of labels; of a classification the best class alone, of a regression its numbers."""
    match findings:
        case (ClassScore() as best, *_):
            return best.label
        case (Value(), *_):
            return findings
    return labels_of(findings)
