"""For tests of what the daemon hears: a listener that remembers, and somebody who speaks."""

from __future__ import annotations

import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from patience import PATIENCE_S

from edged.publish import Received


class Ear:
    """What a listener has heard."""

    def __init__(self) -> None:
        self.heard: list[Received] = []
        self._changed = threading.Condition()

    def __call__(self, message: Received) -> None:
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Received]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, PATIENCE_S)
            return list(self.heard)


def say(
    port: int, *said: tuple[str, bytes], retain: bool = False, properties: Properties | None = None
) -> None:
    """Publish as somebody else, acknowledged by the broker."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in said:
        info = client.publish(topic, payload, 1, retain, properties)
        info.wait_for_publish(PATIENCE_S)
        assert info.is_published()
    client.disconnect()
    client.loop_stop()
