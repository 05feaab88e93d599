"""Events and counts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .fields import (
    MAX_FINDINGS,
    MAX_PARTS,
    Closed,
    Count,
    Duration,
    EventId,
    Label,
    Name,
    Share,
    Timestamp,
    Track,
)


class Event(Closed, frozen=True):
    """Something is there: it ``started``, is told again while it lasts, and has ``ended``.

    ``id`` is the same from start to end. ``track``: the object's number, null where all of a label
    are meant; ``zone`` null: anywhere in the frame. ``duration_s``: from ``started_at`` to when it
    was last seen, which is ``ended_at`` in the end. ``sequence`` counts the pipeline's events of a
    run, from 0.
    """

    schema: Literal["edged.event/1"]
    device: Name
    pipeline: Name
    run: Name
    sequence: Count
    clock_synced: bool
    id: EventId
    type: Literal["started", "updated", "ended"]
    label: Label
    score: Share | None
    track: Track | None
    zone: Name | None
    box: tuple[Share, Share, Share, Share] | None
    started_at: Timestamp
    ended_at: Timestamp | None
    duration_s: Duration


class ZoneCounts(Closed, frozen=True):
    """Who is inside now, and how many came in and left since the pipeline began."""

    inside: Annotated[dict[Label, Count], Meta(max_length=MAX_FINDINGS)]
    entered: Count
    left: Count


class LineCounts(Closed, frozen=True):
    """How many went over it since the pipeline began, as seen from its start to its end."""

    to_left: Count
    to_right: Count


class Counts(Closed, frozen=True):
    """How many are there now. A label that is left out has fewer than ``min_count``."""

    schema: Literal["edged.counts/1"]
    device: Name
    pipeline: Name
    run: Name
    at: Timestamp
    clock_synced: bool
    min_count: Count
    counts: Annotated[dict[Label, Count], Meta(max_length=MAX_FINDINGS)]
    zones: Annotated[dict[Name, ZoneCounts], Meta(max_length=MAX_PARTS)]
    lines: Annotated[dict[Name, LineCounts], Meta(max_length=MAX_PARTS)]
