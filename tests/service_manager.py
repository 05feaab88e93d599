"""The end of the notification socket that systemd has."""

from __future__ import annotations

import contextlib
import socket
import time

import pytest
from patience import PATIENCE_S


class Manager:
    """Listens at ``address``: a path, or an abstract name after an ``@``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(PATIENCE_S)

    def next(self) -> list[str]:
        """The assignments of the next message."""
        return self._socket.recv(65536).decode().split("\n")

    def wait_for(self, assignment: str, timeout_s: float = PATIENCE_S) -> list[str]:
        """All assignments up to the one that begins so."""
        deadline_s = time.monotonic() + timeout_s
        heard: list[str] = []
        while not any(one.startswith(assignment) for one in heard):
            self._socket.settimeout(max(0.001, deadline_s - time.monotonic()))
            try:
                heard.extend(self.next())
            except TimeoutError:
                pytest.fail(f"no {assignment} in {timeout_s} s, but {heard}")
        return heard

    def heard_in(self, seconds: float) -> list[str]:
        """All assignments that come within so much time."""
        deadline_s = time.monotonic() + seconds
        heard: list[str] = []
        while (left_s := deadline_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            with contextlib.suppress(TimeoutError):
                heard.extend(self.next())
        return heard

    def hears_nothing(self) -> bool:
        self._socket.setblocking(False)
        try:
            self._socket.recv(65536)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()
