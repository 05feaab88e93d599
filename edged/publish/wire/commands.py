"""The commands that the device takes, and its answers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from .fields import Closed, Reason


class Answer(Closed, frozen=True):
    """What became of a command; ``reason`` says why it was refused."""

    schema: Literal["edged.answer/1"]
    ok: bool
    reason: Reason | None


class PipelineCommand(Closed, frozen=True):
    """What can be commanded of a pipeline on ``P/<pipeline>/set``: one of them, or both."""

    enabled: bool | UnsetType = UNSET
    threshold: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class DeviceCommand(Closed, frozen=True):
    """What can be commanded of the device on ``P/set``: to read its configuration again."""

    reload: Annotated[bool, Meta(extra_json_schema={"const": True})]
