"""Telling once of messages that were refused; others like them are only counted."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger("edged.publish")


class Refusals:
    """``tell`` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._topics: set[str] = set()

    def tell(self, topic: str, reason: str) -> None:
        with self._lock:
            if topic in self._topics:
                return
            self._topics.add(topic)
        log.error("%s: %s Others like it are only counted.", topic, reason)
