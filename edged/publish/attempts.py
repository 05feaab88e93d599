"""How to try again: after which pause, and in which version of MQTT."""

from __future__ import annotations

import random

from .losses import BrokerLost, HungUp, NoAnswer, ProtocolRefused
from .mqtt import Version

FIRST_PAUSE_S = 1.0
SHORTEST_PAUSE_S = FIRST_PAUSE_S / 2
LONGEST_PAUSE_S = 60.0


class Attempts:
    """Pauses that grow and are jittered; MQTT 5 until a broker refuses it, hangs up at it twice or
    does not answer to it.

    Also a broker that is just starting, or a proxy in front of none, hangs up. So a version is
    never given up for good: when 3.1.1 fares no better, 5 is next.
    """

    def __init__(self, first_version: Version) -> None:
        self.version = first_version
        self._hung_up = 0
        self._pause_s = FIRST_PAUSE_S

    def pause_after_s(self, error: BrokerLost, connected_s: float) -> float:
        """Seconds to wait before the next attempt; ``connected_s``: how long this one held."""
        if self._other_words_help(error):
            return 0.0
        if connected_s > self._pause_s:
            self._pause_s = FIRST_PAUSE_S
        pause_s = self._pause_s * random.uniform(0.5, 1.0)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s

    def _other_words_help(self, error: BrokerLost) -> bool:
        """Choose the version of the next attempt; whether that attempt is worth making at once."""
        match error:
            case ProtocolRefused() | NoAnswer():
                self._hung_up = 2
            case HungUp():
                self._hung_up += 1
            case _:
                self._hung_up = 0
                return False
        if self.version is Version.V3_1_1:
            self.version, self._hung_up = Version.V5, 0
            return False
        if self._hung_up >= 2:
            self.version, self._hung_up = Version.V3_1_1, 0
        return True
