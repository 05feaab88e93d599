"""The demo's MQTT broker."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from typing import Any

from ..errors import EdgedError, MissingExtra


def free_port() -> int:
    """One of loopback on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


class EmbeddedBroker:
    """amqtt on a free loopback port, in a thread with its own event loop."""

    def __init__(self) -> None:
        """Raises MissingExtra where amqtt is not installed."""
        try:
            from amqtt.broker import Broker
        except ImportError as error:
            raise MissingExtra("The demo's MQTT broker (amqtt)", "demo") from error
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
