"""A real MQTT broker for the bench, outside of the processes that are measured."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ..demo.broker import EmbeddedBroker, free_port
from ..errors import EdgedError, MissingExtra

_START_S = 10.0


@dataclass(frozen=True, slots=True)
class Broker:
    """``speaks_5``: amqtt misreads a CONNECT of MQTT 5 that carries a will."""

    name: str
    port: int
    speaks_5: bool


@contextlib.contextmanager
def local_broker(directory: Path) -> Iterator[Broker]:
    """mosquitto where it is installed, for it takes the least of the machine; else amqtt, in this
    process. Raises EdgedError.
    """
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    with _amqtt() if path is None else _mosquitto(path, directory) as broker:
        yield broker


@contextlib.contextmanager
def _amqtt() -> Iterator[Broker]:
    try:
        embedded = EmbeddedBroker()
    except MissingExtra as error:
        raise EdgedError(
            "The bench needs an MQTT broker on this machine. Install one with: "
            "sudo apt install mosquitto (or: pip install 'edged[demo]')"
        ) from error
    embedded.start()
    try:
        yield Broker("amqtt", embedded.port, speaks_5=False)
    finally:
        embedded.stop()


@contextlib.contextmanager
def _mosquitto(path: str, directory: Path) -> Iterator[Broker]:
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    log = directory / "mosquitto.log"
    with log.open("wb") as errors:
        process = subprocess.Popen([path, "-c", str(config)], stderr=errors)
    try:
        _wait_for(port, process, log)
        yield Broker("mosquitto", port, speaks_5=True)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise EdgedError(f"mosquitto did not start: {lines[-1] if lines else 'it said nothing'}")


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
