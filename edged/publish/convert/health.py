"""Health and metrics."""

from __future__ import annotations

from ...records.health import (
    Health,
    Metrics,
    Percentiles,
    PipelineMetrics,
    SpoolMetrics,
    StageLatency,
)
from .. import Context
from ..wire import health as wire
from ..wire.fields import RATE_DECIMALS, Closed
from .values import ms, rounded, short_reason, timestamp


def health(record: Health, context: Context) -> Closed:
    return wire.Health(
        "edged.health/1",
        context.device,
        record.pipeline,
        record.state.value,
        short_reason(record.reason),
        timestamp(record.since_ns, context),
    )


def metrics(record: Metrics, context: Context) -> Closed:
    celsius, throttling = record.cpu_temperature_c, record.throttling
    return wire.Metrics(
        "edged.metrics/1",
        context.device,
        rounded(record.uptime_s, 1),
        {name: _pipeline_metrics(counts) for name, counts in record.pipelines.items()},
        _spool_metrics(record.spool),
        None if celsius is None else rounded(celsius, 1),
        None if throttling is None else bool(throttling.now),
        None if throttling is None else wire.Throttling(throttling.now, throttling.since_boot),
        record.memory_bytes,
    )


def _spool_metrics(spool: SpoolMetrics) -> wire.SpoolMetrics:
    return wire.SpoolMetrics(
        depth=spool.depth,
        in_memory=spool.in_memory,
        dropped=spool.dropped,
        refused=spool.refused,
        bytes=spool.bytes,
        storage="disk" if spool.on_disk else "memory",
        trouble=short_reason(spool.trouble),
    )


def _pipeline_metrics(counts: PipelineMetrics) -> wire.PipelineMetrics:
    return wire.PipelineMetrics(
        frames=counts.frames,
        inferred=counts.inferred,
        published=counts.published,
        gated=counts.gated,
        dropped=counts.dropped,
        skipped=counts.skipped,
        gaps=counts.gaps,
        frame_rate_hz=rounded(counts.frame_rate_hz, RATE_DECIMALS),
        inference_rate_hz=rounded(counts.inference_rate_hz, RATE_DECIMALS),
        latency_ms=None if counts.latency_ms is None else _stages(counts.latency_ms),
    )


def _stages(spent: StageLatency) -> wire.StageLatency:
    return wire.StageLatency(
        wait=_percentiles(spent.wait),
        preprocess=_percentiles(spent.preprocess),
        inference=_percentiles(spent.inference),
        decode=_percentiles(spent.decode),
        total=_percentiles(spent.total),
    )


def _percentiles(of: Percentiles) -> wire.Percentiles:
    return wire.Percentiles(p50=ms(of.p50), p95=ms(of.p95), p99=ms(of.p99))
