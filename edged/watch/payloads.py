"""What the daemon publishes, as a subscriber reads it.

More tolerant than ``publish.wire``, which is what may be sent: a newer daemon may publish more
fields, and other programs may publish anything at all under these topics. What cannot be read is
told as such (``Unreadable``) and never raised.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

MAX_BYTES = 64 * 1024
"""Longer payloads are not looked at; edged sends at most 16 KiB."""

Sequence = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Arrival(msgspec.Struct, frozen=True):
    """A message as it came. ``at_s`` is of the monotonic clock, ``wall`` of the wall clock."""

    topic: str
    payload: bytes
    retained: bool
    at_s: float
    wall: datetime


class Place(msgspec.Struct, frozen=True):
    """Where a topic leads. ``pipeline`` None: the device's own; ``leaf`` is what is told."""

    device: str
    pipeline: str | None
    leaf: str


class Unreadable(msgspec.Struct, frozen=True):
    """A payload that is not what its topic says."""

    why: str


class ModelRef(Struct, frozen=True):
    """A model, by its name and version."""

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name} {self.version}"


class Finding(Struct, frozen=True):
    """A class, an object, a region or a person."""

    label: str = "person"
    score: float | None = None
    fraction: float | None = None
    track: int | None = None


class Crop(Struct, frozen=True):
    """What a result is of, where that is not a whole frame."""

    pipeline: str
    label: str
    track: int | None = None


class Result(Struct, frozen=True):
    """A result of whatever task."""

    run: str
    sequence: Sequence
    captured_at: str = ""
    clock_synced: bool = True
    model: ModelRef | None = None
    latency_ms: dict[str, float] = {}
    classes: tuple[Finding, ...] = ()
    detections: tuple[Finding, ...] = ()
    regions: tuple[Finding, ...] = ()
    people: tuple[Finding, ...] = ()
    values: dict[str, float] = {}
    crop: Crop | None = None


class Happening(Struct, frozen=True):
    """An event."""

    type: str
    label: str
    zone: str | None = None
    track: int | None = None
    duration_s: float = 0.0


class Counts(Struct, frozen=True):
    """How many are there."""

    counts: dict[str, int]


class Health(Struct, frozen=True):
    """A pipeline's state."""

    state: str
    reason: str | None = None
    since: str = ""


class Candidate(ModelRef, frozen=True):
    """The last model that was tried."""

    verdict: str = ""
    reason: str | None = None
    at: str = ""


class Model(Struct, frozen=True):
    """Which model serves, and what became of the last candidate."""

    active: ModelRef | None = None
    candidate: Candidate | None = None


class Info(Struct, frozen=True):
    """The device."""

    version: str = ""
    runtime: str = ""
    runtime_version: str = ""


class PipelineFigures(Struct, frozen=True):
    """What metrics say of one pipeline."""

    inference_rate_hz: float | None = None
    dropped: int = 0


class Spool(Struct, frozen=True):
    """Results that wait on the device, and those that it had to drop. ``storage``: where those
    that wait are put; ``trouble``: why not on the disk, where they ought to be.
    """

    depth: int = 0
    dropped: int = 0
    refused: int = 0
    storage: str = "disk"
    trouble: str | None = None


class Metrics(Struct, frozen=True):
    """The device in figures."""

    uptime_s: float | None = None
    pipelines: dict[str, PipelineFigures] = {}
    spool: Spool = Spool()
    cpu_temperature_c: float | None = None
    throttled: bool | None = None
    memory_bytes: int | None = None


Told = TypeVar("Told", Result, Happening, Counts, Health, Model, Info, Metrics)


def place(topic: str, prefix: str) -> Place | None:
    """Where a topic below ``prefix`` leads; None for one that edged has not."""
    match topic.removeprefix(f"{prefix}/").split("/") if topic.startswith(f"{prefix}/") else []:
        case [device, leaf] if device and leaf:
            return Place(device, None, leaf)
        case [device, pipeline, leaf] if device and pipeline and leaf:
            return Place(device, pipeline, leaf)
    return None


def read(payload: bytes, kind: type[Told]) -> Told | Unreadable:
    """A payload as what its topic says it is."""
    if len(payload) > MAX_BYTES:
        return Unreadable(f"over {MAX_BYTES:,} bytes, which edged never sends")
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(str(error))


def time_of(text: str) -> datetime | None:
    """A published time; None where it is none."""
    try:
        told = datetime.fromisoformat(text)
        return told.astimezone() if told.tzinfo else None
    except (ValueError, OverflowError, OSError):
        return None
