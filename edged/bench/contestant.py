"""A contestant, seen from the process that measures."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..demo.broker import Broker
from ..errors import EdgedError
from .answers import FAILED
from .first_message import FirstMessage

PATIENCE_S = 120.0
_END_S = 10.0


class Memory(msgspec.Struct, frozen=True):
    """Of one process, in MB (2^20 bytes). ``proportional``: what it shares with others is divided
    among them (proc(5), Pss); None where the kernel does not tell.
    """

    resident_mb: float
    proportional_mb: float | None


class Contestant:
    """One process. ``topic``: where its results come, so that the first can be waited for."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, topic: str | None = None
    ) -> None:
        self.name = name
        self._command = [sys.executable, *command]
        self._log = log
        self._topic = topic
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, broker: Broker | None = None) -> float | None:
        """How many seconds until its first result, where it gives any. Raises EdgedError.

        ``broker``: where its results come; None for one that gives none.
        """
        first = None
        if self._topic is not None:
            assert broker is not None
            first = FirstMessage(broker.port, self._topic)
        began_s = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        if first is None:
            return None
        with contextlib.closing(first):
            while (came_s := first.wait(0.1)) is None:
                if self._process.poll() is not None or time.monotonic() - began_s > PATIENCE_S:
                    raise self._gone()
        return came_s - began_s

    def turn(self, frames: int) -> Mapping[str, Sequence[float]]:
        """Let it work on so many frames: ms by stage (see ``answers``). Raises EdgedError."""
        process = self._running()
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it may have said why
            process.stdin.write(b"%d\n" % frames)
            process.stdin.flush()
        told: Mapping[str, Any] = self._read()
        if FAILED in told:
            raise EdgedError(told[FAILED])
        return told

    def memory(self) -> Memory:
        place = Path(f"/proc/{self._running().pid}")
        resident = _kilobytes(place / "status", "VmRSS:")
        if resident is None:
            raise self._gone()
        shared = _kilobytes(place / "smaps_rollup", "Pss:")
        return Memory(resident / 1024, None if shared is None else shared / 1024)

    def close(self) -> Mapping[str, Any]:
        """Let it end by itself; what it said last, if anything. May be called twice."""
        process, self._process = self._process, None
        if process is None:
            return {}
        last: bytes = b""
        try:
            last = process.communicate(timeout=_END_S)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        try:
            said: Mapping[str, Any] = json.loads(last or b"{}")
        except ValueError:
            return {}
        return said

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _read(self) -> Any:
        process = self._running()
        assert process.stdout is not None
        # It gives up by itself where nothing comes; this is for one that hangs altogether.
        while not select.select([process.stdout], [], [], PATIENCE_S)[0]:
            if process.poll() is not None:
                raise self._gone()
        line = process.stdout.readline()
        if not line:
            raise self._gone()
        return json.loads(line)

    def _gone(self) -> EdgedError:
        self.close()
        lines = self._log.read_text(errors="replace").strip().splitlines()
        why = lines[-1].strip() if lines else "it said nothing"
        return EdgedError(
            f"What is measured ({self.name}) ended or did not get on: {why}. "
            "`edged model inspect FILE` tells whether the model can be run"
        )


def _kilobytes(path: Path, key: str) -> int | None:
    """A line ``key: 1234 kB`` of a file in /proc."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), None)
