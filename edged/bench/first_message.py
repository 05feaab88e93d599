"""Waits for what a broker that is measured with has to tell."""

from __future__ import annotations

import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ..errors import EdgedError

_START_S = 10.0


class FirstMessage:
    """Waits for the first message of a topic; subscribed once made. Raises EdgedError."""

    def __init__(self, port: int, topic: str) -> None:
        self._came = threading.Event()
        self._came_s = 0.0
        subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not subscribed.wait(_START_S):
            self.close()
            raise EdgedError("The broker for the bench lets nobody subscribe")

    def wait(self, timeout_s: float) -> float | None:
        """When it came (``time.monotonic``); None: not yet."""
        return self._came_s if self._came.wait(timeout_s) else None

    def close(self) -> None:
        """Gone, so that nobody gets results while there is measured."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, *_: object) -> None:
        if not self._came.is_set():
            self._came_s = time.monotonic()
            self._came.set()
