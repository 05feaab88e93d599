"""Loopback ports for servers that tests start and stop."""

from __future__ import annotations

import random
import socket

# Below those that Linux gives to clients (ip(7), ip_local_port_range: 32768 and up). A port from
# there may go to any client while the server is down; one that tries to reach the server may even
# be given the server's own port, and is then connected with itself.
_PORTS = range(15_000, 32_000)


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
