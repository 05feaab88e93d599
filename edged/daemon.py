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
from .publish.publisher import Publisher
from .publish.settings import MqttSettings
from .publish.topics import HOME_ASSISTANT_STATUS, topic_for
from .records import Info, Metrics, Record
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

_STOP, _RELOAD, _ENDED = "stop", "reload", "ended"


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
        self._runners: dict[str, Runner] = {}
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
        """Let ``run`` come to its end; from any thread."""
        self._events.put(_STOP)

    # ---- the main loop -------------------------------------------------------------------------

    def _take_signals(self) -> None:
        """A handler only puts a word into the queue, whose put may interrupt anything."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._events.put(_STOP))
        signal.signal(signal.SIGHUP, lambda *_: self._events.put(_RELOAD))

    def _serve(self) -> None:
        next_metrics = time.monotonic() + INTERVAL_S
        while True:
            self._look_after()
            try:
                event = self._events.get(timeout=self._supervisor.tick_s)
            except queue.Empty:
                event = ""
            if event == _STOP:
                return
            if event == _RELOAD:
                self._reload()
            if self._runners and all(runner.ended for runner in self._runners.values()):
                self._deliver_rest()
                return
            if time.monotonic() >= next_metrics:
                self._publish_metrics()
                next_metrics += INTERVAL_S

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
        runner = Runner(
            make_plan(pipeline),
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

    def _reload(self) -> None:
        """Read the configuration again; one with errors changes nothing and is told."""
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
            return
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
            runner = self._runners.pop(name)
            runner.stop(reason, _RUNNERS_STOP_S)
            self._intake.leave(runner)
        started = [name for name in after if name not in self._runners]
        for name in started:
            self._start(after[name])
        self._config = new
        self._publish_info()
        removed = [name for name in changed if name not in after]
        log.info("reloaded: %s", _told(started, removed), extra=about(Event.RELOAD))

    def _publish(self, record: Record) -> None:
        """From any thread; one that was left behind at the end may still come with something."""
        with contextlib.suppress(Closed):
            self._publisher.publish(record)

    # ---- what is told of the whole device -------------------------------------------------------

    def _publish_info(self) -> None:
        """Called from the runners' threads too."""
        runtime = binding.runtime()
        info = Info(
            runtime=runtime.name,
            runtime_version=runtime.version,
            host=platform.node(),
            os=machine.os_name(),
            pipelines=tuple(runner.info() for runner in list(self._runners.values())),
        )
        self._publish(info)
        self._announcer.announce(info)

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
