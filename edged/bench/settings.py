"""How a model is loaded, as the lines of a pipeline's table and as a contestant is told it."""

from __future__ import annotations

import argparse
import json

from ..engine.geometry import Fit
from ..engine.runtime import NO_DELEGATE, Delegate
from ..loading import LoadOptions

DEFAULT = LoadOptions(threads=1, delegate=None, fit=Fit.STRETCH)


def toml_lines(options: LoadOptions) -> list[str]:
    """The lines of a pipeline's table."""
    lines = [f"threads = {options.threads}"]
    if options.fit is not Fit.STRETCH:
        lines.append(f'fit = "{options.fit.value}"')
    delegate = options.delegate
    if delegate is not None:
        lines.append(f"delegate = {_toml(delegate.name)}")
        if delegate.options:
            pairs = (f"{_toml(key)} = {_toml(value)}" for key, value in delegate.options.items())
            lines.append(f"delegate_options = {{{', '.join(pairs)}}}")
    return lines


def _toml(value: str | int | float | bool) -> str:
    """What JSON and TOML write alike."""
    return json.dumps(value, ensure_ascii=False)


def described(options: LoadOptions) -> str:
    threads = f"{options.threads} thread{'s' if options.threads > 1 else ''}"
    if options.delegate is None:
        return threads
    if options.delegate.name == NO_DELEGATE:
        return f"{threads}, without XNNPACK"
    return f"{threads}, delegate {options.delegate.name}"


def engine_arguments(options: LoadOptions) -> list[str]:
    """For a command line that has ``add_engine_arguments``."""
    told = ["--threads", str(options.threads)]
    if options.delegate is not None:
        told += ["--delegate", options.delegate.name]
        told += ["--delegate-options", json.dumps(dict(options.delegate.options))]
    return told


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--delegate")
    parser.add_argument("--delegate-options", type=json.loads, default={})


def delegate_of(given: argparse.Namespace) -> Delegate | None:
    return Delegate(given.delegate, given.delegate_options) if given.delegate else None
