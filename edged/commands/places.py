"""Where the commands for models find what they work on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..config import Config, default_config_path, load_config, models_dir, state_dir
from ..config_types import ModelName
from ..errors import ConfigError, EdgedError
from ..toml_text import shown


class Places(msgspec.Struct, frozen=True):
    """``told`` says which configuration they are of; ``config`` is all defaults, without any
    pipeline, where there is none.
    """

    config: Config
    told: str
    models_dir: Path
    state_dir: Path


def find_places(given: Path | None, environ: Mapping[str, str], is_root: bool) -> Places:
    """As the configuration says, and without one as edged does by default.

    Raises ConfigError for one that is named, or there, and cannot be used.
    """
    path = given or default_config_path(environ)
    try:
        config, told = load_config(path), f"of {path}"
    except ConfigError as error:
        named = given is not None or environ.get("EDGED_CONFIG")
        if named or not isinstance(error.__cause__, FileNotFoundError):
            raise
        config, told = Config(pipelines=()), f"there is no {path}: the default directory"
    return Places(
        config,
        told,
        models_dir(config, environ, is_root),
        state_dir(config, environ, is_root),
    )


def model_name(text: str) -> str:
    """``text`` as the name of a model. Raises EdgedError."""
    name: str
    try:
        name = msgspec.convert(text, ModelName)
    except msgspec.ValidationError as error:
        raise EdgedError(
            f"{shown(text)} cannot be a model's name. Give it one of 1 to 128 characters, without "
            "directories, without .tflite and not beginning with a dot, with --name"
        ) from error
    return name
