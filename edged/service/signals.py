"""What the process is asked for by signals, from its first moment on. For the main thread alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT)


def end_at_once() -> None:
    """Until ``take`` is called, while nothing is open: a stop ends the process with status 0.

    A reload waits, for what it is about may have been read already; threads and processes that are
    started meanwhile leave it alone.
    """
    for number in _STOPS:
        signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGHUP,))


def take(stop: Callable[[], object], reload: Callable[[], object]) -> None:
    """Call these from now on; for a reload that waited, at once. They interrupt anything, so they
    may wait for nothing.
    """
    for number in _STOPS:
        signal.signal(number, lambda *_: stop())
    signal.signal(signal.SIGHUP, lambda *_: reload())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))
