"""One pipeline as the daemon runs it: its model, its source, its thread, its state."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .cadence import Cadence
from .capture import Capture, CaptureState
from .engine.geometry import scaled_size
from .errors import EdgedError
from .filter import Filter
from .handoff import LatestSlot
from .health import HealthLamp
from .loading import LoadOptions, load_model, unknown_labels
from .model import Model
from .pipeline import Pipeline
from .records import (
    Candidate,
    Frame,
    ModelReport,
    ModelSpec,
    PipelineInfo,
    PipelineMetrics,
    Record,
    Size,
    Verdict,
)
from .service.metrics import PipelineStats
from .sources import Source
from .store.models import ModelStore

log = logging.getLogger("edged.runner")

# How often a pipeline without a model looks for a new file.
_LOOK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pipeline is to be, in plain values.

    ``frame_size`` is the size that the source was asked for, where it can scale its frames for
    the model at no cost; else None.
    """

    name: str
    model: str
    source_kind: str
    frame_size: Size | None
    fps: float | None
    realtime: bool
    threshold: float
    labels: tuple[str, ...] | None
    max_results: int
    options: LoadOptions


class Runner:
    """Starts, runs and ends one pipeline. ``publish`` takes its records, from several threads.

    ``on_model`` is called when another model serves, ``on_end`` when a recording is over and its
    last frame was inferred; both from the runner's thread.
    """

    def __init__(
        self,
        plan: Plan,
        source: Source,
        cadence: Cadence,
        sequence: Iterator[int],
        store: ModelStore,
        *,
        publish: Callable[[Record], None],
        on_model: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.ended = False
        self._store = store
        self._publish = publish
        self._on_model = on_model
        self._on_end = on_end
        self._active: ModelSpec | None = None
        self._stopping = threading.Event()
        self._health = HealthLamp(plan.name, publish)
        self._stats = PipelineStats(time.monotonic_ns())
        slot: LatestSlot[Frame] = LatestSlot()
        self._slot = slot
        self._capture = Capture(
            plan.name,
            source,
            slot,
            fps=plan.fps,
            realtime=plan.realtime,
            on_state=self._on_capture_state,
        )
        self._pipeline = Pipeline(
            plan.name,
            slot,
            cadence,
            self._stats,
            sequence,
            publish=publish,
            on_fault=self._health.inference,
        )
        # A hung inference is beyond reach: the process must be able to end all the same.
        self._thread = threading.Thread(target=self._run, name=f"infer-{plan.name}", daemon=True)

    # ---- called by the daemon ------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Finish the frame in hand and end; returns at once."""
        self._stopping.set()
        self._slot.close()

    def stop(self, reason: str, timeout_s: float) -> bool:
        """End, and tell why; False when the source or the engine is stuck."""
        self.ask_to_stop()
        deadline = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        stopped = self._capture.stop(max(0.0, deadline - time.monotonic()))
        stopped = stopped and not self._thread.is_alive()
        if not self.ended:
            self._health.stopped(reason, expected=True)
        return stopped

    def check(self) -> None:
        """Notice a stalled source; called about once a second."""
        self._capture.check()

    def info(self) -> PipelineInfo:
        active = self._active
        return PipelineInfo(
            name=self.plan.name,
            source=self.plan.source_kind,
            task=active.task if active else None,
            model=active.ref if active else None,
            labels=active.labels if active else (),
        )

    def metrics(self, now_ns: int) -> PipelineMetrics:
        return self._stats.take(
            now_ns,
            frames=self._capture.frames,
            dropped=self._slot.dropped,
            skipped=self._capture.skipped,
        )

    @property
    def has_model(self) -> bool:
        return self._active is not None

    # ---- the runner's thread -------------------------------------------------------------------

    def _run(self) -> None:
        model = self._wait_for_model()
        if model is None:
            return
        plan = self.plan
        filter_ = Filter(
            model.reading.labels.name,
            threshold=plan.threshold,
            allowed=plan.labels,
            max_results=plan.max_results,
        )
        want = None
        if plan.frame_size is not None:
            want = scaled_size(plan.frame_size, model.input_size, plan.options.fit)
        self._capture.start(want)
        self._pipeline.run(model, filter_)
        if not self._stopping.is_set():
            self.ended = True
            self._health.stopped("the recording has ended", expected=True)
            self._on_end()

    def _wait_for_model(self) -> Model | None:
        """The model, tried again whenever its file changes; None when asked to stop."""
        name = self.plan.model
        while not self._stopping.is_set():
            tried = self._store.fingerprint(name)
            try:
                model = load_model(name, self._store, self.plan.options)
            except EdgedError as error:
                self._refused(str(error))
            except Exception as error:
                log.exception("pipeline %s: loading %s failed", self.plan.name, name)
                self._refused(f"edged failed to load it ({type(error).__name__}: {error})")
            else:
                self._accepted(model)
                return model
            while self._store.fingerprint(name) == tried:
                if self._stopping.wait(_LOOK_AGAIN_S):
                    return None
        return None

    def _refused(self, reason: str) -> None:
        self._report(Verdict.REFUSED, self._store.version_of(self.plan.model), reason)
        self._health.stopped(f"no model: {reason}", expected=False)

    def _accepted(self, model: Model) -> None:
        spec = model.spec
        self._active = spec
        log.info(
            "pipeline %s: model %s %s serves %s; labels: %s; pixels: %s",
            self.plan.name,
            spec.name,
            spec.version,
            spec.task,
            model.reading.labels.origin,
            model.reading.pixels.said,
        )
        note = unknown_labels(self.plan.labels, spec.labels)
        if note is not None:
            log.warning("pipeline %s: %s", self.plan.name, note)
        self._report(Verdict.ACCEPTED, spec.version, note)
        self._on_model()

    def _report(self, verdict: Verdict, version: str | None, reason: str | None) -> None:
        candidate = Candidate(self.plan.model, version, verdict, reason, time.monotonic_ns())
        self._publish(ModelReport(self.plan.name, self._active, candidate))

    # ---- called from the capture's thread, and from that of check ------------------------------

    def _on_capture_state(self, state: CaptureState, reason: str | None) -> None:
        if state is CaptureState.RUNNING:
            self._health.source(None)
        elif state is CaptureState.LOST:
            self._health.source(reason)
        # ENDED is told by the runner's thread, once the last frame was inferred.
