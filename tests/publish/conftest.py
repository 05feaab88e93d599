"""Records to publish, and publishers that are closed at the end of a test."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from patience import PATIENCE_S

from edged.publish import Context, SpoolSettings
from edged.publish.publisher import Publisher
from edged.publish.settings import MqttSettings
from edged.records.models import ModelRef
from edged.records.results import Detection, Latency, Result


class FixedClock:
    """A clock whose monotonic zero was at 2026-11-22 06:24 UTC."""

    def __init__(self) -> None:
        self.zero = datetime(2026, 11, 22, 6, 24, tzinfo=UTC)
        self.is_synced = True
        self.now_ns = 0

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_of(self, monotonic_ns: int) -> datetime:
        return self.zero + timedelta(microseconds=monotonic_ns // 1000)

    def synced(self) -> bool:
        return self.is_synced


@pytest.fixture
def context() -> Context:
    return Context(
        prefix="edged", device="pi", run="c0ffee12", qos=1, clock=FixedClock(), version="0.1.0"
    )


@pytest.fixture
def a_result() -> Callable[..., Result]:
    """``a_result(sequence)``: a detection result of the pipeline `front`."""

    def made(sequence: int, pipeline: str = "front", label: str = "cat") -> Result:
        return Result(
            pipeline=pipeline,
            sequence=sequence,
            captured_ns=123_000_000,
            model=ModelRef("coco-ssd", "e4b118e5e453"),
            latency_ms=Latency(wait=0.3, preprocess=0.21, inference=12.9, decode=0.06, total=13.5),
            task="detection",
            findings=(Detection(label, 0.73, (0.0712, 0.131, 0.7181, 0.977)),),
        )

    return made


@pytest.fixture
def publisher(context: Context) -> Iterator[Callable[..., Publisher]]:
    """Starts publishers: ``publisher(port)``, ``publisher(port, qos=0, username="u", ...)``."""
    publishers: list[Publisher] = []

    def started(
        port: int,
        capacity: int = 1000,
        qos: int = 1,
        spool: SpoolSettings | None = None,
        **settings: Any,
    ) -> Publisher:
        mqtt = MqttSettings(**{"host": "127.0.0.1", **settings}, port=port, client_id="edged-pi")
        publishers.append(Publisher(mqtt, replace(context, qos=qos), capacity, spool))
        publishers[-1].start()
        return publishers[-1]

    yield started
    for each in publishers:
        each.close(timeout_s=2)


class Told(logging.Handler):
    """What the publisher has logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.lines.append(record.getMessage())
            self._changed.notify_all()

    def wait_for(self, text: str, times: int = 1) -> str:
        """Wait for a line with ``text``, or for several; gives the last."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= times, PATIENCE_S):
                pytest.fail(f"nobody said {text!r} {times} times but: {self.lines}")
            return found()[-1]


@pytest.fixture
def told() -> Iterator[Told]:
    log = logging.getLogger("edged.publish")
    handler, level = Told(), log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler
    log.removeHandler(handler)
    log.setLevel(level)


class ScriptedBroker:
    """Answers each connection's CONNECT with the next of ``answers``: bytes, None for silence.

    An answer is followed by the end of the connection; ``levels`` holds the MQTT asked for.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.levels: list[int] = []
        self._answers = answers
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        silent = []
        try:
            for answer in self._answers:
                connection, _ = self._listener.accept()
                connection.settimeout(PATIENCE_S)
                connect = connection.recv(4096)
                with self._changed:
                    self.levels.append(connect[8])
                    self._changed.notify_all()
                if answer is None:
                    silent.append(connection)
                else:
                    connection.sendall(answer)
                    connection.close()
        except OSError:
            pass  # the test is over
        for connection in silent:
            connection.close()

    def wait_for_connections(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.levels) >= count, PATIENCE_S)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedBroker]]:
    brokers: list[ScriptedBroker] = []

    def started(*answers: bytes | None) -> ScriptedBroker:
        brokers.append(ScriptedBroker(*answers))
        return brokers[-1]

    yield started
    for broker in brokers:
        broker.close()
