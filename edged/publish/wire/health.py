"""Health and metrics."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .fields import (
    MAX_PIPELINES,
    Celsius,
    Closed,
    Count,
    Milliseconds,
    Name,
    Rate,
    Reason,
    Seconds,
    Timestamp,
)


class Health(Closed, frozen=True):
    """A pipeline's state, why, and since when."""

    schema: Literal["edged.health/1"]
    device: Name
    pipeline: Name
    state: Literal["running", "source-lost", "degraded", "stopped"]
    reason: Reason | None
    since: Timestamp


class Percentiles(Closed, frozen=True):
    """Of one stage over the last interval, in milliseconds."""

    p50: Milliseconds
    p95: Milliseconds
    p99: Milliseconds


class StageLatency(Closed, frozen=True):
    """Percentiles by stage; the stages are those of a result's ``latency_ms``."""

    wait: Percentiles
    preprocess: Percentiles
    inference: Percentiles
    decode: Percentiles
    total: Percentiles


class PipelineMetrics(Closed, frozen=True):
    """One pipeline's counts since the start, and its rates and latencies of the last interval."""

    frames: Count
    inferred: Count
    published: Count
    gated: Count
    dropped: Count
    skipped: Count
    gaps: Count
    frame_rate_hz: Rate
    inference_rate_hz: Rate
    latency_ms: StageLatency | None


class SpoolMetrics(Closed, frozen=True):
    """Results that wait for the broker, and those that were lost since the start.

    ``in_memory``: those of ``depth`` that are nowhere else, and that a kill would cost.
    ``dropped``: for the bounds of size and age, or with a damaged file. ``refused``: by the broker
    or by the limits of a message. ``bytes``: what the spool takes on the disk. ``storage``:
    where results that wait are put now; ``trouble``: why not on the disk, where they ought to be.
    """

    depth: Count
    in_memory: Count
    dropped: Count
    refused: Count
    bytes: Count
    storage: Literal["disk", "memory"]
    trouble: Reason | None


Flag = Literal["under-voltage", "frequency-capped", "throttled", "soft-temperature-limit"]
Flags = Annotated[tuple[Flag, ...], Meta(max_length=4)]


class Throttling(Closed, frozen=True):
    """What slows a Raspberry Pi's processor down."""

    now: Flags
    since_boot: Flags


class Metrics(Closed, frozen=True):
    """The device in figures; null is what the machine does not tell.

    ``throttled``: whether ``throttling.now`` holds anything.
    """

    schema: Literal["edged.metrics/1"]
    device: Name
    uptime_s: Seconds
    pipelines: Annotated[dict[Name, PipelineMetrics], Meta(max_length=MAX_PIPELINES)]
    spool: SpoolMetrics
    cpu_temperature_c: Celsius | None
    throttled: bool | None
    throttling: Throttling | None
    memory_bytes: Count
