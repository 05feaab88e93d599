"""Counting one pipeline: totals since the start, rates and percentiles of the last interval."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from ..records.health import Percentiles, PipelineMetrics, StageLatency
from ..records.results import Latency

INTERVAL_S = 30.0
"""How often they are published."""

# Of the frames of an interval the last so many enter its percentiles.
_KEPT = 4096
_SMOOTHED_OVER = 8


class PipelineStats:
    """Written by the inference thread, read by the daemon's thread."""

    def __init__(self, now_ns: int) -> None:
        self._lock = threading.Lock()
        self._latencies: deque[Latency] = deque(maxlen=_KEPT)
        self._since_ns = now_ns
        self._frames_before = 0
        self._inferred_before = 0
        self.inferred = 0
        self.published = 0
        self.unfit = 0
        """Windows that were cut for another model than serves, after a swap."""
        self.busy_ms = 0.0
        """What a frame takes of the inference thread's time, smoothed."""

    def record(self, latency: Latency, *, published: bool) -> None:
        self.busy_ms += (latency.total - latency.wait - self.busy_ms) / _SMOOTHED_OVER
        with self._lock:
            self._latencies.append(latency)
            self.inferred += 1
            self.published += published

    def take(
        self, now_ns: int, *, frames: int, gated: int, dropped: int, skipped: int, gaps: int
    ) -> PipelineMetrics:
        """The metrics up to now; the next interval begins. The arguments are totals."""
        with self._lock:
            latencies = list(self._latencies)
            self._latencies.clear()
            inferred, published = self.inferred, self.published
        elapsed_s = max((now_ns - self._since_ns) / 1e9, 1e-9)
        frame_rate_hz = (frames - self._frames_before) / elapsed_s
        inference_rate_hz = (inferred - self._inferred_before) / elapsed_s
        self._since_ns = now_ns
        self._frames_before, self._inferred_before = frames, inferred
        return PipelineMetrics(
            frames=frames,
            inferred=inferred,
            published=published,
            gated=gated,
            dropped=dropped,
            skipped=skipped,
            gaps=gaps,
            frame_rate_hz=frame_rate_hz,
            inference_rate_hz=inference_rate_hz,
            latency_ms=stage_latency(latencies) if latencies else None,
        )


def stage_latency(latencies: list[Latency]) -> StageLatency:
    """Percentiles by stage of at least one latency."""
    stages = Latency.__struct_fields__
    values = np.array([[getattr(latency, stage) for stage in stages] for latency in latencies])
    points = np.percentile(values, [50, 95, 99], axis=0).T.tolist()
    return StageLatency(*(Percentiles(*point) for point in points))
