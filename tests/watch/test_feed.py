"""How the feed ends: at once, whatever its thread is at."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from patience import PATIENCE_S

from edged.publish import mqtt
from edged.publish.settings import MqttSettings
from edged.publish.wake import Wake
from edged.watch import feed as feeding
from edged.watch.feed import Feed, Link

Make = Callable[..., Any]
LONGER_THAN_ANYBODY_WAITS_S = 3600.0


class Interrupted(Wake):
    """Once it is armed, somebody calls ``close`` just before the feed's thread clears it."""

    def __init__(self) -> None:
        super().__init__()
        self.armed = threading.Event()
        self.interrupt: Callable[[], None]
        self.closed = threading.Event()
        self._set = threading.Event()

    def set(self) -> None:
        super().set()
        self._set.set()

    def clear(self) -> None:
        if self.armed.is_set():
            self.armed.clear()
            threading.Thread(target=self._close).start()
            assert self._set.wait(PATIENCE_S)
        super().clear()

    def _close(self) -> None:
        self.interrupt()
        self.closed.set()


@pytest.fixture
def wake(monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """The feed's. Its thread would never look again by itself."""
    made = Interrupted()
    monkeypatch.setattr(feeding, "Wake", lambda: made)
    monkeypatch.setattr(feeding, "_STEP_S", LONGER_THAN_ANYBODY_WAITS_S)
    monkeypatch.setattr(mqtt, "_ANSWER_STEP_S", LONGER_THAN_ANYBODY_WAITS_S)
    return made


def feed_of(port: int, wake: Interrupted) -> Feed:
    settings = MqttSettings("127.0.0.1", port, client_id="watcher", answer_timeout_s=1e6)
    feed = Feed(settings, "edged/#")
    wake.interrupt = lambda: feed.close(PATIENCE_S)
    return feed


def has_ended(wake: Interrupted) -> bool:
    assert wake.closed.wait(2 * PATIENCE_S)
    return all(thread.name != "edged-watch" for thread in threading.enumerate())


def test_it_ends_at_once_when_it_is_just_about_to_wait(
    mosquitto: Make, publish: Make, wake: Interrupted
) -> None:
    broker = mosquitto()
    feed = feed_of(broker.port, wake)
    feed.start()
    assert feed.take(PATIENCE_S) == Link(None)
    wake.armed.set()
    publish(broker, "edged/pi/status", b"online")  # lest it wait for ever already
    assert has_ended(wake)


def test_it_ends_at_once_when_the_broker_does_not_answer(wake: Interrupted) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        feed = feed_of(silent.getsockname()[1], wake)
        wake.armed.set()
        feed.start()
        assert has_ended(wake)
