"""Waking a thread that waits in poll(2)."""

from __future__ import annotations

import contextlib
import os
import threading


class Wake:
    """An eventfd(2): any thread sets it, the waiting thread polls ``fd`` and clears it."""

    def __init__(self) -> None:
        self.fd = -1
        self._lock = threading.Lock()  # a late set must not write to a number used for another file

    def open(self) -> None:
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def set(self) -> None:
        with self._lock:
            if self.fd >= 0:
                os.eventfd_write(self.fd, 1)

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody had set it
            os.eventfd_read(self.fd)

    def close(self) -> None:
        with self._lock:
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1
