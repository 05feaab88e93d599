"""Telling once of messages that were refused; others like them are only counted."""

from __future__ import annotations

import logging
import math
import threading
from collections import defaultdict
from functools import partial

from ..log_fields import Event, Lasting, about

log = logging.getLogger("edged.publish")


class Refusals:
    """``tell`` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: defaultdict[str, Lasting] = defaultdict(partial(Lasting, math.inf))

    def tell(self, topic: str, reason: str) -> None:
        with self._lock:
            first = self._refused[topic].happened(reason)
        if first:
            fields = about(Event.REFUSED)
            log.error("%s: %s Others like it are only counted.", topic, reason, extra=fields)

    def sum_up(self) -> None:
        """In the end: of which topics there were more than the one that was told."""
        with self._lock:
            counts = {topic: refused.times for topic, refused in self._refused.items()}
        for topic, times in counts.items():
            if times > 1:
                fields = about(Event.REFUSED)
                log.warning("%s: %d were refused in all", topic, times, extra=fields)
