"""What the device and its pipelines are."""

from __future__ import annotations

import msgspec

from .models import ModelRef


class AnomalyInfo(msgspec.Struct, frozen=True):
    """The error over which an anomaly detector calls its input unusual; None while it learns that,
    until ``learning_until_ns`` of the monotonic clock, or longer where little comes to learn from.
    """

    threshold: float | None
    learning_until_ns: int | None = None


class ZoneInfo(msgspec.Struct, frozen=True):
    """``labels`` are those that the configuration names; none: whatever the model knows."""

    name: str | None
    labels: tuple[str, ...]


class PipelineInfo(msgspec.Struct, frozen=True):
    """A pipeline as ``P/info`` tells it; ``model`` and ``task`` are None while no model serves.

    ``enabled`` and ``threshold`` are what is in force, be it by a command. ``threshold`` is None
    while no model serves and none was given, and of regression; ``anomaly`` goes before it.
    ``tells``: which of "result", "event" and "counts" it publishes. ``zones`` are those of its
    counts; the first has no name and is the whole picture.
    """

    name: str
    source: str
    task: str | None
    model: ModelRef | None
    labels: tuple[str, ...]
    enabled: bool = True
    threshold: float | None = None
    anomaly: AnomalyInfo | None = None
    tells: frozenset[str] = frozenset({"result"})
    zones: tuple[ZoneInfo, ...] = ()
    lines: tuple[str, ...] = ()


class Info(msgspec.Struct, frozen=True):
    """What ``P/info`` tells of the device."""

    runtime: str
    runtime_version: str
    host: str
    os: str
    pipelines: tuple[PipelineInfo, ...]
