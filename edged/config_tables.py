"""The tables of the configuration, each the mirror of one in the file; those of a pipeline are in
``config_pipelines``.

Defaults live in the tables and nowhere else. Checking a value never touches the world: whether a
path, camera or broker is there is found out by what uses it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, field
from msgspec.structs import force_setattr

from .config_cascades import cascade_problems
from .config_crops import crop_problems
from .config_pipelines import SENSOR_KINDS, Pipeline
from .config_types import (
    Bytes,
    HostName,
    Hosts,
    OptionalTopicPrefix,
    Port,
    Seconds,
    Text,
    TopicLevel,
    TopicPrefix,
    topic_level,
)
from .toml_text import shown
from .toml_types import Problem, Table

LEAST_SPOOL_BYTES = 1024 * 1024


class Device(Table, frozen=True):
    """This device. ``id`` is by default the host's name, as far as topics can hold it.

    ``governor``: whether pipelines take fewer frames while the chip is ``hot_c`` or hotter, or the
    firmware throttles it or says that its voltage is too low.
    """

    id: TopicLevel = field(default_factory=lambda: topic_level(socket.gethostname()))
    state_dir: Path | None = None
    governor: bool = True
    hot_c: Annotated[float, Meta(ge=40, le=110)] = 80


class Tls(Table, frozen=True):
    """TLS to the broker; ``cert_file`` and ``key_file`` for mutual TLS.

    Without ``ca_file`` the system's authorities are trusted.
    """

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """A certificate is of no use without its key."""
        for given, absent in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if given in table and absent not in table:
                yield Problem(absent, f"missing; {given} is given, and needs it")


class Mqtt(Table, frozen=True):
    """The broker. ``port`` is by default 1883, and 8883 with ``tls``.

    ``hosts``: a cluster's addresses in place of ``host``, tried in order; ``port`` is for those
    without one. ``session_expiry_s``: how long the broker keeps the subscriptions, and what comes
    for them, when the connection is lost. ``message_expiry_s`` None: results never expire.
    ``home_assistant`` is off where ``home_assistant_prefix`` is empty.
    """

    refused: ClassVar[Mapping[str, str]] = {
        "password": "a password never stands in this file; put it into a file of its own, "
        "readable by edged alone, and name that in password_file"
    }

    host: HostName = "localhost"
    port: Port = field(default_factory=int)
    hosts: Hosts | None = None
    username: Text | None = None
    password_file: Path | None = None
    topic_prefix: TopicPrefix = "edged"
    qos: Literal[0, 1, 2] = 1
    keepalive_s: Annotated[int, Meta(ge=1, le=65535)] = 60
    session_expiry_s: Annotated[int, Meta(ge=0, le=7 * 24 * 3600)] = 300
    message_expiry_s: Seconds | None = None
    home_assistant: bool = True
    home_assistant_prefix: OptionalTopicPrefix = "homeassistant"
    commands: bool = False
    tls: Tls | None = None

    def __post_init__(self) -> None:
        if not self.port:
            force_setattr(self, "port", 1883 if self.tls is None else 8883)
        if not self.home_assistant_prefix:
            force_setattr(self, "home_assistant", False)

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """MQTT 3.1.1, the fallback, allows no password without a user name."""
        if "host" in table and "hosts" in table:
            yield Problem("hosts", "host is given too; name the brokers in one of the two")
        if "password_file" in table and "username" not in table:
            yield Problem("username", "missing; password_file is given, and needs it")


class Spool(Table, frozen=True):
    """What is kept on the disk while the broker is away; ``max_bytes`` 0 keeps nothing there."""

    max_bytes: Bytes = 64 * 1024 * 1024
    max_age_s: Seconds = 7 * 24 * 3600

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """A file with its log takes some room, however little is in it."""
        given = table.get("max_bytes")
        if isinstance(given, int) and 0 < given < LEAST_SPOOL_BYTES:
            allowed = f"0 (nothing on the disk), or at least {LEAST_SPOOL_BYTES}"
            reason = f"{given} is not allowed; {allowed}"
            yield Problem("max_bytes", reason)


class Models(Table, frozen=True):
    """The watched directory (``dir`` None: ``models`` in the state directory) and its rules."""

    dir: Path | None = None
    require_signature: bool = False
    trusted_keys: Annotated[
        tuple[Path, ...], Meta(description="a list of paths of minisign public keys")
    ] = ()
    keep_versions: Annotated[int, Meta(ge=1, le=1000)] = 3

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Without a key to check it against, no signature would ever be right."""
        if table.get("require_signature") is True and not table.get("trusted_keys"):
            yield Problem("trusted_keys", "missing; require_signature needs at least one key")


class Config(Table, frozen=True, kw_only=True):
    """The whole file."""

    device: Device = field(default_factory=Device)
    mqtt: Mqtt = field(default_factory=Mqtt)
    spool: Spool = field(default_factory=Spool)
    models: Models = field(default_factory=Models)
    pipelines: Annotated[
        tuple[Pipeline, ...],
        Meta(
            min_length=1,
            description="at least one [[pipelines]] table with a model and a source.kind",
        ),
    ]

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Two pipelines of one name would publish on the same topics, and those that wait for one
        another never start.
        """
        first: dict[str, int] = {}
        given = table.get("pipelines")
        pipelines = given if isinstance(given, list) else []
        for i, pipeline in enumerate(pipelines):
            if not isinstance(pipeline, dict):
                continue
            name = pipeline.get("name", pipeline.get("model"))
            if isinstance(name, str) and first.setdefault(name, i) != i:
                reason = f"{shown(name)} is the name of pipelines[{first[name]}] too"
                advice = "give each a name of its own (the default is the model's)"
                yield Problem(f"pipelines[{i}].name", f"{reason}; {advice}")
        yield from cascade_problems(pipelines)
        tables = [pipeline if isinstance(pipeline, dict) else {} for pipeline in pipelines]
        by_name = {name: tables[i] for name, i in first.items()}
        yield from crop_problems(tables, by_name, SENSOR_KINDS)
