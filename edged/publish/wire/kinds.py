"""The list of all kinds of messages, and their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from .commands import Answer, DeviceCommand, PipelineCommand
from .discovery import Discovery
from .fields import Closed
from .happenings import Counts, Event
from .health import Health, Metrics
from .info import Info
from .models import Model
from .results import RESULTS

Kind = Literal[
    "result", "event", "counts", "info", "model", "health", "metrics", "discovery", "answer"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

TYPES: dict[Kind, tuple[type[Closed], ...]] = {
    "result": tuple(RESULTS.values()),
    "event": (Event,),
    "counts": (Counts,),
    "info": (Info,),
    "model": (Model,),
    "health": (Health,),
    "metrics": (Metrics,),
    "discovery": (Discovery,),
    "answer": (Answer,),
}

HEARD_TYPES: dict[str, tuple[Any, ...]] = {
    "command": (
        Annotated[PipelineCommand, Meta(extra_json_schema={"minProperties": 1})],
        DeviceCommand,
    )
}
"""What is not published but listened to."""


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one kind of message. ValueError: no such kind."""
    types = {str(published): TYPES[published] for published in KINDS} | HEARD_TYPES
    if kind not in types:
        raise ValueError(f"there is no message {kind!r}; there are {', '.join(types)}")
    shapes, definitions = msgspec.json.schema_components(types[kind], ref_template="#/$defs/{name}")
    root = shapes[0] if len(shapes) == 1 else {"oneOf": list(shapes)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"edged.{kind}/1" if kind != "discovery" else "Home Assistant device discovery",
        **root,
        "$defs": definitions,
    }
