"""Loopback ports for servers that tests start and stop."""

from __future__ import annotations

import random
import socket

# Below those that Linux gives to clients (ip(7), ip_local_port_range: 32768 and up). A port from
# there may go to any client while the server is down; one that tries to reach the server may even
# be given the server's own port, and is then connected with itself.
_PORTS = range(15_000, 32_000)
# Tests run in several processes: each has ports of its own, also for a server that is down for a
# while.
_BLOCK = 100
_own: list[int] = []


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now, and no other test will."""
    if not _own:
        first = _reserve()
        _own.extend(random.sample(range(first, first + _BLOCK), _BLOCK))
    for _ in range(_BLOCK):
        port = _own.pop(0)
        _own.append(port)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("all ports of this process are in use")


def _reserve() -> int:
    """The first port of a block that no other process has, for as long as this one lives.

    An abstract name (unix(7)) is seen wherever the ports are, also from another root directory.
    """
    blocks = range(_PORTS.start, _PORTS.stop, _BLOCK)
    for first in random.sample(blocks, len(blocks)):
        mark = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            mark.bind(f"\0edged-tests-{first}")
        except OSError:
            mark.close()
            continue
        mark.detach()  # until the process ends
        return first
    raise OSError("all ports are reserved")
