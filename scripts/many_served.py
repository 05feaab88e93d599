#!/usr/bin/env python3
"""The daemon with many pipelines as a contestant of the bench, for scripts/bench_many.py.

It is the whole daemon but for its sources: while a turn lasts each gives what lies in memory, as
fast as it is taken, or `--fps` times a second whether it is taken or not, as a camera does. They
all hold the same frames.

    scripts/many_served.py CONFIG FRAMES.npy --order O [--fps N]
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edged import config as configuration
from edged.bench.answers import ENDED, say
from edged.bench.items import Kept, add_item_arguments
from edged.build import mqtt_settings
from edged.daemon import Daemon
from edged.records.published import Record
from edged.records.results import Result
from edged.samples import Captured, Want
from edged.service.logs import start_logging
from edged.sources import NotYet

STEP_S = 0.02
PATIENCE_S = 60.0


class WhileOn:
    """A source (see ``edged.sources.Source``). Before all else it gives one frame."""

    def __init__(self, kept: Kept, on: threading.Event, fps: float) -> None:
        self.live = fps > 0
        self._kept, self._on = kept, on
        self._interval_s = 1 / fps if fps else 0.0
        self._number = 0
        self._next_s = time.monotonic()

    def open(self, want: Want) -> None:
        """Nothing is to be opened."""

    def read(self) -> Captured:
        if self._number and not self._on.wait(STEP_S):
            raise NotYet
        if self.live:
            now_s = time.monotonic()
            self._next_s = max(self._next_s + self._interval_s, now_s - self._interval_s)
            time.sleep(max(0.0, self._next_s - now_s))
        self._number += 1
        return self._kept.item(self._number)

    def close(self) -> None:
        """Nothing was opened."""


class ManyDaemon(Daemon):
    """Notes what each result took, and whose it is."""

    def __init__(self, config: configuration.Config, kept: Kept, fps: float) -> None:
        state, models = config.device.state_dir, config.models.dir
        assert state is not None
        assert models is not None
        settings = mqtt_settings(config.mqtt, config.device.id, os.environ)
        self.on = threading.Event()
        super().__init__(
            config,
            lambda: config,
            settings,
            state,
            models,
            lambda _: WhileOn(kept, self.on, fps),
        )
        self._results: list[tuple[int, Result]] = []

    def _publish(self, record: Record) -> None:
        super()._publish(record)
        if isinstance(record, Result):
            self._results.append((time.monotonic_ns(), record))

    def wait_for_all(self) -> None:
        """Until each pipeline has given a result."""
        names = {pipeline.name for pipeline in self._config.pipelines}
        self._until(lambda: {each.pipeline for _, each in self._results} == names)

    def turn(self, frames: int) -> dict[str, Any]:
        """So many results, of all pipelines together."""
        self._results.clear()
        self.on.set()
        self._until(lambda: len(self._results) >= frames)
        self.on.clear()
        found = self._results[:frames]
        self._publisher.wait_delivered(PATIENCE_S)
        counts = Counter(each.pipeline for _, each in found)
        return {
            "wait": [each.latency_ms.wait for _, each in found],
            "inference": [each.latency_ms.inference for _, each in found],
            ENDED: [at_ns / 1e6 for at_ns, _ in found],
            "shares": [counts[pipeline.name] for pipeline in self._config.pipelines],
        }

    def _until(self, holds: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline_s:
                sys.exit("the daemon gave too few results")
            time.sleep(STEP_S)

    def serve_turns(self) -> None:
        try:
            self.wait_for_all()
            for line in sys.stdin:
                say(self.turn(int(line)))
        finally:
            self.stop()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    add_item_arguments(parser)
    parser.add_argument("--fps", type=float, default=0.0)
    options = parser.parse_args()
    start_logging(logging.WARNING)
    config = configuration.load_config(options.config)
    daemon = ManyDaemon(config, Kept.of(options), options.fps)
    threading.Thread(target=daemon.serve_turns, daemon=True).start()
    daemon.run()


if __name__ == "__main__":
    main()
