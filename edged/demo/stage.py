"""What both demos share: a broker, a subscriber and the daemon between them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from .. import config as configuration
from ..build import mqtt_settings
from ..daemon import Daemon
from ..errors import EdgedError
from ..publish.settings import Version
from ..records import Latency
from ..service.metrics import stage_latency
from ..sources import Source
from .broker import EmbeddedBroker
from .subscriber import Subscriber

MODELS_DIR = Path(__file__).resolve().parent.parent / "models"

_CONFIG = """
[device]
id = "demo"
[mqtt]
host = "127.0.0.1"
port = {port}
home_assistant = false
"""


@dataclass(frozen=True, slots=True)
class Show:
    """What a demo shows. ``pipelines`` is TOML; ``make_source`` listens in on their sources."""

    pipelines: str
    make_source: Callable[[configuration.SourceTable], Source]


def play(show: Show, seconds: float | None, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run for so many seconds, or until a recording is over; the results that came over MQTT, in
    order, after they were told one by one and summed up. Raises EdgedError.
    """
    broker = EmbeddedBroker()
    broker.start()
    tell(f"edged {__version__}: an MQTT broker listens on 127.0.0.1:{broker.port}")
    tell("what follows was published by the daemon and came back over MQTT (topics edged/demo/#)")
    subscriber = Subscriber(broker.port, tell)
    began_s = time.monotonic()
    try:
        subscriber.start()
        _run_daemon(show, broker.port, seconds)
        lasted_s = time.monotonic() - began_s
    finally:
        subscriber.stop()
        broker.stop()
    if not subscriber.results:
        raise EdgedError("The demo got no result; run it again with --debug to see why")
    for line in summary(subscriber.results, seconds or round(lasted_s, 1)):
        tell(line)
    return subscriber.results


def _run_daemon(show: Show, port: int, seconds: float | None) -> None:
    text = _CONFIG.format(port=port) + show.pipelines
    config = configuration.parse_config(text.encode(), "demo.toml")
    with tempfile.TemporaryDirectory(prefix="edged-demo-") as state:
        # amqtt misreads a CONNECT of MQTT 5 that carries a will, and never answers.
        settings = replace(
            mqtt_settings(config.mqtt, config.device.id, {}), first_version=Version.V3_1_1
        )
        daemon = Daemon(config, lambda: config, settings, Path(state), MODELS_DIR, show.make_source)
        timer = threading.Timer(seconds, daemon.stop) if seconds is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        daemon.run()
        if timer is not None:
            timer.cancel()


def summary(results: list[dict[str, Any]], seconds: float) -> list[str]:
    """What came, how much of it, and how fast, in lines."""
    sequence = [result["sequence"] for result in results]
    missing = max(sequence) + 1 - len(set(sequence))
    lines = [
        "",
        f"results   {len(results)} in {seconds:g} s ({len(results) / seconds:.1f} a second), "
        f"{missing} missing in the sequence",
    ]
    stages = stage_latency([Latency(**result["latency_ms"]) for result in results])
    lines.append("latency   ms       p50     p95     p99")
    for stage in stages.__struct_fields__:
        points = getattr(stages, stage)
        lines.append(
            f"          {stage:<10} {points.p50:6.2f}  {points.p95:6.2f}  {points.p99:6.2f}"
        )
    return lines
