"""Counts, rates and percentiles of one pipeline."""

from __future__ import annotations

import pytest

from edged.records.results import Latency
from edged.service.metrics import PipelineStats

S = 1_000_000_000


def latency(total: float) -> Latency:
    return Latency(wait=0.5, preprocess=0.25, inference=total / 2, decode=0.1, total=total)


def test_rates_are_of_the_interval_and_counts_of_the_whole_run() -> None:
    stats = PipelineStats(now_ns=0)
    for number in range(10):
        stats.record(latency(number), published=number % 2 == 0)
    first = stats.take(2 * S, frames=20, gated=3, dropped=10, skipped=1, gaps=2)
    assert (first.inferred, first.published, first.dropped) == (10, 5, 10)
    assert (first.gated, first.skipped, first.gaps) == (3, 1, 2)
    assert first.frame_rate_hz == pytest.approx(10)
    assert first.inference_rate_hz == pytest.approx(5)
    second = stats.take(4 * S, frames=30, gated=3, dropped=20, skipped=1, gaps=2)
    assert (second.frames, second.inferred) == (30, 10)
    assert second.frame_rate_hz == pytest.approx(5)
    assert second.inference_rate_hz == 0
    assert second.latency_ms is None


def test_percentiles_are_by_stage() -> None:
    stats = PipelineStats(now_ns=0)
    for number in range(101):
        stats.record(latency(number), published=True)
    found = stats.take(S, frames=101, gated=0, dropped=0, skipped=0, gaps=0).latency_ms
    assert found is not None
    assert (found.total.p50, found.total.p95, found.total.p99) == (50, 95, 99)
    assert found.inference.p50 == 25
    assert found.wait.p99 == 0.5
