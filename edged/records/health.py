"""Health and metrics: the states of pipelines, and the device in figures."""

from __future__ import annotations

import enum
from typing import Literal

import msgspec


class HealthState(enum.Enum):
    """The states of a pipeline that are published."""

    RUNNING = "running"
    SOURCE_LOST = "source-lost"
    DEGRADED = "degraded"
    STOPPED = "stopped"


class Health(msgspec.Struct, frozen=True):
    """A pipeline's state, why (None while all is well), and since when."""

    pipeline: str
    state: HealthState
    reason: str | None
    since_ns: int


class Percentiles(msgspec.Struct, frozen=True):
    """Of one stage over the last interval, in milliseconds."""

    p50: float
    p95: float
    p99: float


class StageLatency(msgspec.Struct, frozen=True):
    """Percentiles by stage; the stages are those of ``Latency``."""

    wait: Percentiles
    preprocess: Percentiles
    inference: Percentiles
    decode: Percentiles
    total: Percentiles


class PipelineMetrics(msgspec.Struct, frozen=True):
    """One pipeline's counts since the daemon started, and its rates over the last interval.

    ``frames``: given by the source; ``inferred``: through the model; ``published``: results handed
    to the publisher; ``gated``: not inferred because nothing moved; ``dropped``: replaced by a
    newer frame before the engine was free; ``skipped``: pictures of a recording that could not be
    read; ``gaps``: breaks in the samples of a sensor, which no window bridges. ``latency_ms`` is
    None when nothing was inferred in the interval. Of a sensor the frames are windows.
    """

    frames: int
    inferred: int
    published: int
    gated: int
    dropped: int
    skipped: int
    gaps: int
    frame_rate_hz: float
    inference_rate_hz: float
    latency_ms: StageLatency | None


class SpoolMetrics(msgspec.Struct, frozen=True):
    """Results that wait for the broker, and those that were lost since the start.

    ``in_memory``: those of ``depth`` that are nowhere else, and that a kill would cost.
    ``dropped``: for the bounds of size and age, or with a damaged file. ``refused``: by the broker
    or by the limits of a message. ``bytes``: what the spool takes on the disk. ``on_disk``:
    whether results that wait are written there now; ``trouble``: why not, where they ought to be.
    """

    depth: int
    dropped: int
    refused: int = 0
    in_memory: int = 0
    bytes: int = 0
    on_disk: bool = False
    trouble: str | None = None


# In the order of their bits in the firmware's word.
ChipFlag = Literal["under-voltage", "frequency-capped", "throttled", "soft-temperature-limit"]


class Throttling(msgspec.Struct, frozen=True):
    """What the Pi's firmware does to the processor, by the names of its flags."""

    now: tuple[ChipFlag, ...]
    since_boot: tuple[ChipFlag, ...]


class Metrics(msgspec.Struct, frozen=True):
    """What ``P/metrics`` tells; values that the machine does not give are None."""

    uptime_s: float
    pipelines: dict[str, PipelineMetrics]
    spool: SpoolMetrics
    cpu_temperature_c: float | None
    throttling: Throttling | None
    memory_bytes: int
