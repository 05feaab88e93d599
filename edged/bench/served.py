"""The daemon as a contestant: ``python -m edged.bench.served CONFIG FRAMES``.

It is the whole daemon but for its source: that gives what lies in memory, one at the start, so that
there is a first result, and then as many as a turn asks for, each as soon as the one before was
taken. Nothing is dropped, and the next one always waits already: `wait` is about an inference.
"""

from __future__ import annotations

import argparse
import logging
import os
import queue
import threading
import time
from pathlib import Path

from msgspec.structs import replace

from .. import config as configuration
from ..build import mqtt_settings
from ..daemon import Daemon
from ..errors import EdgedError
from ..publish.settings import MqttSettings, Version
from ..records.models import ModelReport, Verdict
from ..records.published import Record
from ..records.results import Latency, Result
from ..samples import Given, Want
from ..service.logs import start_logging
from ..sources import NotYet
from .answers import ENDED, answer, say
from .items import Kept, add_item_arguments

_PATIENCE_S = 60.0  # for one more result
_DELIVERY_S = 10.0
_STEP_S = 0.2


class OnOrder:
    """A source (see ``sources.Source``) of what is kept, as many as were ordered."""

    live = False

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._orders: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._left = 1
        self._number = 0

    def order(self, count: int) -> None:
        """From another thread."""
        self._orders.put(count)

    def open(self, want: Want) -> None:
        """Nothing is to be opened, and what is given does not depend on what is wanted."""

    def read(self) -> Given:
        if not self._left:
            try:
                self._left = self._orders.get(timeout=_STEP_S)
            except queue.Empty:
                raise NotYet from None
        self._left -= 1
        self._number += 1
        return self._kept.item(self._number)

    def close(self) -> None:
        """Nothing was opened."""


class MeasuredDaemon(Daemon):
    """Notes what each result took, and what handing it to the publisher took."""

    def __init__(
        self, config: configuration.Config, settings: MqttSettings, source: OnOrder
    ) -> None:
        state, models = config.device.state_dir, config.models.dir
        assert state is not None
        assert models is not None
        super().__init__(config, lambda: config, settings, state, models, lambda _: source)
        self._source = source
        self._latencies: list[Latency] = []
        self._stamps: list[tuple[int, int]] = []  # began and ended the hand-over
        self._known_good = False

    def _publish(self, record: Record) -> None:
        began_ns = time.monotonic_ns()
        super()._publish(record)
        if isinstance(record, Result):
            self._latencies.append(record.latency_ms)
            self._stamps.append((began_ns, time.monotonic_ns()))
        elif isinstance(record, ModelReport) and record.candidate is not None:
            self._known_good |= record.candidate.verdict is Verdict.ACCEPTED

    def turn(self, frames: int) -> dict[str, list[float]]:
        """From another thread than ``run``. Raises EdgedError when results stay out."""
        self._latencies.clear()
        self._stamps.clear()
        self._source.order(frames)
        seen, seen_s = 0, time.monotonic()
        while (count := len(self._stamps)) < frames:
            # Looking seldom, for that costs the threads that are measured something.
            time.sleep(_STEP_S / 4)
            if count > seen:
                seen, seen_s = count, time.monotonic()
            if time.monotonic() - seen_s > _PATIENCE_S:
                raise EdgedError(f"The daemon gave no result for {_PATIENCE_S:g} s")
        self._publisher.wait_delivered(_DELIVERY_S)
        stages: dict[str, list[float]] = {
            name: [getattr(each, name) for each in self._latencies]
            for name in Latency.__struct_fields__
        }
        stages["hand-over"] = [(ended - began) / 1e6 for began, ended in self._stamps]
        stages[ENDED] = [ended / 1e6 for _, ended in self._stamps]
        return stages

    def serve_turns(self) -> None:
        """Until nobody asks for more; then it comes to its end."""
        try:
            answer(self.turn)
            say({"starts_again": self._known_good})
        except EdgedError as error:
            logging.getLogger("edged.bench").error("%s", error)
        finally:
            self.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    add_item_arguments(parser)
    parser.add_argument("--mqtt-3", action="store_true", help="as amqtt wants it")
    options = parser.parse_args()
    start_logging(logging.WARNING)
    config = configuration.load_config(options.config)
    settings = mqtt_settings(config.mqtt, config.device.id, os.environ)
    if options.mqtt_3:
        settings = replace(settings, first_version=Version.V3_1_1)
    daemon = MeasuredDaemon(config, settings, OnOrder(Kept.of(options)))
    threading.Thread(target=daemon.serve_turns, daemon=True).start()
    daemon.run()


if __name__ == "__main__":
    main()
