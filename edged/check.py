"""``edged check``: would the daemon run, and what to do about it if not. One line a finding."""

from __future__ import annotations

import contextlib
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import config as configuration
from .build import load_options, make_plan, make_source, mqtt_settings
from .clock import SystemClock
from .engine import runtime as binding
from .errors import EXIT_FAILED, ConfigError, EdgedError
from .golden import read_golden
from .loading import examine, unknown_labels
from .publish.reach import reach
from .publish.settings import Address
from .records import Frame
from .sources import Source, Unreadable
from .store.minisign import PublicKey
from .store.models import read_model_files
from .store.signature import load_keys, verify_all
from .store.watched import path_in

# A camera takes a second or two to start; one that takes longer is told as such.
_SOURCE_TIMEOUT_S = 15.0
_LOW_SPACE_BYTES = 200 * 1024 * 1024


@dataclass(slots=True)
class Report:
    """Tells each finding as it is made, and remembers whether all is well."""

    tell: Callable[[str], None]
    failed: bool = False

    def ok(self, subject: str, text: str) -> None:
        self.tell(f"ok     {subject:<8} {text}")

    def note(self, subject: str, text: str) -> None:
        """Worth knowing; the daemon runs all the same."""
        self.tell(f"note   {subject:<8} {text}")

    def wrong(self, subject: str, text: str) -> None:
        self.failed = True
        self.tell(f"wrong  {subject:<8} {text}")


def check(
    path: Path, environ: Mapping[str, str], is_root: bool, tell: Callable[[str], None]
) -> int:
    """Look at everything the daemon would need. The exit status; raises ConfigError."""
    config = configuration.load_config(path)
    report = Report(tell)
    count = len(config.pipelines)
    report.ok("config", f"{path}: {count} pipeline{'s' if count != 1 else ''}")
    _check_runtime(report)
    models_dir = configuration.models_dir(config, environ, is_root)
    _check_state(report, models_dir, configuration.state_dir(config, environ, is_root))
    keys = _check_keys(report, config.models)
    for pipeline in config.pipelines:
        _check_model(report, pipeline, path_in(models_dir, pipeline.model), keys)
        _check_source(report, pipeline)
    _check_broker(report, config, environ)
    _check_clock(report)
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


def _check_state(report: Report, models_dir: Path, state_dir: Path) -> None:
    try:
        for directory in (state_dir, models_dir):
            directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=state_dir):
            pass
    except OSError as error:
        report.wrong(
            "state",
            f"cannot write to {state_dir}: {error.strerror}. Give edged a directory to write to in "
            "device.state_dir, or run it as a user that may",
        )
        return
    free = shutil.disk_usage(state_dir).free
    if free < _LOW_SPACE_BYTES:
        report.note("state", f"{state_dir} has only {free >> 20} MB of free space")
    else:
        report.ok("state", f"{state_dir}; models in {models_dir}")


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
) -> None:
    subject = f"{pipeline.name}: {pipeline.model}"
    options = load_options(pipeline)
    try:
        files = read_model_files(path)
        if keys is not None:
            verify_all(files, keys)
        golden = read_golden(files.sidecar.golden, path.parent)
        examined = examine(files, path, options, golden)
    except (EdgedError, OSError) as error:
        report.wrong("model", f"{subject}: {error}")
        return
    reading, labels = examined.reading, examined.reading.labels
    report.ok(
        "model",
        f"{subject} {files.facts.sha256[:12]}: {reading.task.name} ({reading.task.why}), "
        f"{examined.probed.invoke_ms:.1f} ms",
    )
    report.ok("model", f"{subject}: pixels {reading.pixels.said}; labels: {labels.origin}")
    unknown = unknown_labels(pipeline.labels, labels.known)
    if unknown is not None:
        report.note("labels", f"{pipeline.name}: {unknown}")


def _check_source(report: Report, pipeline: configuration.Pipeline) -> None:
    kind = make_plan(pipeline).source_kind
    try:
        frame = _first_frame(make_source(pipeline.source))
    except Exception as error:  # a camera's library raises what it likes
        report.wrong("source", f"{pipeline.name}: {kind}: {error}")
        return
    if frame is None:
        report.wrong("source", f"{pipeline.name}: {kind} gave no frame in {_SOURCE_TIMEOUT_S:g} s")
        return
    height, width = frame.pixels.shape[:2]
    report.ok("source", f"{pipeline.name}: {kind} gives frames of {width}x{height}")


def _first_frame(source: Source) -> Frame | None:
    """The first frame, or None when none came in time. Raises what the source raises."""
    found: list[Frame | None] = []
    failed: list[Exception] = []

    def look() -> None:
        try:
            source.open(None)
            while not found:
                try:
                    found.append(source.read())
                except Unreadable:
                    continue
        except Exception as error:
            failed.append(error)
        finally:
            source.close()

    # A daemon thread: a driver that hangs must not keep the command from ending.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(_SOURCE_TIMEOUT_S)
    if failed:
        raise failed[0]
    return found[0] if found else None


def _check_broker(report: Report, config: configuration.Config, environ: Mapping[str, str]) -> None:
    """One of several addresses is enough for the daemon."""
    _check_secrets(report, config.mqtt)
    settings = mqtt_settings(config.mqtt, config.device.id, environ)
    accepted, failed = [], []
    for broker in settings.each():
        where = str(Address(broker.host, broker.port))
        try:
            accepted.append(f"{where} accepts edged, MQTT {reach(broker).value}")
        except EdgedError as error:
            failed.append(f"{where}: {error}")
    for text in accepted:
        report.ok("broker", text)
    for text in failed:
        (report.note if accepted else report.wrong)("broker", text)


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


def _check_clock(report: Report) -> None:
    if SystemClock().synced():
        report.ok("clock", "synchronised")
    else:
        report.note("clock", "not synchronised: results carry clock_synced = false until it is")
