"""The ways to show what comes. Lines for people and for scripts are here; they need nothing but
Python. The view is in ``live``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TextIO

import msgspec

from ..toml_text import printable
from .known import Event
from .payloads import Arrival


class Output(Protocol):
    """How to show. All of it is called from one thread."""

    def begin(self) -> None:
        """Before anything else."""

    def show(self, arrival: Arrival, events: Sequence[Event]) -> None:
        """A message, and what it says."""

    def tell(self, trouble: str | None) -> None:
        """The connection stands (None), or why it does not and what is done about it."""

    def note(self, text: str) -> None:
        """Something else that the user should know."""

    def tick(self) -> bool:
        """Called several times a second; whether the user wants to go on."""

    def end(self) -> None:
        """After all else, whatever has happened."""


class Lines:
    """Every message a line, or a few; what is not a message goes to ``errors``."""

    def __init__(self, out: TextIO, errors: TextIO) -> None:
        self._out = out
        self._errors = errors
        self._told: str | None = None

    def begin(self) -> None:
        pass

    def show(self, arrival: Arrival, events: Sequence[Event]) -> None:
        for event in events:
            local = event.wall.astimezone()
            time = f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"
            self._out.write(f"{time} {event.where} {event.text}\n")
        self._out.flush()

    def tell(self, trouble: str | None) -> None:
        if trouble != self._told:
            self.note(f"no connection: {trouble}" if trouble else "connected again")
        self._told = trouble

    def note(self, text: str) -> None:
        self._errors.write(f"edged: {printable(text)}\n")
        self._errors.flush()

    def tick(self) -> bool:
        return True

    def end(self) -> None:
        pass


class JsonLines(Lines):
    """Every message as a JSON object on a line of its own."""

    def show(self, arrival: Arrival, events: Sequence[Event]) -> None:
        self._out.write(json_line(arrival) + "\n")
        self._out.flush()


def json_line(arrival: Arrival) -> str:
    """ASCII only, so that nothing in it can do anything to a terminal."""
    line = {
        "topic": arrival.topic,
        "received_at": _timestamp(arrival.wall),
        "retained": arrival.retained,
        "payload": _decoded(arrival.payload),
    }
    return json.dumps(line)


def _decoded(payload: bytes) -> Any:
    """What JSON says; text where it is not JSON, with escapes for what is not UTF-8."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return payload.decode(errors="backslashreplace")


def _timestamp(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"
