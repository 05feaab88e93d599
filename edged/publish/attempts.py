"""How to try again: at which broker, after which pause, and in which version of MQTT."""

from __future__ import annotations

import random

from . import losses
from .losses import Broken, BrokerLost, HungUp, NoAnswer, ProtocolRefused, TakenOver, Unwelcome
from .settings import Version

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
FIRST_SLOW_PAUSE_S = 60.0
LONGEST_SLOW_PAUSE_S = 300.0
_SOON_S = 2 * LONGEST_PAUSE_S


def most_connections_per_hour(brokers: int) -> int:
    """No more connections than this can be made in an hour, however the brokers break them: a round
    is begun anew, without a pause, only by one that held for longer than the first pause, and has
    fewer free ones after it than there are brokers.
    """
    return int(3600 / FIRST_PAUSE_S) * brokers


class Attempts:
    """Brokers in turn, the next at once; pauses after each round, which grow and are jittered.

    Where one has refused us the pauses are long: it is not asked for what it will not give. Each is
    spoken to in MQTT 5 until it refuses that, hangs up at it twice or does not answer to it. Also a
    broker that is just starting, or a proxy in front of none, hangs up. So a version is never
    given up for good: when 3.1.1 fares no better, 5 is next.
    """

    def __init__(self, first_version: Version, brokers: int = 1) -> None:
        self.broker = 0
        """Which of the brokers is to be tried."""
        self._versions = [first_version] * brokers
        self._hung_up = [0] * brokers
        self._broken = 0  # in a row, each soon after it was made
        self._failed = 0  # in this round
        self._unwelcome = False  # in this round
        self._pause_s = FIRST_PAUSE_S
        self._slow_pause_s = FIRST_SLOW_PAUSE_S

    @property
    def version(self) -> Version:
        return self._versions[self.broker]

    def in_other_words(self, error: BrokerLost) -> bool:
        """Whether the same broker is worth another attempt at once, in the version that is chosen
        here.
        """
        at = self.broker
        match error:
            case ProtocolRefused() | NoAnswer():
                self._hung_up[at] = 2
            case HungUp():
                self._hung_up[at] += 1
            case _:
                self._hung_up[at] = 0
                return False
        if self.version is Version.V3_1_1:
            self._versions[at], self._hung_up[at] = Version.V5, 0
            return False
        if self._hung_up[at] >= 2:
            self._versions[at], self._hung_up[at] = Version.V3_1_1, 0
        return True

    def understood(self, error: BrokerLost, connected_s: float) -> BrokerLost:
        """The error, or what it means after those before it. Call it for each in turn."""
        self._broken = self._broken + 1 if isinstance(error, Broken) else 0
        if connected_s > _SOON_S:
            self._broken = 0
        return error if self._broken < 2 else losses.broken_again()

    def pause_s(self, error: BrokerLost, connected_s: float) -> float:
        """Go on to the next broker: seconds to wait before that. ``connected_s``: how long this
        attempt held.
        """
        if connected_s > self._pause_s:
            self._failed, self._unwelcome = 0, False
            self._pause_s = FIRST_PAUSE_S
        if connected_s > 2 * self._slow_pause_s:
            self._slow_pause_s = FIRST_SLOW_PAUSE_S
        self._failed += 1
        self._unwelcome = self._unwelcome or isinstance(error, Unwelcome)
        self.broker = (self.broker + 1) % len(self._versions)
        # Whoever took the connection over may be met at the cluster's next address too.
        if self._failed < len(self._versions) and not isinstance(error, TakenOver):
            return 0.0
        slow = self._unwelcome
        self._failed, self._unwelcome = 0, False
        return self._slow_pause() if slow else self._quick_pause()

    def _quick_pause(self) -> float:
        pause_s = self._pause_s * random.uniform(0.5, 1.0)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s

    def _slow_pause(self) -> float:
        pause_s = self._slow_pause_s * random.uniform(1.0, 1.5)
        self._slow_pause_s = min(2 * self._slow_pause_s, LONGEST_SLOW_PAUSE_S)
        return pause_s
