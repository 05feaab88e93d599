"""An MQTT broker on a free port of loopback, for as long as a demo or a bench takes."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from ..errors import EdgedError

_START_S = 10.0


class Broker(msgspec.Struct, frozen=True):
    """``speaks_5``: amqtt misreads a CONNECT of MQTT 5 that carries a will, and never answers."""

    name: str
    port: int
    speaks_5: bool


@contextmanager
def local_broker(directory: Path, *, light: bool = False) -> Iterator[Broker]:
    """amqtt in this process, or mosquitto where only that is installed; with ``light`` the other
    way round, for mosquitto takes the least of the machine. Raises EdgedError.
    """
    path = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is not None and (light or importlib.util.find_spec("amqtt") is None):
        made = _mosquitto(path, directory)
    else:
        made = _embedded()
    with made as broker:
        yield broker


@contextmanager
def _mosquitto(path: str, directory: Path) -> Iterator[Broker]:
    port = free_port()
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    log = directory / "mosquitto.log"
    with log.open("wb") as errors:
        # In a group of its own: Ctrl-C is for edged, which has its last results to deliver.
        process = subprocess.Popen([path, "-c", str(config)], stderr=errors, process_group=0)
    try:
        _wait_for(port, process, log)
        yield Broker("mosquitto", port, speaks_5=True)
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.02)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise EdgedError(f"mosquitto did not start: {lines[-1] if lines else 'it said nothing'}")


@contextmanager
def _embedded() -> Iterator[Broker]:
    try:
        embedded = EmbeddedBroker()
    except ImportError as error:
        raise EdgedError(
            "This needs an MQTT broker on this machine, and none is installed. Install one with: "
            "pip install 'edged[demo]' (or: sudo apt install mosquitto)"
        ) from error
    embedded.start()
    try:
        yield Broker("amqtt", embedded.port, speaks_5=False)
    finally:
        embedded.stop()


def free_port() -> int:
    """One of loopback on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


class EmbeddedBroker:
    """amqtt on a free loopback port, in a thread with its own event loop."""

    def __init__(self) -> None:
        """Raises ImportError where amqtt is not installed."""
        from amqtt.broker import Broker

        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        listener = {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        settings = {"listeners": {"default": listener}, "plugins": plugins}
        self._broker: Any = Broker(settings, loop=self._loop)
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def start(self) -> None:
        """Returns once it listens. Raises EdgedError."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._broker.start(), self._loop).result(10)
        except Exception as error:
            raise EdgedError(f"The demo's MQTT broker did not start: {error}") from error

    def stop(self) -> None:
        with suppress(Exception):  # the demo is over; there is nobody left to serve
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
