"""One pipeline as the daemon runs it: its source, its threads, its state, the model it has."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from weakref import WeakSet

from msgspec.structs import replace

from .cadence import Cadence
from .capture import Capture, CaptureState
from .cascade import Alarm
from .crop_pipeline import CropPipeline
from .crops import CropFeed, Followed, weight
from .filter import Filter
from .gate import MotionGate
from .handoff import LatestSlot
from .health import HealthLamp
from .log_fields import Event, about
from .model import Model
from .pipeline import Pipeline, Serving
from .plan import Plan
from .presence.stage import Presence
from .reading import Reading
from .records.health import HealthState, PipelineMetrics
from .records.info import PipelineInfo
from .records.models import Candidate, ModelReport, ModelSpec, Verdict
from .records.published import Record
from .records.results import Result
from .samples import Captured, Want
from .service.governor import FULL, Slowing
from .service.metrics import PipelineStats
from .slots import Slots
from .sources import Source
from .stages import baseline_of, filter_of, tracking_of
from .store.baselines import Baselines, Learnt
from .suitability import (
    crop_misfit,
    refuse_other_contract,
    refuse_untrackable,
    unknown_labels,
)
from .supervisor import Vitals
from .trial import Expected

log = logging.getLogger("edged.runner")

# What takes longer is told; it goes on all the same.
MODEL_PATIENCE_S = 120.0
HUNG_AFTER_S = 30.0


class Runner:
    """Runs one pipeline. ``source`` is None where its plan says ``crop``. ``publish`` takes its
    records, from several threads.

    It waits for its first model; the intake thread gives it that and all later ones. ``on_trial``
    hands the end of a trial on to that thread. ``on_model`` is called when another model serves or
    has learnt what is usual, ``on_end`` when a recording is over and its last frame was inferred.
    """

    def __init__(
        self,
        plan: Plan,
        source: Source | None,
        cadence: Cadence,
        sequence: Iterator[int],
        *,
        track_ids: Iterator[int],
        baselines: Baselines,
        publish: Callable[[Record], None],
        send: Callable[[], None],
        on_trial: Callable[[Runner, Serving, str | None, Serving], None],
        on_model: Callable[[], None],
        on_end: Callable[[], None],
        slots: Slots,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """``now_ns``: the clock by which one that others start is put to sleep again."""
        self.plan = plan
        self.ended = False
        self._started_s = 0.0
        self._slowing = FULL
        self._baselines = baselines
        self._publish = publish
        self._on_model = on_model
        self._on_end = on_end
        self._serving: Serving | None = None
        self._stopping = False
        self._filters: WeakSet[Filter] = WeakSet()  # of the models that serve or may again
        self._changed = threading.Condition()  # guards the three above, and plan
        self._health = HealthLamp(plan.name, publish)
        self._stats = PipelineStats(time.monotonic_ns())
        self._alarm = Alarm(now_ns) if plan.trigger else None
        slot: LatestSlot[Captured] = LatestSlot(weight)
        self._slot = slot
        self.feed = CropFeed(plan.crop, slot, self._on_capture_state) if plan.crop else None
        self._capture = self.feed or self._capture_of(source)
        self._presence = (
            Presence(plan.name, plan.presence, publish) if plan.presence is not None else None
        )
        self._pipeline = (CropPipeline if plan.crop else Pipeline)(
            plan.name,
            slot,
            cadence,
            self._stats,
            sequence,
            tracking=tracking_of(plan, track_ids),
            presence=self._presence,
            minimiser=plan.minimiser,
            publish=publish,
            send=send,
            on_fault=self._health.inference,
            on_trial=lambda *trial: on_trial(self, *trial),
            turn=slots.turn(plan.options.threads),
        )
        # A hung inference is beyond reach: the process must be able to end all the same.
        self._thread = threading.Thread(target=self._run, name=f"infer-{plan.name}", daemon=True)

    def _capture_of(self, source: Source | None) -> Capture:
        plan = self.plan
        assert source is not None
        return Capture(
            plan.name,
            source,
            self._slot,
            fps=plan.fps,
            realtime=plan.realtime,
            on_state=self._on_capture_state,
            alarm=self._alarm,
            gate=MotionGate(plan.gate, self._wants_all) if plan.gate else None,
            prepare=self._prepare,
        )

    # ---- called by the daemon ------------------------------------------------------------------

    def start(self) -> None:
        self._started_s = time.monotonic()
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Finish the frame in hand and end; returns at once."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._slot.close()

    def stop(self, reason: str, timeout_s: float) -> bool:
        """End, and tell why; False when the source or the engine is stuck."""
        self.ask_to_stop()
        deadline = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        stopped = self._capture.stop(max(0.0, deadline - time.monotonic()))
        stopped = stopped and not self._thread.is_alive()
        self._end_events()
        if not self.ended:
            self._health.stopped(reason, expected=True)
        return stopped

    def hear(self, result: Result) -> None:
        """What another pipeline has found; called from that one's thread."""
        trigger, alarm = self.plan.trigger, self._alarm
        if trigger is not None and alarm is not None and trigger.is_in(result):
            alarm.wake(trigger.for_s)

    def retire(self) -> None:
        """Nobody will start it any more, or give it crops: it ends, where it runs just now after
        its time, or with the last of them.
        """
        with self._changed:
            if self._alarm is not None:
                self._alarm.retire()
            if self.feed is not None:
                self.feed.retire()
            self._changed.notify_all()

    @property
    def is_over(self) -> bool:
        """Whether it sleeps, and nobody will start it any more, or give it crops."""
        if self.feed is not None:
            return self.feed.over
        return self._alarm is not None and self._alarm.over

    def show_to(self, feeds: tuple[CropFeed, ...]) -> None:
        """Let pipelines of crops see what is found here."""
        self._pipeline.feeds = feeds

    def followed(self) -> Followed | None:
        """What pipelines of crops are to know of this one; None: nothing yet."""
        if self._health.shown is None:
            return None
        active = self.active
        misfit = crop_misfit(self.plan.name, active.task) if active else None
        return Followed(*self._health.shown, misfit)

    def check(self) -> None:
        """Notice what does not come on, and keep the pace; called about once a second."""
        self._capture.check()
        self._capture.slow_to(self._slowing.share, round(self._stats.busy_ms * 1e6))
        if self._died() is not None:
            self._health.stopped(f"{self._died()} has died; restart edged", expected=False)
        if self._health.shown is None and time.monotonic() - self._started_s > MODEL_PATIENCE_S:
            reason = f"its model is still being read and tried after {MODEL_PATIENCE_S:g} s"
            self._health.stopped(reason, expected=False)
        self._look_for_events()
        busy_ns = self._pipeline.busy_since_ns
        hangs = busy_ns is not None and time.monotonic_ns() - busy_ns > HUNG_AFTER_S * 1e9
        self._health.hung(f"an inference took over {HUNG_AFTER_S:g} s so far" if hangs else None)

    def _look_for_events(self) -> None:
        if self._presence is not None:
            state, _ = self._health.shown or (None, None)
            looks = state in (HealthState.RUNNING, HealthState.DEGRADED)
            self._presence.check(looks, time.monotonic_ns())

    def _end_events(self) -> None:
        if self._presence is not None:
            self._presence.end(time.monotonic_ns())

    def slow(self, slowing: Slowing) -> None:
        """Take a share of the frames from now on, and say so. Of a stream all is taken: with parts
        of it left out no word would be heard.
        """
        self._slowing = slowing
        self._health.slowed(None if self._capture.whole else slowing.reason)

    def vitals(self) -> Vitals:
        state, reason = self._health.shown or (None, None)
        return Vitals(
            name=self.plan.name,
            state=state,
            reason=reason,
            busy_since_ns=self._pipeline.busy_since_ns,
            died=self._died(),
            inferred=self._stats.inferred,
        )

    def _died(self) -> str | None:
        """Which of its threads has ended although it should not have."""
        if self._stopping or self.ended:
            return None
        if self._thread.ident is not None and not self._thread.is_alive() and not self.ended:
            return "its inference thread"
        return "its capture thread" if self._capture.died else None

    def info(self) -> PipelineInfo:
        serving = self._serving
        active = serving.model.spec if serving else None
        return PipelineInfo(
            name=self.plan.name,
            source=self.plan.source_kind,
            task=active.task if active else None,
            model=active.ref if active else None,
            labels=active.labels if active else (),
            threshold=serving.filter.threshold if serving else self.plan.threshold,
            anomaly=serving.filter.anomaly_info() if serving else None,
            tells=self.plan.tells,
            zones=self.plan.zones,
            lines=self.plan.lines,
        )

    def set_threshold(self, threshold: float) -> None:
        """From the next frame on, for this model and those after it."""
        with self._changed:
            self.plan = replace(self.plan, threshold=threshold)
            for filter_ in self._filters:
                filter_.threshold = threshold

    def metrics(self, now_ns: int) -> PipelineMetrics:
        return self._stats.take(
            now_ns,
            frames=self._capture.frames,
            gated=self._capture.gated,
            dropped=self._slot.dropped + self._stats.unfit,
            skipped=self._capture.skipped,
            gaps=self._capture.gaps,
        )

    # ---- called by the intake thread -------------------------------------------------------------

    @property
    def bundle(self) -> str | None:
        """What serves, or is about to; None where nothing does."""
        serving = self._serving
        return serving.bundle if serving else None

    @property
    def active(self) -> ModelSpec | None:
        serving = self._serving
        return serving.model.spec if serving else None

    def refuse_other_contract(self, reading: Reading) -> None:
        """Raise ModelError for a task or labels that those who subscribe cannot use."""
        refuse_untrackable(reading, self.plan.track is not None)
        active = self.active
        if active is not None:
            refuse_other_contract(reading, active, self.plan.labels or ())

    def swap(self, bundle: str, model: Model, expected: Expected | None) -> None:
        """Let a loaded model serve from the next frame on, on trial where ``expected`` is given.

        Raises ModelError for one that finds nothing to track where that is asked for.
        """
        plan = self.plan
        refuse_untrackable(model.reading, plan.track is not None)
        with self._changed:
            # With the threshold as it is now.
            baseline = baseline_of(self.plan, bundle, model, self._baselines, self._learnt)
            filter_ = filter_of(self.plan, model, baseline)
            self._filters.add(filter_)
        before, serving = self._serving, Serving(bundle, model, filter_, expected)
        self._suit(model)
        self._pipeline.swap(serving, before)
        with self._changed:
            self._serving = serving
            self._changed.notify_all()
        if before is not None:
            self._resize(before, serving)
        self._tell_serving(model)
        note = unknown_labels(plan.labels, model.spec.labels)
        if note is not None:
            fields = about(Event.MODEL, plan.name, plan.model)
            log.warning("pipeline %s: %s", plan.name, note, extra=fields)
        verdict = Verdict.TRIAL if expected else Verdict.ACCEPTED
        self.report(verdict, model.spec.version, note)
        self._on_model()

    def _suit(self, model: Model) -> None:
        """Let as much wait, and be left out, as the model can bear."""
        plan, streams = self.plan, model.waiting > 1
        self._slot.hold(model.waiting)
        if streams and plan.fps and not self._capture.whole:
            log.warning(
                "pipeline %s: source.fps counts for nothing: the model hears a stream, of which "
                "nothing may be left out",
                plan.name,
                extra=about(Event.MODEL, plan.name, plan.model),
            )
        self._capture.whole = streams
        self.slow(self._slowing)

    def _learnt(self, learnt: Learnt) -> None:
        """Called from the pipeline's thread."""
        self._baselines.keep(learnt)
        log.info(
            "pipeline %s: what is usual is learnt, from %d results: an error over %.4g is not",
            learnt.pipeline,
            learnt.errors,
            learnt.threshold,
            extra=about(Event.MODEL, learnt.pipeline, self.plan.model),
        )
        self._on_model()

    def went_back(self, failed: Serving, serving: Serving, reason: str) -> None:
        """The pipeline itself has gone back to the model before: tell it."""
        with self._changed:
            if self._serving is failed:
                self._serving = serving
                self._suit(serving.model)
                self._resize(failed, serving)
        self.report(Verdict.ROLLED_BACK, failed.model.spec.version, reason)
        self._on_model()

    def report(self, verdict: Verdict, version: str | None, reason: str | None) -> None:
        """Publish and log what became of a candidate."""
        bad = verdict in (Verdict.REFUSED, Verdict.ROLLED_BACK)
        log.log(
            logging.WARNING if bad else logging.INFO,
            "pipeline %s: model %s %s: %s",
            self.plan.name,
            self.plan.model,
            version or "(no file)",
            f"{verdict.value}: {reason}" if reason else verdict.value,
            extra=about(Event.MODEL, self.plan.name, self.plan.model),
        )
        candidate = Candidate(self.plan.model, version, verdict, reason, time.monotonic_ns())
        self._publish(ModelReport(self.plan.name, self.active, candidate))
        if bad and self._serving is None:
            self._health.stopped(f"no model: {reason}", expected=False)
            if self.feed is not None:
                with self._changed:
                    self.feed.give_up()
                    self._changed.notify_all()

    def _tell_serving(self, model: Model) -> None:
        log.info(
            "pipeline %s: model %s %s serves %s; labels: %s; %s: %s",
            self.plan.name,
            model.spec.name,
            model.spec.version,
            model.spec.task,
            model.reading.labels.origin,
            model.reading.input.what,
            model.reading.input.said,
            extra=about(Event.MODEL, self.plan.name, model.spec.name),
        )

    def _resize(self, before: Serving, serving: Serving) -> None:
        """Ask the source for something else, where that is what the model wants."""
        if self._want(before) != self._want(serving):
            self._capture.reopen(self._want(serving))

    def _want(self, serving: Serving) -> Want:
        return serving.model.want(self.plan.frame_size)

    # ---- the runner's thread -------------------------------------------------------------------

    def _run(self) -> None:
        with self._changed:
            self._changed.wait_for(self._may_begin)
            if self._stopping:
                return
            # Not held by a name here: it is to go when another one serves.
            want = self._want(self._serving) if self._serving else None
        if not self.is_over:
            # Not before: a gate lets all frames pass while a model waits to be taken up.
            self._pipeline.run(ready=lambda: self._capture.start(want))
        if not self._stopping:
            self._end_events()
            self.ended = True
            why = "the recording"
            if self.plan.crop is not None:
                why = f"pipeline {self.plan.crop.pipeline}, whose objects it looks at,"
            elif self.plan.trigger is not None and self.is_over:
                why = f"pipeline {self.plan.trigger.pipeline}, which starts it,"
            self._health.stopped(f"{why} has ended", expected=True)
            self._on_end()

    def _may_begin(self) -> bool:
        return self._serving is not None or self._stopping or self.is_over

    # ---- called from the capture's thread, and from that of check ------------------------------

    def _wants_all(self) -> bool:
        """Whether every frame counts just now: for a model that is new, or that is still learning
        what is usual.
        """
        serving = self._serving
        anomaly = serving.filter.anomaly_info() if serving else None
        return self._pipeline.tries or (anomaly is not None and anomaly.threshold is None)

    def _prepare(self, item: Captured) -> None:
        serving = self._serving
        if serving is not None:
            serving.model.prepare(item)

    def _on_capture_state(self, state: CaptureState, reason: str | None) -> None:
        if state is CaptureState.RUNNING:
            self._health.asleep(None)
            self._health.source(None)
        elif state is CaptureState.ASLEEP:
            self._end_events()
            self._health.asleep(reason or f"asleep until {self.plan.trigger}")
        elif state is CaptureState.LOST:
            self._health.source(reason)
        # ENDED is told by the runner's thread, once the last frame was inferred.
