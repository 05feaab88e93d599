"""What a service tells its manager: the protocol of sd_notify(3), a page of code.

Spoken here and not through systemd's Python binding, so that it works without that extra: under
``Type=notify`` a daemon that cannot say that it is ready is killed.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from ..log_fields import Event, about

log = logging.getLogger("edged.service")

# The manager reads at once; one that is stuck must not hold up the daemon.
_SEND_TIMEOUT_S = 1.0
_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Callable from any thread; says nothing where there is nobody to tell.

    ``address`` is a path, or an abstract socket's name after an ``@``. ``watchdog_s`` is the time
    within which the manager wants to be told ``alive`` again; None: it does not watch.
    """

    def __init__(
        self,
        address: str | None = None,
        watchdog_s: float | None = None,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._address = address
        self.watchdog_s = watchdog_s if address else None
        self._now_ns = now_ns
        self._broken = False

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str]) -> Notifier:
        """By the manager's variables, which are taken out: no child is to speak for the daemon."""
        address, usec, pid = (environ.pop(name, "") for name in _VARIABLES)
        if not address.startswith(("/", "@")):  # others (vsock) are for whole machines
            return cls()
        watched = usec.isdecimal() and int(usec) > 0 and pid in ("", str(os.getpid()))
        return cls(address, int(usec) / 1e6 if watched else None)

    def ready(self) -> None:
        """The start, or a reload, is over."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """``ready`` must follow. The time tells the manager which of its wishes this answers."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={self._now_ns() // 1000}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._tell("STATUS=" + " ".join(text.split()))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._tell("WATCHDOG=1")

    def extend_start(self, by_s: float) -> None:
        """Ask for so much time from now on, where the manager's own limit would be over before."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(by_s * 1e6)}")

    def _tell(self, *assignments: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]
        try:
            # Anew each time, as sd_notify itself does: a manager may bind its socket again.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
                wire.settimeout(_SEND_TIMEOUT_S)
                wire.sendto("\n".join(assignments).encode(errors="replace"), address)
            self._broken = False
        except OSError as error:
            if not self._broken:
                log.warning(
                    "the service manager cannot be told anything: %s",
                    error.strerror or error,
                    extra=about(Event.WATCHDOG),
                )
            self._broken = True
