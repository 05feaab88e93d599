"""``edged demo``: the whole thing on one machine, with nothing to set up.

A synthetic camera whose truth is known, the bundled detector, the real daemon and a real MQTT
broker (amqtt, in this process, on a free loopback port). What is shown and measured came back
over MQTT, as any subscriber would get it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from . import __version__
from . import config as configuration
from .build import make_source, mqtt_settings
from .daemon import Daemon
from .errors import EdgedError, MissingExtra
from .groundtruth import Counts, match
from .publish.settings import Version
from .records import Detection, Frame, Latency
from .service.metrics import stage_latency
from .sources import Source
from .sources.scene import Truth

MODELS_DIR = Path(__file__).parent / "models"
_SECONDS_BETWEEN_LINES = 0.5
_SAME_FRAME_S = 0.005  # stamps are published in whole milliseconds

_CONFIG = """
[device]
id = "demo"
[mqtt]
host = "127.0.0.1"
port = {port}
home_assistant = false
[[pipelines]]
name = "shapes"
model = "shapes"
threshold = 0.5
[pipelines.source]
kind = "synthetic"
fps = 15
"""


class EmbeddedBroker:
    """amqtt on a free loopback port, in a thread with its own event loop."""

    def __init__(self) -> None:
        """Raises MissingExtra where amqtt is not installed."""
        try:
            from amqtt.broker import Broker
        except ImportError as error:
            raise MissingExtra("The demo's MQTT broker (amqtt)", "demo") from error
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)
        logging.getLogger("transitions").setLevel(logging.CRITICAL)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        listener = {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        settings = {"listeners": {"default": listener}, "plugins": plugins}
        self._broker: Any = Broker(settings, loop=self._loop)
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def start(self) -> None:
        """Returns once it listens. Raises EdgedError."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._broker.start(), self._loop).result(10)
        except Exception as error:
            raise EdgedError(f"The demo's MQTT broker did not start: {error}") from error

    def stop(self) -> None:
        with suppress(Exception):  # the demo is over; there is nobody left to serve
            asyncio.run_coroutine_threadsafe(self._broker.shutdown(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)


@dataclass(slots=True)
class Truths:
    """What each frame of the synthetic camera showed, by the wall-clock time of its capture."""

    times_s: list[float] = field(default_factory=list)
    shapes: list[list[Truth]] = field(default_factory=list)

    def add(self, frame: Frame, shapes: list[Truth]) -> None:
        """Called from the capture thread."""
        age_s = (time.monotonic_ns() - frame.captured_ns) / 1e9
        self.shapes.append(shapes)
        self.times_s.append(time.time() - age_s)

    def at(self, captured_s: float) -> list[Truth] | None:
        """What the frame of that moment showed; None where no frame is that near."""
        times_s = self.times_s[:]
        place = bisect_left(times_s, captured_s)
        near = [i for i in (place - 1, place) if 0 <= i < len(times_s)]
        best = min(near, key=lambda i: abs(times_s[i] - captured_s), default=None)
        if best is None or abs(times_s[best] - captured_s) > _SAME_FRAME_S:
            return None
        return self.shapes[best]


class Subscriber:
    """What any user would write: subscribes, shows results, and keeps them for the summary."""

    def __init__(self, port: int, tell: Callable[[str], None]) -> None:
        self.results: list[dict[str, Any]] = []
        self._tell = tell
        self._last_line_s = 0.0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "demo-subscriber")
        self._client.on_connect = lambda client, *_: client.subscribe("edged/demo/#", qos=1)
        self._client.on_message = self._on_message
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)

    def start(self) -> None:
        """Returns once subscribed. Raises EdgedError."""
        self._client.loop_start()
        if not self._subscribed.wait(10):
            raise EdgedError("The demo's subscriber found no broker to subscribe at")

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        kind = message.topic.rpartition("/")[2]
        if kind == "result":
            self._show(json.loads(message.payload))
        elif kind in ("health", "model"):
            told = json.loads(message.payload)
            if kind == "health":
                self._tell(f"{message.topic}: {told['state']}")
            elif told["active"]:
                active = told["active"]
                self._tell(f"{message.topic}: {active['name']} {active['version']} serves")

    def _show(self, result: dict[str, Any]) -> None:
        self.results.append(result)
        now_s = time.monotonic()
        if now_s - self._last_line_s < _SECONDS_BETWEEN_LINES:
            return
        self._last_line_s = now_s
        found = ", ".join(f"{one['label']} {one['score']:.2f}" for one in result["detections"])
        took = result["latency_ms"]["total"]
        self._tell(f"  #{result['sequence']:<5} {took:6.2f} ms   {found or 'nothing'}")


def run_demo(seconds: float, tell: Callable[[str], None]) -> None:
    """Run for so many seconds, then sum up. Raises EdgedError."""
    truths = Truths()

    def listening_source(source: configuration.SourceTable) -> Source:
        if not isinstance(source, configuration.Synthetic):
            return make_source(source)
        from .sources.synthetic import SyntheticSource

        return SyntheticSource(seed=source.seed, fps=source.fps or None, on_frame=truths.add)

    broker = EmbeddedBroker()
    broker.start()
    tell(f"edged {__version__}: an MQTT broker listens on 127.0.0.1:{broker.port}")
    tell("what follows was published by the daemon and came back over MQTT (topics edged/demo/#)")
    subscriber = Subscriber(broker.port, tell)
    try:
        subscriber.start()
        config = configuration.parse_config(_CONFIG.format(port=broker.port).encode(), "demo.toml")
        with tempfile.TemporaryDirectory(prefix="edged-demo-") as state:
            # amqtt misreads a CONNECT of MQTT 5 that carries a will, and never answers.
            settings = replace(
                mqtt_settings(config.mqtt, config.device.id, {}), first_version=Version.V3_1_1
            )
            daemon = Daemon(
                config, lambda: config, settings, Path(state), MODELS_DIR, listening_source
            )
            timer = threading.Timer(seconds, daemon.stop)
            timer.daemon = True
            timer.start()
            daemon.run()
            timer.cancel()
    finally:
        subscriber.stop()
        broker.stop()
    for line in summary(subscriber.results, truths, seconds):
        tell(line)
    if not subscriber.results:
        raise EdgedError("The demo got no result; run it again with --debug to see why")


def summary(results: list[dict[str, Any]], truths: Truths, seconds: float) -> list[str]:
    """What came of it, in lines."""
    sequence = [result["sequence"] for result in results]
    missing = (max(sequence) + 1 - len(set(sequence))) if sequence else 0
    lines = [
        "",
        f"results   {len(results)} in {seconds:g} s ({len(results) / seconds:.1f} a second), "
        f"{missing} missing in the sequence",
    ]
    if not results:
        return lines
    stages = stage_latency([Latency(**result["latency_ms"]) for result in results])
    lines.append("latency   ms       p50     p95     p99")
    for stage in stages.__struct_fields__:
        points = getattr(stages, stage)
        lines.append(
            f"          {stage:<10} {points.p50:6.2f}  {points.p95:6.2f}  {points.p99:6.2f}"
        )
    counts, judged = judge(results, truths)
    lines.append(
        f"accuracy  precision {counts.precision:.3f}, recall {counts.recall:.3f} "
        f"against the ground truth of {judged} frames (threshold 0.5, overlap 0.5)"
    )
    return lines


def judge(results: list[dict[str, Any]], truths: Truths) -> tuple[Counts, int]:
    """Right and wrong detections over the frames whose truth is known, and how many those are."""
    counts, judged = Counts(), 0
    for result in results:
        captured = datetime.fromisoformat(result["captured_at"]).astimezone(UTC)
        shapes = truths.at(captured.timestamp())
        if shapes is not None:
            judged += 1
            found = [
                Detection(one["label"], one["score"], tuple(one["box"]))
                for one in result["detections"]
            ]
            counts += match(shapes, found)
    return counts, judged
