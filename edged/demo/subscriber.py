"""The demo's subscriber: what any user would write."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ..errors import EdgedError

_SECONDS_BETWEEN_LINES = 0.5


class Subscriber:
    """Subscribes, shows results, and keeps them for the summary."""

    def __init__(self, port: int, tell: Callable[[str], None]) -> None:
        self.results: list[dict[str, Any]] = []
        self.first = threading.Event()
        self._tell = tell
        self._last_line_s = 0.0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "demo-subscriber")
        self._client.on_connect = lambda client, *_: client.subscribe("edged/demo/#", qos=1)
        self._client.on_message = self._on_message
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)

    def start(self) -> None:
        """Returns once subscribed. Raises EdgedError."""
        self._client.loop_start()
        if not self._subscribed.wait(10):
            raise EdgedError("The demo's subscriber found no broker to subscribe at")

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        kind = message.topic.rpartition("/")[2]
        if kind == "result":
            self._show(json.loads(message.payload))
        elif kind in ("health", "model"):
            told = json.loads(message.payload)
            if kind == "health":
                self._tell(f"{message.topic}: {told['state']}")
            elif told["active"]:
                active = told["active"]
                self._tell(f"{message.topic}: {active['name']} {active['version']} serves")

    def _show(self, result: dict[str, Any]) -> None:
        self.results.append(result)
        self.first.set()
        now_s = time.monotonic()
        if now_s - self._last_line_s < _SECONDS_BETWEEN_LINES:
            return
        self._last_line_s = now_s
        findings = result.get("detections") or result.get("classes") or []
        found = ", ".join(f"{one['label']} {one['score']:.2f}" for one in findings)
        took = result["latency_ms"]["total"]
        self._tell(f"  #{result['sequence']:<5} {took:6.2f} ms   {found or 'nothing'}")
