"""A board to feed, and the real daemon in a house of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from household import House
from paho.mqtt.publish import single
from watching import Feeder


@pytest.fixture
def feeder() -> Feeder:
    return Feeder()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end()


@pytest.fixture
def publish() -> Callable[..., None]:
    """Publishes as anybody might: ``publish(broker, topic, payload)``."""

    def published(
        broker: Any, topic: str, payload: bytes | dict[str, Any], retain: bool = False
    ) -> None:
        encoded = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        single(topic, encoded, qos=1, retain=retain, hostname="127.0.0.1", port=broker.port)

    return published
