"""Which files the daemon may touch, and whom it speaks to: the rest of what `edged audit` tells.

A test traces the daemon's system calls and holds them against these lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from . import config as configuration
from .announcer import FILE_NAME as HOME_ASSISTANT_FILE
from .event_ledger import FILE_NAME as EVENTS_FILE
from .publish.settings import addresses
from .store.baselines import FILE_NAME as BASELINES_FILE
from .store.models import BESIDE, SUFFIX

_PACKAGE = Path(__file__).parent


class Place(msgspec.Struct, frozen=True):
    """A path (``*``: one name or a part of one) or an address, and what for."""

    where: str
    what: str


def connects(config: configuration.Config) -> Iterator[Place]:
    """Whom it reaches over a network, to say something or to look; and on this machine."""
    mqtt = config.mqtt
    tls = " over TLS" if mqtt.tls is not None else ""
    for broker in addresses(mqtt.host, mqtt.port, mqtt.hosts):
        yield Place(str(broker), f"the MQTT broker{tls}; a name is looked up first")
    for pipeline in config.pipelines:
        source = pipeline.source
        if isinstance(source, configuration.Video) and "://" in source.path:
            address = urlsplit(source.path)
            port = f":{address.port}" if address.port else ""
            # Nothing else of it: an address may hold a password.
            where = f"{address.hostname}{port}"
            yield Place(where, f"the {address.scheme} camera of pipeline {pipeline.name}")
    yield Place("$NOTIFY_SOCKET", "on this machine, where systemd has given it: how edged is")
    yield Place("/run/systemd/journal/socket", "on this machine, under systemd: the log")


def writes(config: configuration.Config, state_dir: Path, models_dir: Path) -> Iterator[Place]:
    """Files and directories that it makes, changes, renames or removes."""
    store = state_dir / "store"
    yield Place(f"{state_dir}", "directories, made where they are missing, with those above them")
    yield Place(f"{store}", "directories, made where they are missing, with those above them")
    yield Place(f"{models_dir}", "the watched one, also made; nothing is written into it")
    yield Place(f"{store}/ledger.json", "which models came, are good, on trial or have failed")
    yield Place(f"{store}/.new-ledger.json", "the same, before it takes the other's place")
    yield Place(f"{store}/ledger.damaged.json", "one that could not be read any more, moved aside")
    yield Place(f"{store}/*-*", "a model's private copy: its files as they lay in models.dir")
    yield Place(f"{store}/*-*/model.*", "and so they are called there")
    yield Place(f"{store}/*-*/may-be-older", "a permission by the user, removed when it is over")
    yield Place(f"{store}/.part-*", "a copy that is being made")
    yield Place(f"{store}/.part-*/*", "and its files")
    yield Place(f"{store}/.gone-*", "a copy that is being removed")
    yield Place(f"{store}/.gone-*/*", "and its files")
    told = state_dir / HOME_ASSISTANT_FILE
    yield Place(f"{told}", "what Home Assistant was told of, so that it can be taken back")
    yield Place(f"{told.with_name(f'.new-{told.name}')}", "and the same before it takes its place")
    learnt = state_dir / BASELINES_FILE
    yield Place(f"{learnt}", "what is usual, as anomaly detectors have learnt it: one number each")
    yield Place(f"{learnt.with_name(f'.new-{learnt.name}')}", "the same before it takes its place")
    lasting = state_dir / EVENTS_FILE
    yield Place(f"{lasting}", "events that last, as their ends would be told")
    yield Place(
        f"{lasting.with_name(f'.new-{lasting.name}')}", "the same before it takes its place"
    )
    if config.spool.max_bytes > 0:
        spool = state_dir / "spool.db"
        yield Place(f"{spool}", "results, as they are sent, that wait for the broker")
        for ending in ("-wal", "-shm", "-journal"):
            yield Place(f"{spool}{ending}", "what SQLite keeps beside it")
        yield Place(f"{spool}.corrupt*", "one that could not be read any more, moved aside")
    for pipeline in config.pipelines:
        if isinstance(pipeline.source, configuration.Iio):
            for where in _sensor(pipeline.source):
                what = (
                    f"rate and channels of the sensor of pipeline {pipeline.name}, put back later"
                )
                yield Place(where, what)
    yield Place("/proc/self/oom_score_adj", "a probe's own: it goes first where memory runs out")
    compiled = "compiled code of the command line, kept by Python where the installation has none"
    yield Place(f"{_PACKAGE}/__pycache__", compiled)
    yield Place(f"{_PACKAGE}/__pycache__/*.pyc*", compiled)


def reads(config: configuration.Config, models_dir: Path) -> Iterator[Place]:
    """What it looks into besides what it writes, Python's own files and the system's libraries."""
    for ending in (SUFFIX, *BESIDE):
        yield Place(f"{models_dir}/*{ending}", "models and what lies beside them")
    named = "golden inputs, where a model's .toml names some"
    yield Place(f"{models_dir}/*", named)
    yield Place(f"{models_dir}/*/*", named)
    yield from _secrets(config)
    for pipeline in config.pipelines:
        place = _source(pipeline.source)
        if place is not None:
            yield Place(place, f"what pipeline {pipeline.name} looks at")
        if isinstance(pipeline.source, configuration.Iio):
            yield Place("/dev/iio:device*", f"the samples of pipeline {pipeline.name}")
        if pipeline.delegate is not None:
            yield Place(f"{pipeline.delegate}", f"the delegate of pipeline {pipeline.name}")
    if any(isinstance(pipeline.source, configuration.Microphone) for pipeline in config.pipelines):
        for where in ("/usr/share/alsa/*", "/etc/alsa/*", "/etc/asound.conf", "/proc/asound/*"):
            yield Place(where, "which microphones there are, and how ALSA is set up")
    yield Place("/proc/self/*", "its own memory, and processor time while a model is probed")
    if config.spool.max_bytes > 0:
        yield Place("/proc/sys/kernel/random/boot_id", "whether the machine was started anew")
    for name in ("type", "temp"):
        yield Place(f"/sys/class/thermal/thermal_zone*/{name}", "the processor's temperature")
    yield Place("/sys/devices/platform/soc*/soc*:firmware/get_throttled", "whether a Pi throttles")
    yield Place("/sys/class/hwmon/hwmon*/name", "which of these is a Pi's supply voltage")
    yield Place("/sys/class/hwmon/hwmon*/in0_lcrit_alarm", "whether that is too low")
    yield Place("/etc/os-release", "the system's name")


def _secrets(config: configuration.Config) -> Iterator[Place]:
    """Keys and passwords; they never come out again."""
    mqtt = config.mqtt
    if mqtt.password_file is not None:
        yield Place(f"{mqtt.password_file}", "the broker's password")
    elif mqtt.username is not None:
        yield Place(f"$CREDENTIALS_DIRECTORY/{configuration.CREDENTIAL}", "the broker's password")
    if mqtt.tls is not None:
        for path in (mqtt.tls.ca_file, mqtt.tls.cert_file, mqtt.tls.key_file):
            if path is not None:
                yield Place(f"{path}", "TLS to the broker")
    for path in config.models.trusted_keys:
        yield Place(f"{path}", "a public key for models' signatures")


def _sensor(source: configuration.Iio) -> Iterator[str]:
    """Attributes of sensors and triggers: read to find the one, then set."""
    devices = source.sysfs_root / "bus/iio/devices"
    yield f"{devices}/*/*"
    yield f"{devices}/*/*/*"


def _source(source: configuration.SourceTable | None) -> str | None:
    match source:
        case configuration.V4l2():
            return f"{source.device}"
        case configuration.Picamera2():
            return f"camera {source.camera} (libcamera's devices: /dev/media*, /dev/video*)"
        case configuration.Microphone():
            return "/dev/snd/*"
        case configuration.Images() | configuration.Wav() | configuration.Csv():
            return f"{source.path}"
        case configuration.Video() if "://" not in source.path:
            return f"{source.path}"
    return None
