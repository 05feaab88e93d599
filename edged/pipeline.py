"""One frame's or window's journey: from the slot through the model to the publisher.

    slot -> model (preprocess, invoke, decode) -> filter -> tracking -> presence -> minimiser
    -> cadence -> publish, and the frame with what was found -> feeds of crops

What is said of frames here holds for windows of samples too.

A pipeline has one thread, which owns the model that serves. Another is swapped in between two
frames; while it is on trial the one before is kept at hand, and a frame on which the new one fails
goes through the old one, so that no result is lost. Times are of the monotonic clock.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from .cadence import Cadence
from .crops import CropFeed, Sighting
from .engine.held_up import UndisturbedClock
from .errors import ModelError, NotFinite
from .filter import Filter
from .handoff import Closed, LatestSlot
from .log_fields import Event, Lasting, about
from .minimise import Minimiser
from .model import Model
from .presence.stage import Presence
from .records.decoded import HeardClasses
from .records.frames import Frame
from .records.results import Latency, Result
from .samples import Captured
from .service.metrics import PipelineStats
from .slots import Turn
from .tracking.stage import Tracking
from .trial import Expected, Trial

log = logging.getLogger("edged.pipeline")

NS_PER_MS = 1e6


class Serving(msgspec.Struct, frozen=True):
    """A model that serves or is to serve, with its pipeline's filter for its labels.

    ``bundle`` names it in the private store. ``expected`` is None where no trial is needed: the
    model has passed one before.
    """

    bundle: str
    model: Model
    filter: Filter
    expected: Expected | None


class Pipeline:
    """Takes frames from ``slot`` until it is closed, each when it is its ``turn``, and hands
    results to ``publish``.

    ``on_fault`` is called with the reason when an inference fails, and with None at the first
    that succeeds again. ``on_trial`` is called when a trial is over, with what was on trial, the
    reason where it failed, and what serves now. Both are called from the pipeline's thread, and
    must only hand on. ``send`` lets go out what was published: while the engine is at work, or when
    there is nothing to do. ``tracking`` None: what is found in one frame goes with nothing in the
    next. ``presence`` None: no events are made. ``minimiser`` None: all that the filter leaves may
    be told.
    ``sequence`` numbers what is published; it outlives the pipeline, so that a rebuilt one goes on
    counting.
    """

    def __init__(
        self,
        name: str,
        slot: LatestSlot[Captured],
        cadence: Cadence,
        stats: PipelineStats,
        sequence: Iterator[int],
        *,
        tracking: Tracking | None = None,
        presence: Presence | None = None,
        minimiser: Minimiser | None = None,
        publish: Callable[[Result], None],
        send: Callable[[], None],
        on_fault: Callable[[str | None], None],
        on_trial: Callable[[Serving, str | None, Serving], None],
        turn: Turn,
    ) -> None:
        self.name = name
        self.slot = slot
        self.stats = stats
        self._cadence = cadence
        self._sequence = sequence
        self._tracking = tracking
        self._presence = presence
        self._minimiser = minimiser
        self._publish = publish
        self._send = send
        self._unsent = False
        self._on_fault = on_fault
        self._on_trial = on_trial
        self._turn = turn
        self._faults = Lasting()
        self.busy_since_ns: int | None = None
        """Since when a frame has been in hand; None: it waits for one, or for its turn."""
        # Another thread appends what is to serve and what did before: the newest wins.
        self._coming: deque[tuple[Serving, Serving | None]] = deque(maxlen=1)
        self._before: Serving | None = None  # while there is a trial
        self._trial: Trial | None = None
        self._worked_ms = 0.0  # the last invocation's, by the model's own clock
        self.feeds: tuple[CropFeed, ...] = ()
        """Of the pipelines that look at what is found here; may be set from any thread."""
        self._sighting: Sighting | None = None  # for them

    def swap(self, serving: Serving, before: Serving | None = None) -> None:
        """Let a model serve from the next frame on; from any thread.

        ``before`` is what was to serve until now. It matters where that has not begun yet: it is
        still the one to go back to.
        """
        self._coming.append((serving, before))

    @property
    def tries(self) -> bool:
        """Whether a model waits for the frame from which it is to serve, or is on trial."""
        return bool(self._coming) or self._trial is not None

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve what was swapped in until the slot is closed and empty. ``ready`` is called once it
        can take a frame.
        """
        serving, before = self._coming.popleft()
        self._begin(serving, before)
        del before
        ready()
        while True:
            if not len(self.slot):
                self._let_others_work()
            try:
                since_ns = self.slot.wait()
            except Closed:
                return
            # Only then is the frame taken: until its turn has come a newer one replaces it.
            self._turn.begin(since_ns, self._let_others_work)
            try:
                frame = self.slot.grab()
                self.busy_since_ns = time.monotonic_ns()
                if frame is not None:
                    serving = self._serve_next(frame, serving)
                # Held no longer than needed, so that the source can use its buffer again.
                del frame
            finally:
                self.busy_since_ns = None
                self._turn.end()
            if self._sighting is not None:
                self._show()

    def _show(self) -> None:
        """Not before the turn is over: those who look may have to be waited for."""
        sighting, self._sighting = self._sighting, None
        assert sighting is not None
        for feed in self.feeds:
            feed.look(sighting)

    def _serve_next(self, frame: Captured, serving: Serving) -> Serving:
        """One frame, by what was swapped in where that has come; what serves the next one."""
        # Windows that were still cut for the model before are its own.
        if self._coming and self._coming[0][0].model.fits(frame):
            # One that is on trial itself is gone back to only where there is none better.
            before = self._before or serving
            serving = self._coming.popleft()[0]
            self._begin(serving, before)
            del before
        if serving.model.fits(frame):
            return self._serve(frame, serving)
        self.stats.unfit += 1
        return serving

    def _begin(self, serving: Serving, before: Serving | None) -> None:
        if serving.expected is None:
            self._before, self._trial = None, None
            serving.model.clock_ns = time.monotonic_ns
        else:
            # What other work takes of the processor is no fault of the model.
            serving.model.clock_ns = UndisturbedClock()
            self._before = before
            self._trial = Trial(serving.expected, time.monotonic_ns())

    def _serve(self, frame: Captured, serving: Serving) -> Serving:
        """One frame; what serves the next one: ``serving``, or the model before if it failed."""
        reason = None
        try:
            self.step(frame, serving.model, serving.filter)
        except ModelError as error:
            reason = str(error)
        except NotFinite as error:  # the sensor's fault, not that of a model on trial
            self._fault(str(error))
            return serving
        except Exception as error:  # a mistake of ours: it costs this frame, not the pipeline
            if not self._faults.times:
                # As text: a traceback that a log handler keeps would keep the input's memory in
                # use, and the runtime would refuse to run.
                fields = about(Event.INFERENCE, self.name, serving.model.spec.name)
                log.error("pipeline %s: %s", self.name, traceback.format_exc(), extra=fields)
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        trial = self._trial
        if trial is not None:
            failure = reason or trial.failure(self._worked_ms)
            if failure is not None:
                if self._before is not None:
                    return self._go_back(frame, serving, failure, lost=reason is not None)
                # Nothing to go back to: it goes on, and has to do well from now on to pass.
                self._begin(serving, None)
            elif trial.passed(time.monotonic_ns()):
                self._on_trial(serving, None, serving)
                serving = replace(serving, expected=None)
                self._begin(serving, None)
        self._fault(reason)
        return serving

    def _go_back(self, frame: Captured, failed: Serving, failure: str, lost: bool) -> Serving:
        """To the model before, which also gets the frame where the failed one gave no result; its
        own trial begins anew where it has not passed one.
        """
        before = self._before
        assert before is not None
        self._begin(before, None)
        self._on_trial(failed, failure, before)
        return self._serve(frame, before) if lost and before.model.fits(frame) else before

    def step(self, frame: Captured, model: Model, filter_: Filter) -> None:
        """One frame's way. Raises ModelError, with nothing published."""
        taken_ns = time.monotonic_ns()
        inference = model.infer(frame, self._let_others_work)
        taken_ns += inference.waited_ns
        self._worked_ms = inference.worked_ns / NS_PER_MS
        findings = filter_.apply(inference.decoded, inference.placement)
        if self._tracking is not None:
            threshold = filter_.threshold or 0.0
            findings = self._tracking.apply(findings, threshold, frame.captured_ns)
        if self._presence is not None:
            self._presence.take(findings, frame.captured_ns)
        exact = findings
        if self._minimiser is not None:
            findings = self._minimiser.apply(findings)
        now_ns = time.monotonic_ns()
        engine_ns = inference.preprocess_ns + inference.invoke_ns
        latency = Latency(
            wait=(taken_ns - frame.arrived_ns) / NS_PER_MS,
            preprocess=inference.preprocess_ns / NS_PER_MS,
            inference=inference.invoke_ns / NS_PER_MS,
            decode=(now_ns - taken_ns - engine_ns) / NS_PER_MS,
            total=(now_ns - frame.arrived_ns) / NS_PER_MS,
        )
        happens = isinstance(inference.decoded, HeardClasses)
        due = self._cadence.due(findings, now_ns, happens=happens)
        sequence = next(self._sequence) if due else None
        if sequence is not None:
            self._publish(
                Result(
                    pipeline=self.name,
                    sequence=sequence,
                    captured_ns=frame.captured_ns,
                    model=model.ref,
                    latency_ms=latency,
                    task=model.spec.task,
                    findings=findings,
                )
            )
            self._unsent = True
        self.stats.record(latency, published=due)
        if self.feeds and isinstance(frame, Frame):
            self._sighting = Sighting(frame, exact, sequence)

    def _let_others_work(self) -> None:
        """The publisher on the last result, the source on the next frame: not before this thread
        has no more use for the interpreter of Python, of which there is one.
        """
        if self._unsent:
            self._unsent = False
            self._send()
        self.slot.let_give()

    def _fault(self, reason: str | None) -> None:
        """Tell a fault when it begins and when it is over, not once a frame."""
        if reason is not None:
            if self._faults.happened(reason):
                self._on_fault(reason)
        elif self._faults.times:
            frames = self._faults.over()
            fields = about(Event.INFERENCE, self.name)
            log.info("pipeline %s: it had failed on %d frames", self.name, frames, extra=fields)
            self._on_fault(None)
