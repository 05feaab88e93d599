"""The pipelines of one daemon: started, changed by a reload, switched by commands, stopped."""

from __future__ import annotations

import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from . import config as configuration
from .build import make_plan, masked
from .cadence import Cadence, Publish
from .crop_pipeline import CropCadence
from .crops import CropFeed, Followed
from .intake import Intake
from .log_fields import Event, about
from .plan import Plan
from .publish.commands import CommandRefused
from .records.health import HealthState, PipelineMetrics
from .records.info import PipelineInfo
from .records.published import Record
from .records.results import Result
from .runner import Runner
from .service.governor import Slowing
from .slots import Slots
from .sources import Source
from .store.baselines import Baselines
from .suitability import never_found
from .supervisor import Vitals

log = logging.getLogger("edged.daemon")

# Of the 5 s in which a stop must be over: for the frames in hand.
_STOP_S = 2.0
_DISABLED = "disabled by a command"


class Ends(msgspec.Struct, frozen=True):
    """Whom the pipelines tell, from their own threads too. ``on_change``: of what ``infos`` gives;
    ``on_ended``: a recording is over.
    """

    publish: Callable[[Record], None]
    send: Callable[[], None]
    on_change: Callable[[], None]
    on_ended: Callable[[], None]


class Fleet:
    """Used by the daemon's main thread; ``runners`` and ``infos`` may be called from any."""

    def __init__(
        self,
        make_source: Callable[[configuration.SourceTable], Source],
        intake: Intake,
        baselines: Baselines,
        slowing: Callable[[], Slowing],
        ends: Ends,
        *,
        slots: Slots,
    ) -> None:
        """``slowing``: how far pipelines are slowed down now."""
        self._make_source = make_source
        self._intake = intake
        self._baselines = baselines
        self._slowing = slowing
        self._ends = ends
        self._slots = slots
        self._tables: tuple[configuration.Pipeline, ...] = ()
        self._triggers = False  # whether some pipeline waits for another one's results
        self._runners: dict[str, Runner] = {}
        # By commands, until a reload changes the pipeline.
        self._disabled: dict[str, PipelineInfo] = {}
        self._thresholds: dict[str, float] = {}
        self._warned: dict[str, str | None] = {}  # of what is waited for and cannot come
        self._sequences: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._track_ids: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def runners(self) -> list[Runner]:
        """Those that are not disabled."""
        return list(self._runners.values())

    def infos(self) -> tuple[PipelineInfo, ...]:
        """Of all pipelines, in the order of the configuration."""
        found = dict(self._disabled) | {each.plan.name: each.info() for each in self.runners()}
        return tuple(found[each.name] for each in self._tables if each.name in found)

    def metrics(self, now_ns: int) -> dict[str, PipelineMetrics]:
        return {name: runner.metrics(now_ns) for name, runner in self._runners.items()}

    def check(self) -> list[Vitals]:
        """Let each look after itself, about once a second; how they get on."""
        for runner in self.runners():
            runner.check()
            first = runner.plan.depends_on
            if first is not None and self._has_ended(first):
                runner.retire()
            elif runner.feed is not None:
                self._follow(runner.feed)
        return [runner.vitals() for runner in self.runners()]

    def _has_ended(self, name: str) -> bool:
        runner = self._runners.get(name)
        return runner is not None and runner.ended

    def _follow(self, feed: CropFeed) -> None:
        first = self._runners.get(feed.rule.pipeline)
        followed = first.followed() if first else Followed(HealthState.STOPPED, _DISABLED)
        if followed is not None:
            feed.follow(followed)

    @property
    def have_ended(self) -> bool:
        """A pipeline that is disabled has not: it may be enabled again."""
        ended = all(runner.ended for runner in self.runners())
        return ended and bool(self._runners) and not self._disabled

    # ---- what the configuration says ---------------------------------------------------------

    def start(self, tables: Sequence[configuration.Pipeline]) -> None:
        self._configure(tables)
        self._start(tables)

    def _link(self) -> None:
        """Let each pipeline know those that look at its objects."""
        runners = self.runners()
        feeds = [runner.feed for runner in runners if runner.feed is not None]
        for runner in runners:
            name = runner.plan.name
            runner.show_to(tuple(feed for feed in feeds if feed.rule.pipeline == name))

    def reload(self, tables: Sequence[configuration.Pipeline]) -> str:
        """Rebuild what has changed and leave the rest alone; what was done, in words."""
        before = {table.name: table for table in self._tables}
        after = {table.name: table for table in tables}
        changed = [name for name in before if before[name] != after.get(name)]
        changed += _with_other_frames(self._tables, tables, changed)
        # First, for the others may wait for them.
        croppers = [table.name for table in tables if table.crops_of in changed]
        changed = list(dict.fromkeys([*filter(before.get, croppers), *changed]))
        changed += self._to_wait_anew(changed, tables)
        for name in changed:
            reason = "its configuration changed" if name in after else "it was taken out"
            self._thresholds.pop(name, None)
            if self._disabled.pop(name, None) is None:
                self._end(self._runners.pop(name), reason)
        running = {*self._runners, *self._disabled}
        started = [name for name in after if name not in running]
        self._configure(tables)
        self._start([after[name] for name in started])
        return _told(started, [name for name in changed if name not in after])

    def _to_wait_anew(
        self, changed: Sequence[str], tables: Sequence[configuration.Pipeline]
    ) -> list[str]:
        """Those that had ended with the one that starts them, which now begins anew."""
        found: list[str] = []
        for table in [*tables] * len(tables):  # one may start the next
            runner = self._runners.get(table.name)
            if table.when is None or runner is None or table.name in [*changed, *found]:
                continue
            if table.when.pipeline in [*changed, *found] and runner.ended and runner.is_over:
                found.append(table.name)
        return found

    def _configure(self, tables: Sequence[configuration.Pipeline]) -> None:
        self._tables = tuple(tables)
        self._triggers = any(table.when is not None for table in tables)

    def stop(self) -> None:
        """All at once, within ``_STOP_S``; one that is stuck is left behind."""
        runners = self.runners()
        for runner in runners:
            runner.ask_to_stop()
        deadline = time.monotonic() + _STOP_S
        for runner in runners:
            if not runner.stop("edged was stopped", max(0.0, deadline - time.monotonic())):
                log.warning(
                    "pipeline %s is stuck and was left behind",
                    runner.plan.name,
                    extra=about(Event.STOP, runner.plan.name),
                )

    def _start(self, tables: Sequence[configuration.Pipeline]) -> None:
        """All know each other before the first of them has a model, and so finds anything."""
        runners = [self._started(table) for table in tables]
        self._link()
        for runner in runners:
            self._intake.join(runner)
            self._warn(runner.plan)

    def _started(self, table: configuration.Pipeline) -> Runner:
        plan = make_plan(table, self._tables)
        runner = Runner(
            replace(plan, threshold=self._thresholds.get(table.name, plan.threshold)),
            masked(self._make_source(table.source), table) if table.source else None,
            _cadence(table, plan),
            self._sequences[table.name],
            track_ids=self._track_ids[table.name],
            baselines=self._baselines,
            publish=self._publish,
            send=self._ends.send,
            on_trial=self._intake.trial_over,
            on_model=lambda: self._on_model(table.name),
            on_end=self._ends.on_ended,
            slots=self._slots,
        )
        self._runners[table.name] = runner
        runner.slow(self._slowing())
        runner.start()
        return runner

    def _publish(self, record: Record) -> None:
        """From the threads of the pipelines: others may wait for a result."""
        self._ends.publish(record)
        if self._triggers and isinstance(record, Result):
            for runner in self.runners():
                runner.hear(record)

    def _on_model(self, name: str) -> None:
        """From any thread: another model serves, or it has learnt something."""
        for runner in self.runners():
            if runner.plan.depends_on == name:
                self._warn(runner.plan)
        self._ends.on_change()

    def _warn(self, plan: Plan) -> None:
        """Where a pipeline needs what the other's model cannot find: once for each reason."""
        first = self._runners.get(plan.depends_on or "")
        model = first.active if first else None
        never = never_found(plan, model) if model else None
        if never is not None and self._warned.get(plan.name) != never:
            log.warning("pipeline %s %s", plan.name, never, extra=about(Event.MODEL, plan.name))
        self._warned[plan.name] = never

    def _end(self, runner: Runner, reason: str) -> bool:
        """False: it is stuck, and was left behind."""
        stopped = runner.stop(reason, _STOP_S)
        self._intake.leave(runner)
        return stopped

    # ---- what can be commanded: see remote ---------------------------------------------------

    def set_enabled(self, pipeline: str, enabled: bool) -> None:
        """Raises CommandRefused."""
        table = self._table_of(pipeline)
        if enabled and pipeline in self._disabled:
            del self._disabled[pipeline]
            self._start([table])
        elif not enabled and pipeline in self._runners:
            runner = self._runners[pipeline]
            if runner.ended:
                raise CommandRefused("Its recording has ended.")
            self._disabled[pipeline] = replace(runner.info(), enabled=False)
            del self._runners[pipeline]
            self._link()
            if not self._end(runner, _DISABLED):
                self._ends.on_change()
                raise CommandRefused("It is disabled, but stuck, and was left behind.")
        self._ends.on_change()

    def set_threshold(self, pipeline: str, threshold: float) -> None:
        """Raises CommandRefused."""
        self._table_of(pipeline)
        self._thresholds[pipeline] = threshold
        if pipeline in self._runners:
            self._runners[pipeline].set_threshold(threshold)
        else:
            self._disabled[pipeline] = replace(self._disabled[pipeline], threshold=threshold)
        self._ends.on_change()

    def _table_of(self, name: str) -> configuration.Pipeline:
        for table in self._tables:
            if table.name == name:
                return table
        raise CommandRefused("There is no pipeline of that name.")


def _with_other_frames(
    before: Sequence[configuration.Pipeline],
    after: Sequence[configuration.Pipeline],
    changed: Sequence[str],
) -> list[str]:
    """Those whose camera is to scale for their model alone, or not any more."""
    were = {table.name: make_plan(table, before).frame_size for table in before}
    return [
        table.name
        for table in after
        if table.name in were and table.name not in changed
        if make_plan(table, after).frame_size != were[table.name]
    ]


def _cadence(table: configuration.Pipeline, plan: Plan) -> Cadence:
    publish = Publish(table.publish) if "result" in table.tells else Publish.NEVER
    if plan.crop is not None:
        return CropCadence(publish, table.interval_s, tracked=plan.crop.tracked)
    return Cadence(publish, table.interval_s)


def _told(started: list[str], removed: list[str]) -> str:
    parts = []
    if started:
        parts.append(f"started {', '.join(started)}")
    if removed:
        parts.append(f"removed {', '.join(removed)}")
    return "; ".join(parts) or "no pipeline changed"
