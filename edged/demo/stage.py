"""What both demos share: a broker, a subscriber and the daemon between them."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from .. import __version__
from .. import config as configuration
from ..build import mqtt_settings
from ..daemon import Daemon
from ..errors import EdgedError
from ..publish.settings import Version
from ..records.results import Latency
from ..service.metrics import stage_latency
from ..sources import Source
from .broker import Broker, local_broker
from .subscriber import Subscriber

_START_S = 30.0  # for models to be probed on a slow machine
MODELS_DIR = Path(__file__).resolve().parent.parent / "models"

_CONFIG = """
[device]
id = "demo"
[mqtt]
host = "127.0.0.1"
port = {port}
home_assistant = false
"""


class Show(msgspec.Struct, frozen=True):
    """What a demo shows. ``pipelines`` is TOML; ``make_source`` listens in on their sources."""

    pipelines: str
    make_source: Callable[[configuration.SourceTable], Source]


def play(show: Show, seconds: float | None, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Run for so many seconds from the first result on, or until a recording is over; the results
    that came over MQTT, in order, after they were told one by one and summed up. Raises EdgedError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="edged-demo-") as directory,
        local_broker(Path(directory)) as broker,
    ):
        tell(f"edged {__version__}: an MQTT broker listens on 127.0.0.1:{broker.port}")
        tell(
            "what follows was published by the daemon and came back over MQTT (topics edged/demo/#)"
        )
        subscriber = Subscriber(broker.port, tell)
        began_s = time.monotonic()
        try:
            subscriber.start()
            _run_daemon(show, broker, Path(directory), partial(_wait, subscriber.first, seconds))
            lasted_s = time.monotonic() - began_s
        finally:
            subscriber.stop()
    if not subscriber.results:
        raise EdgedError("The demo got no result; run it again with --debug to see why")
    for line in summary(subscriber.results, seconds or round(lasted_s, 1)):
        tell(line)
    return subscriber.results


def _wait(first: threading.Event, seconds: float | None, over: threading.Event) -> None:
    """Until the time is up, which begins when there is something to see, or all is over."""
    if seconds is not None:
        first.wait(_START_S)
    over.wait(seconds)


def _run_daemon(
    show: Show, broker: Broker, state: Path, wait: Callable[[threading.Event], None]
) -> None:
    text = _CONFIG.format(port=broker.port) + show.pipelines
    config = configuration.parse_config(text.encode(), "demo.toml")
    settings = mqtt_settings(config.mqtt, config.device.id, {})
    if not broker.speaks_5:
        settings = replace(settings, first_version=Version.V3_1_1)
    daemon = Daemon(config, lambda: config, settings, state, MODELS_DIR, show.make_source)
    over = threading.Event()

    def stop_in_time() -> None:
        wait(over)
        daemon.stop()

    threading.Thread(target=stop_in_time, name="timer", daemon=True).start()
    daemon.run()
    over.set()


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
