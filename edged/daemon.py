"""The composition: pipelines and the publisher, signals, reload, the way down."""

from __future__ import annotations

import contextlib
import logging
import platform
import queue
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from . import __version__
from . import config as configuration
from .announcer import FILE_NAME, Announcer, Memory
from .build import make_source, spool_settings
from .climate import Climate
from .clock import SystemClock
from .engine import runtime as binding
from .errors import ConfigError
from .event_ledger import FILE_NAME as EVENTS_FILE
from .event_ledger import EventLedger
from .fleet import Ends, Fleet
from .handoff import Closed
from .intake import Intake
from .log_fields import Event, about
from .publish import Context
from .publish.commands import CommandRefused
from .publish.publisher import Publisher
from .publish.settings import MqttSettings
from .publish.topics import HOME_ASSISTANT_STATUS, topic_for
from .records.happenings import Happening
from .records.health import Metrics
from .records.info import Info
from .records.published import Record
from .records.results import Result
from .remote import Remote
from .service import machine, signals
from .service.metrics import INTERVAL_S
from .service.notify import Notifier
from .slots import Slots
from .sources import Source
from .store.baselines import FILE_NAME as BASELINES_FILE
from .store.baselines import Baselines
from .store.signature import load_keys
from .store.vault import Vault
from .store.watcher import Watcher
from .supervisor import Outlook, Supervisor

log = logging.getLogger("edged.daemon")

# Of the 5 s in which a stop must be over, beside what ``fleet`` takes for the frames in hand.
_INTAKE_STOP_S = 0.5
_PUBLISHER_CLOSE_S = 2.0
_LEDGER_CLOSE_S = 0.3
# Threads that wait for the GIL ask for it after this time; by default it is 5 ms, which an
# inference thread would lose after every invocation to a source that decodes in Python.
_SWITCH_INTERVAL_S = 0.0005

_STOP, _RELOAD, _ENDED, _COMMAND = "stop", "reload", "ended", "command"


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
        self._ledger = EventLedger(
            state_dir / EVENTS_FILE, context, machine.boot_id(Path("/")), self._publisher
        )
        self._announcer = Announcer(context, Memory(state_dir / FILE_NAME), self._publisher)
        if context.home_assistant:
            status = topic_for(HOME_ASSISTANT_STATUS, context)
            self._publisher.listen(status, self._announcer.heard)
        self._models_dir = models_dir
        models = config.models
        self._vault = Vault(state_dir, models.keep_versions)
        keys = load_keys(models.trusted_keys) if models.require_signature else None
        self._intake = Intake(models_dir, self._vault, keys, lambda: self._fleet.runners())
        self._watcher = Watcher(models_dir, self._intake.settled, self._intake.gone)
        ends = Ends(
            self._publish,
            self._publisher.send,
            self._publish_info,
            lambda: self._events.put(_ENDED),
        )
        self._baselines = Baselines(state_dir / BASELINES_FILE)
        self._fleet = Fleet(
            make_source,
            self._intake,
            self._baselines,
            lambda: self._climate.slowing,
            ends,
            slots=Slots(machine.cores()),
        )
        self._supervisor = Supervisor(notifier or Notifier())
        self._remote = Remote(context, self._publisher, lambda: self._events.put(_COMMAND))
        if config.mqtt.commands:
            self._remote.listen()
        self._stop_asked = False
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._started = time.monotonic()

    def run(self) -> None:
        """Serve until a signal, or until all pipelines have ended. Raises EdgedError."""
        # Before anything is opened or logged: a stop in the middle of the start is one, too.
        signals.take(self.stop, lambda: self._events.put(_RELOAD))
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        machine.keep_one_heap()
        # Pipelines are the unit of parallel work: OpenCV's own threads would fight with them.
        cv2.setNumThreads(1)
        binding.runtime()
        self._vault.open()
        with contextlib.suppress(OSError):  # the watcher tells where there is none, and waits
            self._models_dir.mkdir(parents=True, exist_ok=True)
        self._publisher.start()
        try:
            self._begin()
            self._serve()
        finally:
            self._shut_down()

    def stop(self) -> None:
        """Let ``run`` come to its end; from any thread, and from a signal's handler."""
        self._stop_asked = True  # goes before the commands that wait
        self._events.put(_STOP)

    # ---- the main loop -------------------------------------------------------------------------

    def _begin(self) -> None:
        self._ledger.open()
        self._ledger.start()
        self._announcer.open()
        self._baselines.open()
        log.info(
            "edged %s, run %s, device %s",
            __version__,
            self.run_id,
            self._config.device.id,
            extra=about(Event.START),
        )
        if self._stop_asked:  # no camera is opened to be closed again
            return
        self._fleet.start(self._config.pipelines)
        self._publish_info()
        self._intake.start()
        self._watcher.start()

    def _serve(self) -> None:
        next_metrics = time.monotonic() + INTERVAL_S
        while not self._stop_asked:
            self._look_after()
            try:
                event = self._events.get(timeout=self._supervisor.tick_s)
            except queue.Empty:
                event = ""
            if self._stop_asked:
                return
            if event == _RELOAD:
                self._reload()
            if event == _COMMAND:
                self._remote.work(self)
            if self._fleet.have_ended:
                self._deliver_rest()
                return
            if time.monotonic() >= next_metrics:
                self._publish_metrics()
                next_metrics += INTERVAL_S

    def _look_after(self) -> None:
        """See how all get on, and tell the service manager and Home Assistant."""
        self._climate.look(self._fleet.runners())
        vitals = self._fleet.check()
        self._announcer.check()
        self._intake.check()
        self._baselines.write()
        threads = {
            "the publisher": self._publisher.alive,
            "the thread that takes in models": self._intake.alive,
            "the watcher of the models directory": self._watcher.alive,
            "the thread that keeps events": self._ledger.alive,
        }
        died = [name for name, alive in threads.items() if not alive]
        self._supervisor.look(vitals, Outlook(self._publisher.metrics().depth, died))

    def _deliver_rest(self) -> None:
        """All recordings are over: wait for the broker as long as it takes, or for a signal."""
        log.info("all pipelines have ended", extra=about(Event.STOP))
        self._ledger.flush()
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
        self._fleet.stop()
        self._intake.stop(_INTAKE_STOP_S)
        self._ledger.close(_LEDGER_CLOSE_S)
        self._announcer.check()
        self._baselines.write()
        self._publish_metrics()
        self._publisher.close(_PUBLISHER_CLOSE_S)
        self._ledger.finish()

    # ---- what is read again ----------------------------------------------------------------------

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
        done = self._fleet.reload(new.pipelines)
        self._config = new
        self._publish_info()
        log.info("reloaded: %s", done, extra=about(Event.RELOAD))
        return True

    def _publish(self, record: Record) -> None:
        """From any thread; one that was left behind at the end may still come with something."""
        try:
            if isinstance(record, Happening):
                self._ledger.put(record)
                return
            # When a result is to be sent is said by its pipeline.
            self._publisher.publish(record, later=isinstance(record, Result))
        except Closed:  # the end has come
            return

    # ---- what can be commanded: see remote -------------------------------------------------------

    def set_enabled(self, pipeline: str, enabled: bool) -> None:
        """Raises CommandRefused."""
        self._fleet.set_enabled(pipeline, enabled)

    def set_threshold(self, pipeline: str, threshold: float) -> None:
        """Raises CommandRefused."""
        self._fleet.set_threshold(pipeline, threshold)

    def reload(self) -> None:
        """Raises CommandRefused, without a word of the configuration."""
        if not self._reload():
            raise CommandRefused("The configuration has errors and was not read; the log has them.")

    # ---- what is told of the whole device -------------------------------------------------------

    def _publish_info(self) -> None:
        """Called from the runners' threads too."""
        runtime = binding.runtime()
        info = Info(
            runtime=runtime.name,
            runtime_version=runtime.version,
            host=platform.node(),
            os=machine.os_name(),
            pipelines=self._fleet.infos(),
        )
        self._publish(info)
        self._announcer.announce(info)

    def _publish_metrics(self) -> None:
        self._publish(
            Metrics(
                uptime_s=time.monotonic() - self._started,
                pipelines=self._fleet.metrics(time.monotonic_ns()),
                spool=self._publisher.metrics(),
                cpu_temperature_c=self._climate.temperature_c,
                throttling=self._climate.throttling,
                memory_bytes=machine.memory_bytes(),
            )
        )
