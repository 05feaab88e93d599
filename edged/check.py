"""``edged check``: would the daemon run, and what to do about it if not. One line a finding."""

from __future__ import annotations

import contextlib
import platform
import ssl
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import config as configuration
from .build import load_options, mqtt_settings
from .check_scene import check_scene
from .check_source import check_crop, check_source
from .check_system import (
    check_cameras,
    check_chip,
    check_clock,
    check_microphones,
    check_places,
    check_sensors,
    check_unit,
    check_user,
)
from .engine import runtime as binding
from .engine.layers import read_graph
from .errors import EXIT_FAILED, ConfigError, EdgedError
from .golden import read_golden
from .loading import examine
from .publish.losses import BrokerLost
from .publish.reach import reach
from .publish.settings import Address
from .reading import Reading
from .report import Report
from .runtime_advice import is_quantized, slow_here
from .service.host import Host, Unit
from .store.minisign import PublicKey
from .store.models import read_model_files
from .store.signature import load_keys, verify_all
from .store.watched import path_in
from .suitability import refuse_untrackable, unknown_labels

# What the service's unit gives its daemon.
SERVICE_ENVIRONMENT = {"STATE_DIRECTORY": "/var/lib/edged", "CREDENTIALS_DIRECTORY": "/etc/edged"}


def check(
    path: Path,
    environ: Mapping[str, str],
    is_root: bool,
    tell: Callable[[str], None],
    host: Host | None = None,
) -> int:
    """Look at everything the daemon would need, as the user and in the places of the service where
    it is installed and runs on this very file. The exit status; raises ConfigError.
    """
    config = configuration.load_config(path)
    report, host = Report(tell), host or Host()
    count = len(config.pipelines)
    report.ok("config", f"{path}: {count} pipeline{'s' if count != 1 else ''}")
    _check_runtime(report)
    unit = host.unit() if path == configuration.default_config_path({}) else None
    if unit is not None:
        environ = {**SERVICE_ENVIRONMENT, **environ}
        if not is_root:
            report.note("user", "run it with sudo: some of what the service sees may be hidden")
    check_unit(report, unit)
    models_dir = configuration.models_dir(config, environ, is_root)
    state_dir = configuration.state_dir(config, environ, is_root)
    user = host.account(unit.user if unit is not None else None)
    if user is not None:
        check_user(report, user, config.pipelines)
        check_places(report, user, state_dir, models_dir, config.spool.max_bytes)
    running = _check_other(report, host, state_dir, unit)
    keys = _check_keys(report, config.models)
    check_cameras(report, host, config.pipelines)
    check_microphones(report, host.root, config.pipelines)
    check_sensors(report, config.pipelines)
    readings: dict[str, Reading | None] = {}
    for pipeline in config.pipelines:
        reading = _check_model(report, pipeline, path_in(models_dir, pipeline.model), keys)
        readings[pipeline.name] = reading
        check_scene(report, pipeline, reading.labels.known if reading is not None else None)
        if pipeline.source is not None:
            check_source(report, pipeline.name, pipeline.source, running, reading)
    for pipeline in config.pipelines:
        if pipeline.crop is not None:
            check_crop(report, pipeline.name, pipeline.crop, readings[pipeline.crop.from_])
    _check_broker(report, config, environ)
    check_chip(report, host, config.device.hot_c)
    check_clock(report)
    return EXIT_FAILED if report.failed else 0


def _check_runtime(report: Report) -> None:
    try:
        runtime = binding.runtime()
    except EdgedError as error:
        report.wrong("runtime", str(error))
        return
    report.ok("runtime", f"{runtime.name} {runtime.version}")
    for reason in runtime.passed_over:
        report.note("runtime", f"{runtime.name} is the slower one: {reason}")


def _check_other(report: Report, host: Host, state_dir: Path, unit: Unit | None) -> bool:
    """Whether a daemon runs already: the service is as it should be, another one is in the way."""
    process = host.user_of_lock(state_dir / "store")
    if process is None:
        return False
    if unit is None or unit.active not in ("active", "activating", "reloading"):
        report.wrong(
            "other",
            f"another edged (process {process}) uses {state_dir}. Stop it first, or give this one "
            "a device.state_dir of its own",
        )
    return True


def _check_keys(report: Report, models: configuration.Models) -> Sequence[PublicKey] | None:
    """The keys to hold signatures against; None where none are required."""
    if not models.require_signature:
        return None
    try:
        keys = load_keys(models.trusted_keys)
    except ConfigError as error:
        for problem in error.problems:
            report.wrong("keys", problem)
        return ()
    report.ok("keys", f"models must be signed by one of {len(keys)}")
    return keys


def _check_model(
    report: Report,
    pipeline: configuration.Pipeline,
    path: Path,
    keys: Sequence[PublicKey] | None,
) -> Reading | None:
    """How the model is run; None where it cannot be."""
    subject = f"{pipeline.name}: {pipeline.model}"
    options = load_options(pipeline)
    try:
        files = read_model_files(path)
        if keys is not None:
            verify_all(files, keys)
        goldens = read_golden(files.sidecar.goldens, path.parent)
        examined = examine(files, path, options, goldens)
        refuse_untrackable(examined.reading, pipeline.has_tracks)
    except (EdgedError, OSError) as error:
        report.wrong("model", f"{subject}: {error}")
        return None
    reading, labels = examined.reading, examined.reading.labels
    report.ok(
        "model",
        f"{subject} {files.facts.sha256[:12]}: {reading.task.name} ({reading.task.why}), "
        f"{examined.probed.invoke_ms:.1f} ms",
    )
    report.ok(
        "model", f"{subject}: {reading.input.what} {reading.input.said}; labels: {labels.origin}"
    )
    slow = slow_here(binding.runtime().name, platform.machine())
    if slow is not None and is_quantized(read_graph(files.data)):
        report.note("model", f"{subject}: {slow}")
    unknown = unknown_labels(pipeline.labels, labels.known)
    if unknown is not None:
        report.note("labels", f"{pipeline.name}: {unknown}")
    return reading


def _check_broker(report: Report, config: configuration.Config, environ: Mapping[str, str]) -> None:
    """One of several addresses is enough for the daemon."""
    _check_secrets(report, config.mqtt)
    try:
        settings = mqtt_settings(config.mqtt, config.device.id, environ)
    except ConfigError as error:
        for problem in error.problems:
            report.wrong("broker", problem)
        return
    accepted = False
    failed: list[tuple[str, EdgedError]] = []
    for broker in settings.each():
        where = str(Address(broker.host, broker.port))
        try:
            version = reach(broker).value
        except EdgedError as error:
            failed.append((where, error))
        else:
            accepted = True
            report.ok("broker", f"{where} accepts edged, MQTT {version}")
    for where, reason in failed:
        if accepted:
            report.note("broker", f"{where}: {reason}")
        elif _may_come_back(reason):
            kept = "results wait for it on the disk" if config.spool.max_bytes else "results wait"
            report.note("broker", f"{where}: {reason}. edged runs all the same, and {kept}")
        else:
            report.wrong("broker", f"{where}: {reason}")


def _may_come_back(error: EdgedError) -> bool:
    """Whether the broker is just not there: what it refuses, or its certificate, needs a hand."""
    cause = error.__cause__
    return (
        isinstance(error, BrokerLost)
        and isinstance(cause, OSError)
        and not isinstance(cause, ssl.SSLError)
    )


def _check_secrets(report: Report, mqtt: configuration.Mqtt) -> None:
    """Whether all users of the machine may read what is for edged alone."""
    for key, path in (
        ("mqtt.password_file", mqtt.password_file),
        ("mqtt.tls.key_file", mqtt.tls.key_file if mqtt.tls else None),
    ):
        if path is None:
            continue
        with contextlib.suppress(OSError):  # what uses it tells
            if path.stat().st_mode & stat.S_IROTH:
                advice = f"chmod o= {path}, and let it belong to the user that runs edged"
                report.note("secret", f"{key}: every user can read {path}: {advice}")
