"""What `edged watch` is fed with in its tests: messages as they arrive, without a broker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from edged.watch.board import Board
from edged.watch.known import Event
from edged.watch.payloads import Arrival

BEGIN = datetime(2026, 11, 22, 6, 24, tzinfo=UTC)


class Feeder:
    """Feeds a board; ``at_s`` is the time, and is moved by hand."""

    def __init__(self) -> None:
        self.board = Board("edged")
        self.at_s = 1000.0

    @property
    def wall(self) -> datetime:
        return BEGIN + timedelta(seconds=self.at_s - 1000.0)

    def arrival(self, topic: str, payload: bytes | dict[str, Any]) -> Arrival:
        encoded = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return Arrival(f"edged/{topic}", encoded, False, self.at_s, self.wall)

    def take(self, topic: str, payload: bytes | dict[str, Any]) -> list[Event]:
        return self.board.take(self.arrival(topic, payload))

    def texts(self, topic: str, payload: bytes | dict[str, Any]) -> list[str]:
        """What is told of a message."""
        return [event.text for event in self.take(topic, payload)]

    def result(self, sequence: int, where: str = "pi/front", **more: Any) -> list[Event]:
        return self.take(f"{where}/result", a_result(sequence, **more))

    def health(self, state: str, where: str = "pi/front", reason: str | None = None) -> list[Event]:
        told = {"state": state, "reason": reason, "since": "2026-11-22T06:20:00.000Z"}
        return self.take(f"{where}/health", told)


def a_result(sequence: int, **more: Any) -> dict[str, Any]:
    """A detection of a cat, unless ``more`` says otherwise."""
    return {
        "schema": "edged.result/1",
        "device": "pi",
        "pipeline": "front",
        "run": "c0ffee12",
        "sequence": sequence,
        "captured_at": "2026-11-22T06:24:00.000Z",
        "clock_synced": True,
        "model": {"name": "coco-ssd", "version": "e4b118e5e453"},
        "latency_ms": {
            "wait": 0.3,
            "preprocess": 0.21,
            "inference": 12.9,
            "decode": 0.06,
            "total": 13.5,
        },
        "task": "detection",
        "detections": [{"label": "cat", "score": 0.73, "box": [0.07, 0.13, 0.71, 0.97]}],
        **more,
    }


def a_model(
    version: str = "e4b118e5e453", verdict: str | None = None, reason: str | None = None
) -> dict[str, Any]:
    """That version of `coco-ssd` serves; the last candidate, 999999999999, got that verdict."""
    active = {"name": "coco-ssd", "version": version, "size_bytes": 1, "task": "detection"}
    tried = {"name": "coco-ssd", "version": "999999999999", "verdict": verdict, "reason": reason}
    return {"active": active, "candidate": tried if verdict else None}


def metrics(depth: int = 0, dropped: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "uptime_s": 11520.0,
        "pipelines": {"front": {"inference_rate_hz": 14.9, "dropped": 3, "latency_ms": None}},
        "spool": {"depth": depth, "dropped": dropped, "bytes": 5},
        "cpu_temperature_c": 47.2,
        "throttled": False,
        "memory_bytes": 104_000_000,
        **more,
    }
