"""What systemd is told of the daemon: ready, status, alive.

The watchdog is fed from the main loop, and only while every pipeline gets on: a frame that an
inference does not give back, or a thread that has died, ends the feeding, and systemd starts the
daemon anew. What a restart would not mend does not: a source that is lost or gives nothing, a
pipeline without a model, a broker that is away, a disk that is full or does not answer.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence

import msgspec

from .log_fields import Event, about
from .records.health import HealthState
from .service.notify import Notifier

log = logging.getLogger("edged.supervisor")

TICK_S = 1.0
STARTING_TICK_S = 0.1
STATUS_EVERY_S = 10.0
# The time that a start still wants, and how often that is said.
_START_STEP_S, _START_SAID_S = 30.0, 10.0


class Vitals(msgspec.Struct, frozen=True):
    """How a pipeline gets on. ``state`` is None until it has frames and a model, or said why not.

    ``busy_since_ns`` (monotonic): since when the model has had the frame in hand; None: it has
    none. ``died``: a thread that ended although it should not have. ``inferred`` counts.
    """

    name: str
    state: HealthState | None
    reason: str | None
    busy_since_ns: int | None
    died: str | None
    inferred: int


class Outlook(msgspec.Struct, frozen=True):
    """Beside the pipelines: results that wait for the broker, and threads that have died."""

    waiting: int
    died: Sequence[str] = ()


class Supervisor:
    """``look`` is called by the main loop."""

    def __init__(self, notifier: Notifier, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._notifier = notifier
        self._now_ns = now_ns
        watchdog_s = notifier.watchdog_s
        self._feed_s = watchdog_s / 2 if watchdog_s else None
        self._tick_s = TICK_S if self._feed_s is None else min(TICK_S, self._feed_s / 4)
        self._fed_s = self._extended_s = -math.inf
        self._ready = False
        self._trouble: str | None = None  # as last told
        self._shown = ""
        self._shown_s = -math.inf
        self._inferred: int | None = None  # when the status was last told

    @property
    def tick_s(self) -> float:
        """After what time ``look`` is to be called again."""
        return self._tick_s if self._ready else min(self._tick_s, STARTING_TICK_S)

    def look(self, pipelines: Sequence[Vitals], outlook: Outlook) -> None:
        """Tell what is to be told by now."""
        now_s = self._now_ns() / 1e9
        self._feed(self._why_not_alive(pipelines, outlook), now_s)
        self._show(pipelines, outlook, now_s)
        if not self._ready:
            if all(pipeline.state is not None for pipeline in pipelines):
                self._ready = True
                self._notifier.ready()
            elif now_s - self._extended_s >= _START_SAID_S:
                self._extended_s = now_s
                self._notifier.extend_start(_START_STEP_S)

    def reloading(self) -> None:
        """The next ``look`` with nothing left to wait for says that it is over."""
        self._notifier.reloading()
        self._ready = False

    def stopping(self) -> None:
        self._notifier.stopping()

    # ---- the watchdog ----------------------------------------------------------------------------

    def _why_not_alive(self, pipelines: Sequence[Vitals], outlook: Outlook) -> str | None:
        for pipeline in pipelines:
            if pipeline.died is not None:
                return f"{pipeline.name}: {pipeline.died} has died"
            if pipeline.busy_since_ns is None or self._feed_s is None:
                continue
            # Half of the time: with the other half, an inference may take all of it.
            if self._now_ns() - pipeline.busy_since_ns > self._feed_s * 1e9:
                return f"{pipeline.name}: an inference took over {self._feed_s:g} s so far"
        return f"{outlook.died[0]} has died" if outlook.died else None

    def _feed(self, trouble: str | None, now_s: float) -> None:
        if (trouble is None) != (self._trouble is None):
            if trouble is None:
                log.info("all threads get on again", extra=about(Event.WATCHDOG))
            else:
                watched = "; the watchdog is not fed any more" if self._feed_s else ""
                log.error("%s%s", trouble, watched, extra=about(Event.WATCHDOG))
        self._trouble = trouble
        if trouble is None and self._feed_s is not None and now_s - self._fed_s >= self._feed_s:
            self._fed_s = now_s
            self._notifier.alive()

    # ---- the status ------------------------------------------------------------------------------

    def _show(self, pipelines: Sequence[Vitals], outlook: Outlook, now_s: float) -> None:
        """At each change of a pipeline, and now and then for the figures."""
        standing = self._standing(pipelines)
        since_s = now_s - self._shown_s
        if standing == self._shown and since_s < STATUS_EVERY_S:
            return
        inferred = sum(pipeline.inferred for pipeline in pipelines)
        parts = [standing]
        if self._inferred is not None and inferred >= self._inferred and since_s >= TICK_S:
            parts.append(f"{(inferred - self._inferred) / since_s:.1f} inferences/s")
        parts.append(f"{outlook.waiting} waiting for the broker")
        self._notifier.status("; ".join(parts))
        self._shown, self._shown_s, self._inferred = standing, now_s, inferred

    def _standing(self, pipelines: Sequence[Vitals]) -> str:
        runs = (HealthState.RUNNING, HealthState.DEGRADED)
        running = sum(pipeline.state in runs for pipeline in pipelines)
        total = f"{len(pipelines)} pipeline{'s' if len(pipelines) != 1 else ''}"
        parts = [f"{running} of {total} run" + ("s" if len(pipelines) == 1 else "")]
        for pipeline in pipelines:
            if pipeline.state is None:
                parts.append(f"{pipeline.name}: starting")
            elif pipeline.reason is not None:
                parts.append(f"{pipeline.name}: {pipeline.reason.rstrip('.')}")
        if self._trouble is not None:
            parts.insert(0, f"stuck ({self._trouble})")
        return "; ".join(parts)
