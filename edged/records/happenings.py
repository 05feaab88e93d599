"""Events and counts: what is there for how long, and how many."""

from __future__ import annotations

import enum

import msgspec

from .frames import Box


class EventType(enum.Enum):
    """An event begins, is told again while it lasts, and ends."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


class Happening(msgspec.Struct, frozen=True):
    """An event: something is there, from ``started_ns`` to ``seen_ns`` as far as is known.

    ``id`` is the same from its start to its end. ``track`` None: all of the label together;
    ``zone`` None: anywhere in the frame. ``score`` and ``box`` are None of what has none.
    """

    pipeline: str
    sequence: int
    id: str
    type: EventType
    label: str
    score: float | None
    track: int | None
    zone: str | None
    box: Box | None
    started_ns: int
    seen_ns: int


class ZoneCounts(msgspec.Struct, frozen=True):
    """How many are inside by their labels; how many came in and left since the pipeline began."""

    inside: dict[str, int]
    entered: int
    left: int


class LineCounts(msgspec.Struct, frozen=True):
    """How many went over a line since the pipeline began, as seen from its start to its end."""

    to_left: int
    to_right: int


class Counts(msgspec.Struct, frozen=True):
    """How many are there, by their labels; fewer than ``min_count`` of one are not told."""

    pipeline: str
    at_ns: int
    min_count: int
    objects: dict[str, int]
    zones: dict[str, ZoneCounts]
    lines: dict[str, LineCounts]

    @property
    def said(self) -> tuple[object, ...]:
        """All of it but when."""
        return self.objects, self.zones, self.lines
