"""What can be commanded over MQTT, and how a message is read as a command: pure.

A reason for a refusal holds nothing of the message: it may be sent to wherever whoever sent the
message wants, and must not carry words for them.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from ..errors import EdgedError
from . import Context, Received
from .wire.commands import DeviceCommand, PipelineCommand

MAX_COMMAND_BYTES = 1024
MOST_PER_MINUTE = 60


class CommandRefused(EdgedError):
    """A command was not carried out; the message is the reason, which is logged and answered."""


class Reload(msgspec.Struct, frozen=True):
    """Read the configuration again."""

    def __str__(self) -> str:
        return "reload"


class Change(msgspec.Struct, frozen=True):
    """Of a pipeline, which need not exist. None: leave it as it is."""

    pipeline: str
    enabled: bool | None
    threshold: float | None

    def __str__(self) -> str:
        said = [] if self.threshold is None else [f"threshold {self.threshold:g}"]
        if self.enabled is not None:
            said.append("enabled" if self.enabled else "disabled")
        return f"pipeline {self.pipeline}: {', '.join(said)}"


def filters(context: Context) -> tuple[str, str]:
    """What to subscribe to."""
    root = f"{context.prefix}/{context.device}"
    return f"{root}/set", f"{root}/+/set"


def command_in(message: Received, context: Context) -> Reload | Change:
    """The command in a message on one of the ``filters``. Raises CommandRefused."""
    if message.retained:
        raise CommandRefused("A retained command is not taken: send it without the retain flag.")
    if len(message.payload) > MAX_COMMAND_BYTES:
        raise CommandRefused(f"It is over {MAX_COMMAND_BYTES:,} bytes.")
    root = f"{context.prefix}/{context.device}"
    if message.topic == f"{root}/set":
        return _reload(message.payload)
    pipeline = message.topic.removeprefix(f"{root}/").removesuffix("/set")
    return _change(pipeline, message.payload)


def _reload(payload: bytes) -> Reload:
    try:
        wanted = msgspec.json.decode(payload, type=DeviceCommand).reload
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        wanted = False
    if not wanted:
        raise CommandRefused('It must be {"reload": true}.')
    return Reload()


def _change(pipeline: str, payload: bytes) -> Change:
    try:
        found = msgspec.json.decode(payload, type=PipelineCommand)
    except (ValueError, RecursionError):
        found = PipelineCommand()
    if found.enabled is UNSET and found.threshold is UNSET:
        raise CommandRefused(
            'It must be {"enabled": true or false} or {"threshold": a number from 0 to 1}, or both.'
        )
    return Change(
        pipeline,
        None if found.enabled is UNSET else found.enabled,
        None if found.threshold is UNSET else found.threshold,
    )
