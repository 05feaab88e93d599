"""The configuration: its file, and what follows from it and the environment.

Relative paths in the file start at its own directory, so that a service, whose working directory
is ``/``, and a user in a shell mean the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .config_crops import Crop
from .config_frame import Events
from .config_pipelines import (
    Csv,
    Exclusive,
    Gate,
    Iio,
    Images,
    Microphone,
    Picamera2,
    Pipeline,
    SensorTable,
    SourceTable,
    Synthetic,
    Track,
    V4l2,
    Video,
    Wav,
    When,
)
from .config_tables import Config, Device, Models, Mqtt, Spool, Tls
from .errors import ConfigError
from .toml_text import printable, read_file
from .typed_toml import json_schema, parse

__all__ = [
    "Config",
    "Crop",
    "Csv",
    "Device",
    "Events",
    "Exclusive",
    "Gate",
    "Iio",
    "Images",
    "Microphone",
    "Models",
    "Mqtt",
    "Picamera2",
    "Pipeline",
    "SensorTable",
    "SourceTable",
    "Spool",
    "Synthetic",
    "Tls",
    "Track",
    "V4l2",
    "Video",
    "Wav",
    "When",
    "config_schema",
    "default_config_path",
    "first_of",
    "load_config",
    "models_dir",
    "mqtt_password",
    "parse_config",
    "read_password",
    "state_dir",
]

CREDENTIAL = "mqtt-password"
"""The name of the systemd credential (``LoadCredential=``) with the broker's password."""


def default_config_path(environ: Mapping[str, str]) -> Path:
    """Where the configuration is when the command line does not say."""
    return Path(environ.get("EDGED_CONFIG") or "/etc/edged/edged.toml")


def load_config(path: Path) -> Config:
    """The configuration in a file. Raises ConfigError with all that is wrong."""
    try:
        text = read_file(path)
    except FileNotFoundError as error:
        reason = "there is no such file; write it, or name another with -c or $EDGED_CONFIG"
        raise ConfigError([f"{printable(str(path))}: {reason}"]) from error
    return parse_config(text, str(path))


def parse_config(text: bytes, file_name: str) -> Config:
    """The configuration in a text; ``file_name`` is for messages, and relative paths start at its
    directory. Raises ConfigError with all that is wrong.
    """
    return parse(text, file_name, Config)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration: it allows all that ``load_config`` does."""
    return json_schema(Config)


def first_of(pipeline: Pipeline, pipelines: Sequence[Pipeline]) -> Pipeline | None:
    """The one whose objects a pipeline looks at; None: it has a source of its own."""
    return next((each for each in pipelines if each.name == pipeline.crops_of), None)


def state_dir(config: Config, environ: Mapping[str, str], is_root: bool) -> Path:
    """Where the daemon keeps what must outlive it. Nothing is made here."""
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:  # systemd.exec(5): a list
        return Path(given)
    if config.device.state_dir is not None:
        return config.device.state_dir
    if is_root:
        return Path("/var/lib/edged")
    home = Path(environ.get("HOME") or Path.home())
    given = environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification: a relative path is to be ignored.
    return (Path(given) if given.startswith("/") else home / ".local" / "state") / "edged"


def models_dir(config: Config, environ: Mapping[str, str], is_root: bool) -> Path:
    """The watched directory."""
    return config.models.dir or state_dir(config, environ, is_root) / "models"


def mqtt_password(mqtt: Mqtt, environ: Mapping[str, str]) -> str | None:
    """The broker's password: from ``password_file``, else from systemd's credential, else None.

    An empty credential is none: it is the unit's default where nobody has set one
    (``SetCredential=``). Raises ConfigError where there should be one and it cannot be read.
    """
    if mqtt.password_file is not None:
        return read_password(mqtt.password_file)
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if mqtt.username is None or not credentials:
        return None
    path = Path(credentials) / CREDENTIAL
    if not path.exists() or not read_file(path).strip():
        return None
    return read_password(path)


def read_password(path: Path) -> str:
    """A file's first line. Raises ConfigError, which never holds any of it."""
    name = printable(str(path))
    try:
        password = read_file(path).split(b"\n", 1)[0].removesuffix(b"\r").decode()
    except FileNotFoundError as error:
        reason = "there is no such file; write the broker's password into it"
        raise ConfigError([f"{name}: {reason}, or correct mqtt.password_file"]) from error
    except UnicodeDecodeError:  # the cause would carry the password
        raise ConfigError([f"{name}: the password is not UTF-8; save it as UTF-8"]) from None
    if not password:
        raise ConfigError([f"{name}: its first line is empty; it must be the broker's password"])
    return password
