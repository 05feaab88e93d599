"""One frame's journey: from the slot through the model to the publisher.

    slot -> model (preprocess, invoke, decode) -> filter -> cadence -> publish

A pipeline has one thread, which owns its model. Times are of the monotonic clock.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator

from .cadence import Cadence
from .errors import ModelError
from .filter import Filter
from .handoff import Closed, LatestSlot
from .model import Model
from .records import Frame, Latency, Result
from .service.metrics import PipelineStats

log = logging.getLogger("edged.pipeline")

NS_PER_MS = 1e6


class Pipeline:
    """Takes frames from ``slot`` until it is closed, and hands results to ``publish``.

    ``on_fault`` is called with the reason when an inference fails, and with None at the first
    that succeeds again; from the pipeline's thread. ``sequence`` numbers what is published; it
    outlives the pipeline, so that a rebuilt one goes on counting.
    """

    def __init__(
        self,
        name: str,
        slot: LatestSlot[Frame],
        cadence: Cadence,
        stats: PipelineStats,
        sequence: Iterator[int],
        *,
        publish: Callable[[Result], None],
        on_fault: Callable[[str | None], None],
    ) -> None:
        self.name = name
        self.slot = slot
        self.stats = stats
        self._cadence = cadence
        self._publish = publish
        self._on_fault = on_fault
        self._faulty = False
        self._sequence = sequence

    def run(self, model: Model, filter_: Filter) -> None:
        """Serve until the slot is closed and empty."""
        while True:
            try:
                frame = self.slot.take()
            except Closed:
                return
            if frame is None:
                continue
            try:
                self.step(frame, model, filter_)
            except ModelError as error:
                self._fault(str(error))
            except Exception as error:  # a mistake of ours: it costs this frame, not the pipeline
                if not self._faulty:
                    # As text: a traceback that a log handler keeps would keep the input's memory
                    # in use, and the runtime would refuse to run.
                    log.error("pipeline %s: %s", self.name, traceback.format_exc())
                self._fault(f"{type(error).__name__}: {' '.join(str(error).split())}")
            else:
                self._fault(None)
            # Held no longer than needed, so that the source can use its buffer again.
            del frame

    def step(self, frame: Frame, model: Model, filter_: Filter) -> None:
        """One frame. Raises ModelError where the model cannot run on it."""
        taken_ns = time.monotonic_ns()
        inference = model.infer(frame)
        findings = filter_.apply(inference.decoded, inference.placement)
        now_ns = time.monotonic_ns()
        latency = Latency(
            wait=(taken_ns - frame.arrived_ns) / NS_PER_MS,
            preprocess=(inference.filled_ns - taken_ns) / NS_PER_MS,
            inference=(inference.invoked_ns - inference.filled_ns) / NS_PER_MS,
            decode=(now_ns - inference.invoked_ns) / NS_PER_MS,
            total=(now_ns - frame.arrived_ns) / NS_PER_MS,
        )
        due = self._cadence.due(findings, now_ns)
        if due:
            self._publish(
                Result(
                    pipeline=self.name,
                    sequence=next(self._sequence),
                    captured_ns=frame.captured_ns,
                    model=model.ref,
                    latency_ms=latency,
                    task=model.spec.task,
                    findings=findings,
                )
            )
        self.stats.record(latency, published=due)

    def _fault(self, reason: str | None) -> None:
        """Tell a fault when it begins and when it is over, not once a frame."""
        if reason is None and not self._faulty:
            return
        self._faulty = reason is not None
        self._on_fault(reason)
