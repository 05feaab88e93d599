"""The composition: runners and the publisher, signals, reload, the way down."""

from __future__ import annotations

import contextlib
import itertools
import logging
import platform
import queue
import secrets
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path

import cv2

from . import __version__
from . import config as configuration
from .announcer import FILE_NAME, Announcer, Memory
from .build import make_plan, make_source, mqtt_settings, spool_settings
from .cadence import Cadence, Publish
from .climate import Climate
from .clock import SystemClock
from .engine import runtime as binding
from .errors import ConfigError
from .events import Event, about
from .handoff import Closed
from .intake import Intake
from .publish import Context
from .publish.commands import CommandRefused
from .publish.publisher import Publisher
from .publish.settings import MqttSettings
from .publish.topics import HOME_ASSISTANT_STATUS, topic_for
from .records import Info, Metrics, PipelineInfo, Record
from .remote import Remote
from .runner import Runner
from .service import machine
from .service.metrics import INTERVAL_S
from .service.notify import Notifier
from .sources import Source
from .store.signature import load_keys
from .store.vault import Vault
from .store.watcher import Watcher
from .supervisor import Outlook, Supervisor

log = logging.getLogger("edged.daemon")

# Of the 5 s in which a stop must be over: for the frames in hand, then for the broker.
_INTAKE_STOP_S = 0.5
_RUNNERS_STOP_S = 2.0
_PUBLISHER_CLOSE_S = 2.0
# Threads that wait for the GIL ask for it after this time; by default it is 5 ms, which an
# inference thread would lose after every invocation to a source that decodes in Python.
_SWITCH_INTERVAL_S = 0.0005

_STOP, _RELOAD, _ENDED, _COMMAND = "stop", "reload", "ended", "command"
_DISABLED = "disabled by a command"


class Daemon:
    """``run`` in the main thread, once.

    ``make_source`` lets the demo listen in on its synthetic camera.
    """

    def __init__(
        self,
        config: configuration.Config,
        reread: Callable[[], configuration.Config],
        settings: MqttSettings,
        state_dir: Path,
        models_dir: Path,
        make_source: Callable[[configuration.SourceTable], Source] = make_source,
        *,
        notifier: Notifier | None = None,
        climate: Climate | None = None,
    ) -> None:
        """Reads the trusted keys, and nothing else. Raises ConfigError."""
        self._config = config
        self._reread = reread
        self._make_source = make_source
        hot_c = config.device.hot_c if config.device.governor else None
        self._climate = climate or Climate(hot_c)
        device = config.device.id
        self.run_id = secrets.token_hex(4)
        context = Context(
            prefix=config.mqtt.topic_prefix,
            device=device,
            run=self.run_id,
            qos=config.mqtt.qos,
            clock=SystemClock(),
            version=__version__,
            message_expiry_s=config.mqtt.message_expiry_s,
            home_assistant=config.mqtt.home_assistant_prefix if config.mqtt.home_assistant else "",
        )
        spool = spool_settings(config.spool, state_dir)
        self._publisher = Publisher(settings, context, spool=spool)
        self._announcer = Announcer(context, Memory(state_dir / FILE_NAME), self._publisher)
        if context.home_assistant:
            status = topic_for(HOME_ASSISTANT_STATUS, context)
            self._publisher.listen(status, self._announcer.heard)
        self._models_dir = models_dir
        models = config.models
        self._vault = Vault(state_dir, models.keep_versions)
        keys = load_keys(models.trusted_keys) if models.require_signature else None
        self._intake = Intake(models_dir, self._vault, keys, lambda: list(self._runners.values()))
        self._watcher = Watcher(models_dir, self._intake.settled, self._intake.gone)
        self._supervisor = Supervisor(notifier or Notifier())
        self._remote = Remote(context, self._publisher, lambda: self._events.put(_COMMAND))
        if config.mqtt.commands:
            self._remote.listen()
        self._runners: dict[str, Runner] = {}
        # By commands, until a reload changes the pipeline.
        self._disabled: dict[str, PipelineInfo] = {}
        self._thresholds: dict[str, float] = {}
        self._stop_asked = False
        self._sequences: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._started = time.monotonic()

    def run(self) -> None:
        """Serve until a signal, or until all pipelines have ended. Raises EdgedError."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        # Pipelines are the unit of parallel work: OpenCV's own threads would fight with them.
        cv2.setNumThreads(1)
        binding.runtime()
        self._vault.open()
        with contextlib.suppress(OSError):  # the watcher tells where there is none, and waits
            self._models_dir.mkdir(parents=True, exist_ok=True)
        self._publisher.start()
        self._announcer.open()
        self._take_signals()
        log.info(
            "edged %s, run %s, device %s",
            __version__,
            self.run_id,
            self._config.device.id,
            extra=about(Event.START),
        )
        for pipeline in self._config.pipelines:
            self._start(pipeline)
        self._publish_info()
        self._intake.start()
        self._watcher.start()
        try:
            self._serve()
        finally:
            self._shut_down()

    def stop(self) -> None:
        """Let ``run`` come to its end; from any thread, and from a signal's handler."""
        self._stop_asked = True  # goes before the commands that wait
        self._events.put(_STOP)

    # ---- the main loop -------------------------------------------------------------------------

    def _take_signals(self) -> None:
        """A handler only puts a word into the queue, whose put may interrupt anything."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGHUP, lambda *_: self._events.put(_RELOAD))

    def _serve(self) -> None:
        next_metrics = time.monotonic() + INTERVAL_S
        while True:
            self._look_after()
            try:
                event = self._events.get(timeout=self._supervisor.tick_s)
            except queue.Empty:
                event = ""
            if event == _STOP or self._stop_asked:
                return
            if event == _RELOAD:
                self._reload()
            if event == _COMMAND:
                self._remote.work(self)
            if self._all_have_ended():
                self._deliver_rest()
                return
            if time.monotonic() >= next_metrics:
                self._publish_metrics()
                next_metrics += INTERVAL_S

    def _all_have_ended(self) -> bool:
        """A pipeline that is disabled has not: it may be enabled again."""
        ended = all(runner.ended for runner in self._runners.values())
        return ended and bool(self._runners) and not self._disabled

    def _look_after(self) -> None:
        """See how all get on, and tell the service manager and Home Assistant."""
        self._climate.look(self._runners.values())
        for runner in self._runners.values():
            runner.check()
        self._announcer.check()
        threads = {
            "the publisher": self._publisher.alive,
            "the thread that takes in models": self._intake.alive,
            "the watcher of the models directory": self._watcher.alive,
        }
        died = [name for name, alive in threads.items() if not alive]
        vitals = [runner.vitals() for runner in self._runners.values()]
        self._supervisor.look(vitals, Outlook(self._publisher.metrics().depth, died))

    def _deliver_rest(self) -> None:
        """All recordings are over: wait for the broker as long as it takes, or for a signal."""
        log.info("all pipelines have ended", extra=about(Event.STOP))
        told = False
        while not self._publisher.wait_delivered(self._supervisor.tick_s):
            self._look_after()
            if not told and not self._publisher.connected:
                told = True
                spool = self._publisher.metrics()
                fate = "keeps them for the next start" if spool.on_disk else "drops them"
                log.warning(
                    "%d results wait for the broker; SIGTERM %s",
                    spool.depth,
                    fate,
                    extra=about(Event.BROKER),
                )
            try:
                if self._events.get_nowait() == _STOP:
                    return
            except queue.Empty:
                continue

    def _shut_down(self) -> None:
        self._supervisor.stopping()
        log.info("stopping", extra=about(Event.STOP))
        self._watcher.stop(_INTAKE_STOP_S)
        runners = list(self._runners.values())
        for runner in runners:
            runner.ask_to_stop()
        deadline = time.monotonic() + _RUNNERS_STOP_S
        for runner in runners:
            if not runner.stop("edged was stopped", max(0.0, deadline - time.monotonic())):
                log.warning(
                    "pipeline %s is stuck and was left behind",
                    runner.plan.name,
                    extra=about(Event.STOP, runner.plan.name),
                )
        self._intake.stop(_INTAKE_STOP_S)
        self._announcer.check()
        self._publish_metrics()
        self._publisher.close(_PUBLISHER_CLOSE_S)

    # ---- pipelines -----------------------------------------------------------------------------

    def _start(self, pipeline: configuration.Pipeline) -> None:
        plan = make_plan(pipeline)
        threshold = self._thresholds.get(pipeline.name, plan.threshold)
        runner = Runner(
            replace(plan, threshold=threshold),
            self._make_source(pipeline.source),
            Cadence(Publish(pipeline.publish), pipeline.interval_s),
            self._sequences[pipeline.name],
            publish=self._publish,
            on_trial=self._intake.trial_over,
            on_model=self._publish_info,
            on_end=lambda: self._events.put(_ENDED),
        )
        self._runners[pipeline.name] = runner
        runner.slow(self._climate.slowing)
        runner.start()
        self._intake.join(runner)

    def _reload(self) -> bool:
        """Read the configuration again; one with errors changes nothing and is told: False."""
        self._supervisor.reloading()
        try:
            new = self._reread()
        except ConfigError as error:
            for problem in error.problems:
                log.error("%s", problem, extra=about(Event.RELOAD))
            log.error(
                "the configuration was not reloaded; everything goes on as before",
                extra=about(Event.RELOAD),
            )
            return False
        for section in ("device", "mqtt", "spool", "models"):
            if getattr(new, section) != getattr(self._config, section):
                log.warning(
                    "[%s] has changed: restart edged for it", section, extra=about(Event.RELOAD)
                )
        before = {pipeline.name: pipeline for pipeline in self._config.pipelines}
        after = {pipeline.name: pipeline for pipeline in new.pipelines}
        changed = [name for name in before if before[name] != after.get(name)]
        for name in changed:
            reason = "its configuration changed" if name in after else "it was taken out"
            self._thresholds.pop(name, None)
            if self._disabled.pop(name, None) is not None:
                continue
            runner = self._runners.pop(name)
            runner.stop(reason, _RUNNERS_STOP_S)
            self._intake.leave(runner)
        running = {*self._runners, *self._disabled}
        started = [name for name in after if name not in running]
        for name in started:
            self._start(after[name])
        self._config = new
        self._publish_info()
        removed = [name for name in changed if name not in after]
        log.info("reloaded: %s", _told(started, removed), extra=about(Event.RELOAD))
        return True

    def _publish(self, record: Record) -> None:
        """From any thread; one that was left behind at the end may still come with something."""
        with contextlib.suppress(Closed):
            self._publisher.publish(record)

    # ---- what can be commanded: see remote -------------------------------------------------------

    def set_enabled(self, pipeline: str, enabled: bool) -> None:
        """Raises CommandRefused."""
        table = self._table_of(pipeline)
        if enabled and pipeline in self._disabled:
            del self._disabled[pipeline]
            self._start(table)
        elif not enabled and pipeline in self._runners:
            runner = self._runners[pipeline]
            if runner.ended:
                raise CommandRefused("Its recording has ended.")
            self._disabled[pipeline] = replace(runner.info(), enabled=False)
            del self._runners[pipeline]
            stopped = runner.stop(_DISABLED, _RUNNERS_STOP_S)
            self._intake.leave(runner)
            if not stopped:
                self._publish_info()
                raise CommandRefused("It is disabled, but stuck, and was left behind.")
        self._publish_info()

    def set_threshold(self, pipeline: str, threshold: float) -> None:
        """Raises CommandRefused."""
        self._table_of(pipeline)
        self._thresholds[pipeline] = threshold
        if pipeline in self._runners:
            self._runners[pipeline].set_threshold(threshold)
        else:
            self._disabled[pipeline] = replace(self._disabled[pipeline], threshold=threshold)
        self._publish_info()

    def reload(self) -> None:
        """Raises CommandRefused, without a word of the configuration."""
        if not self._reload():
            raise CommandRefused("The configuration has errors and was not read; the log has them.")

    def _table_of(self, name: str) -> configuration.Pipeline:
        for pipeline in self._config.pipelines:
            if pipeline.name == name:
                return pipeline
        raise CommandRefused("There is no pipeline of that name.")

    # ---- what is told of the whole device -------------------------------------------------------

    def _publish_info(self) -> None:
        """Called from the runners' threads too."""
        runtime = binding.runtime()
        info = Info(
            runtime=runtime.name,
            runtime_version=runtime.version,
            host=platform.node(),
            os=machine.os_name(),
            pipelines=self._pipeline_infos(),
        )
        self._publish(info)
        self._announcer.announce(info)

    def _pipeline_infos(self) -> tuple[PipelineInfo, ...]:
        found = dict(self._disabled) | {
            name: runner.info() for name, runner in list(self._runners.items())
        }
        return tuple(found[each.name] for each in self._config.pipelines if each.name in found)

    def _publish_metrics(self) -> None:
        now_ns = time.monotonic_ns()
        self._publish(
            Metrics(
                uptime_s=time.monotonic() - self._started,
                pipelines={name: runner.metrics(now_ns) for name, runner in self._runners.items()},
                spool=self._publisher.metrics(),
                cpu_temperature_c=self._climate.temperature_c,
                throttling=self._climate.throttling,
                memory_bytes=machine.memory_bytes(),
            )
        )


def _told(started: list[str], removed: list[str]) -> str:
    parts = []
    if started:
        parts.append(f"started {', '.join(started)}")
    if removed:
        parts.append(f"removed {', '.join(removed)}")
    return "; ".join(parts) or "no pipeline changed"


def run_daemon(path: Path, environ: MutableMapping[str, str], is_root: bool) -> None:
    """``edged run``. Takes from ``environ`` what is for this process alone. Raises ConfigError,
    EdgedError.
    """
    notifier = Notifier.taken_from(environ)

    def reread() -> configuration.Config:
        return configuration.load_config(path)

    config = reread()
    Daemon(
        config,
        reread,
        mqtt_settings(config.mqtt, config.device.id, environ),
        configuration.state_dir(config, environ, is_root),
        configuration.models_dir(config, environ, is_root),
        notifier=notifier,
    ).run()
