"""The part of ``edged check`` that looks at the system: the service, its user, chip and clock."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from . import config as configuration
from .clock import Clock, SystemClock
from .report import Report
from .service.chip import Chip, vcgencmd
from .service.host import Account, Host, Unit
from .sources.iio_device import list_devices

_LEAST_SPACE_BYTES = 200 << 20
# Of the groups that own devices, those that a kind of source needs.
_GROUPS = {"picamera2": "video", "v4l2": "video", "microphone": "audio"}
_NOTED_MARGIN_C = 5


def check_unit(report: Report, unit: Unit | None) -> None:
    if unit is None:
        return
    match unit.active:
        case "active" | "reloading":
            report.ok("unit", f"edged.service runs: {unit.status or 'no status yet'}")
        case "failed":
            report.note(
                "unit",
                f"edged.service has failed ({unit.result}): see journalctl -u edged, mend it, "
                "then: sudo systemctl restart edged",
            )
        case "activating" | "deactivating":
            report.note("unit", f"edged.service is {unit.active}: see systemctl status edged")
        case _:
            report.note(
                "unit", "edged.service does not run: start it with sudo systemctl start edged"
            )
    if unit.restarts:
        report.note("unit", f"it was started anew {unit.restarts} times: see journalctl -u edged")
    if not unit.enabled:
        report.note("unit", "it does not start at boot: sudo systemctl enable edged")


def check_user(report: Report, user: Account, pipelines: Sequence[configuration.Pipeline]) -> None:
    """Whether the user that runs edged may open the devices."""
    sources = [pipeline.source for pipeline in pipelines if pipeline.source is not None]
    kinds = {str(source.__struct_config__.tag) for source in sources}
    groups = sorted({_GROUPS[kind] for kind in kinds & _GROUPS.keys()})
    missing = [group for group in groups if group not in user.groups]
    if user.uid == 0 or not missing:
        told = f"in {', '.join(groups)}" if groups and user.uid else "no group is needed"
        report.ok("user", f"{user.name}: {told}")
    for group in missing if user.uid else ():
        report.wrong(
            "user",
            f"{user.name} is not in the group {group}: sudo usermod -aG {group} {user.name}, then "
            "log in again or restart the service",
        )


def check_places(
    report: Report, user: Account, state_dir: Path, models_dir: Path, spool_bytes: int
) -> None:
    """Whether the user that runs edged may write where it must, and whether there is room."""
    for what, path in (("state", state_dir), ("models", models_dir)):
        there = _nearest(path)
        try:
            # Models are only read; but the directory is made, where it is missing.
            writable = user.may(there, 3 if what == "state" or there != path else 5)
        except OSError as error:
            report.wrong(what, f"cannot look at {there}: {error.strerror}")
            continue
        if not writable:
            key = "device.state_dir" if what == "state" else "models.dir"
            doing = "write to" if what == "state" or there != path else "read"
            report.wrong(
                what,
                f"{user.name} may not {doing} {there}: sudo chown {user.name} {there}, or name "
                f"another directory in {key}",
            )
        elif not there.is_dir():
            report.wrong(what, f"{there} is no directory: move it away, or name another")
        else:
            report.ok(what, str(path) + ("" if there == path else " (will be made)"))
    free = shutil.disk_usage(_nearest(state_dir)).free
    need = _LEAST_SPACE_BYTES + spool_bytes
    if free < need:
        report.note(
            "space",
            f"{free >> 20} MB are free at {state_dir}; models and the spool may want "
            f"{need >> 20} MB: make room, or set spool.max_bytes lower",
        )
    else:
        report.ok("space", f"{free >> 20:,} MB are free")


def _nearest(path: Path) -> Path:
    """What is there of a path. A directory that may not be looked into counts as not there."""
    for there in (path, *path.parents):
        try:
            there.lstat()
        except OSError:
            continue
        return there
    return Path("/")


def check_cameras(
    report: Report,
    host: Host,
    pipelines: Sequence[configuration.Pipeline],
    import_picamera2: Callable[[], Any] = lambda: importlib.import_module("picamera2"),
) -> None:
    """Which cameras there are, where a pipeline wants one."""
    sources = [pipeline.source for pipeline in pipelines]
    if any(isinstance(source, configuration.Picamera2) for source in sources):
        try:
            found = import_picamera2().Picamera2.global_camera_info()
        except Exception as error:  # libcamera's binding raises what it likes
            report.note("cameras", f"libcamera cannot be asked: {error}")
        else:
            told = ", ".join(f"{at} {info.get('Model', '?')}" for at, info in enumerate(found))
            report.note("cameras", f"libcamera sees {told or 'none'}")
    if any(isinstance(source, configuration.V4l2) for source in sources):
        report.note("cameras", f"video devices: {', '.join(host.cameras()) or 'none'}")


def check_microphones(
    report: Report, root: Path, pipelines: Sequence[configuration.Pipeline]
) -> None:
    """Which devices can record, where a pipeline wants one."""
    if any(isinstance(pipeline.source, configuration.Microphone) for pipeline in pipelines):
        from .sources.microphone import capture_devices

        report.note("audio", f"devices that record: {', '.join(capture_devices(root)) or 'none'}")


def check_sensors(report: Report, pipelines: Sequence[configuration.Pipeline]) -> None:
    """Which sensors there are, where a pipeline wants one."""
    sources = [pipeline.source for pipeline in pipelines]
    for root in sorted({s.sysfs_root for s in sources if isinstance(s, configuration.Iio)}):
        told = ", ".join(map(str, list_devices(root)))
        report.note("sensors", f"IIO devices: {told or 'none'}")


def check_chip(report: Report, host: Host, hot_c: float) -> None:
    """Heat and power; nothing on a machine that tells neither."""
    chip = Chip(host.root, vcgencmd)
    degrees, throttling = chip.temperature_c(), chip.throttling()
    if degrees is not None:
        if degrees >= hot_c - _NOTED_MARGIN_C:
            advice = "give it air or a cooler; pipelines are slowed down from there on"
            report.note("chip", f"{degrees:.0f} °C, and hot is {hot_c:g} °C: {advice}")
        else:
            report.ok("chip", f"{degrees:.0f} °C")
    if throttling is None:
        return
    if not throttling.since_boot:
        report.ok("power", "the firmware has not throttled it since boot")
        return
    when = "now" if throttling.now else "since boot"
    flags = throttling.now or throttling.since_boot
    power = "under-voltage" in flags
    advice = "use the Pi's own power supply and a short cable" if power else "give it a cooler"
    report.note("power", f"{', '.join(flags)} {when}: {advice}")


def check_clock(report: Report, clock: Clock | None = None) -> None:
    if (clock or SystemClock()).synced():
        report.ok("clock", "synchronised")
    else:
        report.note(
            "clock",
            "not synchronised: results carry clock_synced = false until it is (timedatectl tells)",
        )
