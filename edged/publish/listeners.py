"""Who hears what others publish: topic filters, and whom to call with what comes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from paho.mqtt.client import topic_matches_sub

from ..log_fields import Event, about
from . import Received

MAX_HEARD_BYTES = 16 * 1024

log = logging.getLogger("edged.publish")

Heard = Callable[[Received], None]


class Listeners:
    """``add`` before the publisher starts; all else on the publisher's thread."""

    def __init__(self) -> None:
        self._listeners: list[tuple[str, Heard]] = []
        self._told: set[str] = set()

    def add(self, topic_filter: str, heard: Heard) -> None:
        self._listeners.append((topic_filter, heard))

    @property
    def filters(self) -> tuple[str, ...]:
        """What to subscribe to, each once."""
        return tuple(dict.fromkeys(topic_filter for topic_filter, _ in self._listeners))

    def hear(self, message: Received) -> None:
        """Call whom it concerns. Never raises: a faulty listener is told once and goes on."""
        for topic_filter, heard in self._listeners:
            if not topic_matches_sub(topic_filter, message.topic):
                continue
            if len(message.payload) > MAX_HEARD_BYTES:
                self.tell(
                    topic_filter,
                    f"A message of {len(message.payload):,} bytes on {message.topic[:200]!r} "
                    f"was not heard: at most {MAX_HEARD_BYTES:,} bytes are.",
                )
                continue
            try:
                heard(message)
            except Exception as error:
                log.debug("A listener failed", exc_info=True)
                self.tell(topic_filter, f"What came on it could not be taken: {error!r}.")

    def tell(self, topic_filter: str, reason: str) -> None:
        """Log what is wrong with a subscription, each kind of it once."""
        if topic_filter not in self._told:
            self._told.add(topic_filter)
            fields = about(Event.REFUSED)
            text = "Subscription %s: %s Others like it are not told."
            log.error(text, topic_filter, reason, extra=fields)
