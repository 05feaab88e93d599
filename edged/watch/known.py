"""What is known of a device and of a pipeline, and what each message changes in it. Pure."""

from __future__ import annotations

from collections import deque
from datetime import datetime

import msgspec

from . import words
from .payloads import Arrival, Counts, Happening, Health, Info, Metrics, Model, Result
from .sequence import Sequences

WINDOW_S = 30.0
_MOST_LATENCIES = 1000


class Event(msgspec.Struct, frozen=True):
    """Something that came, told in a line. ``notable``: also for those who see the state itself,
    because it changed; ``grave``: somebody should look.
    """

    wall: datetime
    where: str
    text: str
    notable: bool = False
    grave: bool = False


class Pace(msgspec.Struct, frozen=True):
    """Of the results of the last WINDOW_S. None: nothing to tell it from."""

    rate_hz: float | None
    p50_ms: float | None
    p95_ms: float | None


class Pipeline(msgspec.Struct):
    """``recent``: when results came (monotonic), and their total latency in ms, NaN where they
    told none.
    """

    device: str
    name: str
    health: Health | None = None
    model: Model | None = None
    counts: Counts | None = None
    last: Result | None = None
    last_wall: datetime | None = None
    sequences: Sequences = msgspec.field(default_factory=Sequences)
    recent: deque[tuple[float, float]] = msgspec.field(
        default_factory=lambda: deque(maxlen=_MOST_LATENCIES)
    )
    began_s: float | None = None

    @property
    def troubled(self) -> bool:
        return self.health is not None and self.health.state != "running"

    def pace(self, now_s: float) -> Pace:
        """Results a second, and percentiles of their latency."""
        while self.recent and self.recent[0][0] < now_s - WINDOW_S:
            self.recent.popleft()
        latencies = sorted(ms for _, ms in self.recent if ms == ms)
        if not latencies:
            return Pace(self._rate_hz(now_s), None, None)
        p50, p95 = (latencies[int(share * (len(latencies) - 1) + 0.5)] for share in (0.5, 0.95))
        return Pace(self._rate_hz(now_s), p50, p95)

    def _rate_hz(self, now_s: float) -> float | None:
        if self.began_s is None or now_s - self.began_s < 1:
            return None
        if self.began_s > now_s - WINDOW_S and len(self.recent) < _MOST_LATENCIES:
            return (len(self.recent) - 1) / (now_s - self.began_s)  # the first began the time
        if len(self.recent) == _MOST_LATENCIES:  # older ones had to go
            return len(self.recent) / max(now_s - self.recent[0][0], 1.0)
        return len(self.recent) / WINDOW_S

    def take_result(self, result: Result, arrival: Arrival) -> list[Event]:
        hole = self.sequences.take(result.run, result.sequence)
        events = []
        if hole is not None:
            numbers = f"#{hole.first}" if hole.size == 1 else f"#{hole.first} to #{hole.last}"
            text = f"{hole.size:,} missing in the sequence: {numbers}"
            events.append(self._event(arrival, text, notable=True, grave=True))
        if self.last is not None and self.last.run != result.run:
            text = f"results of another run: {words.safe(result.run)}"
            events.append(self._event(arrival, text, notable=True))
        self.last, self.last_wall = result, arrival.wall
        total_ms = result.latency_ms.get("total", float("nan"))
        self.recent.append((arrival.at_s, total_ms))
        if self.began_s is None:
            self.began_s = arrival.at_s
        events.append(self._event(arrival, words.result(result, arrival.wall)))
        return events

    def take_happening(self, told: Happening, arrival: Arrival) -> list[Event]:
        notable = told.type != "updated"
        return [self._event(arrival, words.happening(told), notable)]

    def take_counts(self, told: Counts, arrival: Arrival) -> list[Event]:
        before, self.counts = self.counts, told
        return [] if told == before else [self._event(arrival, words.counts(told))]

    def take_health(self, health: Health | None, arrival: Arrival) -> list[Event]:
        before, self.health = self.health, health
        if health == before:
            return []  # the broker tells again what it keeps, after each connection
        text = "health withdrawn" if health is None else words.health(health, arrival.wall)
        notable = before is not None or self.troubled
        return [self._event(arrival, text, notable, self.troubled)]

    def take_model(self, model: Model | None, arrival: Arrival) -> list[Event]:
        before, self.model = self.model, model
        if model == before:
            return []
        if model is None:
            return [self._event(arrival, "model withdrawn", notable=True)]
        tried = model.candidate
        grave = tried is not None and tried.verdict in ("refused", "rolled-back")
        if before is None:
            return [self._event(arrival, words.model(model), grave, grave)]
        texts = []
        if model.active != before.active:
            texts.append(words.serving(model, before))
        if tried is not None and tried != before.candidate:
            texts.append(words.candidate(tried))
        return [self._event(arrival, "; ".join(texts) or words.model(model), True, grave)]

    def _event(
        self, arrival: Arrival, text: str, notable: bool = False, grave: bool = False
    ) -> Event:
        where = words.safe(f"{self.device}/{self.name}")
        return Event(arrival.wall, where, text, notable, grave)


class Device(msgspec.Struct):
    """``status``: `online`, `offline`, or None where nobody told it."""

    name: str
    status: str | None = None
    info: Info | None = None
    metrics: Metrics | None = None
    pipelines: dict[str, Pipeline] = msgspec.field(default_factory=dict)

    @property
    def offline(self) -> bool:
        return self.status == "offline"

    def take_status(self, status: str, arrival: Arrival) -> list[Event]:
        before, self.status = self.status, status
        if status == before:
            return []
        where = words.safe(self.name)
        notable = before is not None or self.offline
        return [Event(arrival.wall, where, status, notable, self.offline)]

    def take_info(self, info: Info | None, arrival: Arrival) -> list[Event]:
        before, self.info = self.info, info
        if info is None or info == before:
            return []
        text = words.safe(f"edged {info.version}, {info.runtime} {info.runtime_version}")
        updated = before is not None and before.version != info.version
        return [Event(arrival.wall, words.safe(self.name), text, notable=updated)]

    def take_metrics(self, metrics: Metrics, arrival: Arrival) -> list[Event]:
        before = self.metrics.spool if self.metrics else None
        self.metrics = metrics
        told, grave = [", ".join(words.figures(metrics))], False
        spool = metrics.spool
        if spool.trouble and (before is None or spool.trouble != before.trouble):
            told.insert(0, f"the spool is not on the disk: {words.reason(spool.trouble)}")
            grave = True
        if before is not None and spool.dropped > before.dropped:
            more = spool.dropped - before.dropped
            told.insert(0, f"the device had to drop {words.number(more, 'more result')}")
            grave = True
        return [Event(arrival.wall, words.safe(self.name), "; ".join(told), grave, grave)]
