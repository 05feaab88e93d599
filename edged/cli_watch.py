"""``edged watch``: the part of the command line that is about watching."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import MissingExtra

if TYPE_CHECKING:
    from .publish.settings import MqttSettings
    from .watch.board import Board
    from .watch.outputs import Output

_ALL = "+"
_KEYS_FD = 0
_OF_A_HOST = ("port", "username", "password_file", "prefix", "tls", "ca_file")

_HELP = """
Without a terminal at standard output, every message is a line. With --host no
configuration is read, so that you can watch from any machine.
"""


def add_watch_command(watch: argparse.ArgumentParser) -> None:
    """``watch`` knows -c and --debug."""
    watch.description = "Shows what edged publishes, as a subscriber gets it." + _HELP
    watch.add_argument(
        "device",
        nargs="?",
        type=partial(_that_is, "TopicLevel"),
        metavar="DEVICE",
        help="its device.id (default: the configuration's; with --host, all)",
    )
    watch.add_argument("--all", action="store_true", help="all devices under the prefix")
    watch.add_argument("--json", action="store_true", help="every message as a line of JSON")
    watch.add_argument("--seconds", type=_seconds, metavar="N", help="end after so long")
    watch.add_argument("--count", type=_count, metavar="N", help="end after so many results")
    broker = watch.add_argument_group("a broker in place of the configuration's")
    broker.add_argument("--host", type=partial(_that_is, "HostName"), metavar="HOST")
    broker.add_argument("--port", type=_port, metavar="N", help="(default: 1883, with TLS 8883)")
    broker.add_argument("--username", metavar="NAME")
    broker.add_argument("--password-file", type=Path, metavar="FILE", help="in its first line")
    broker.add_argument(
        "--prefix",
        type=partial(_that_is, "TopicPrefix"),
        metavar="TOPIC",
        help="mqtt.topic_prefix (default: edged)",
    )
    broker.add_argument("--tls", action="store_true", help="trust the system's authorities")
    broker.add_argument("--ca-file", type=Path, metavar="FILE", help="TLS; trust only this one")
    watch.set_defaults(command=partial(_watch, watch))


def _watch(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    from .watch.board import Board
    from .watch.feed import Feed
    from .watch.session import Limits, Session, until_signalled

    _check_usage(parser, options)
    settings, prefix, device = target(options)
    if isinstance(sys.stdout, TextIOWrapper):  # a locale without UTF-8 must not end it
        sys.stdout.reconfigure(errors="backslashreplace")
    board = Board(prefix)
    title = f"{prefix}/{device} at {settings.host}:{settings.port}"
    with until_signalled() as stopped:
        output = _output(options, board, title)
        feed = Feed(settings, f"{prefix}/{device}/#")
        Session(feed, board, output, Limits(options.seconds, options.count)).run(stopped)


def _check_usage(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.all and options.device:
        parser.error("DEVICE and --all exclude each other")
    if options.host and options.config:
        parser.error("--host and --config exclude each other: with --host no configuration is read")
    for name in _OF_A_HOST:
        if getattr(options, name) and not options.host:
            parser.error(f"--{name.replace('_', '-')} needs --host")
    if options.password_file and not options.username:
        parser.error("--password-file needs --username")


def target(options: argparse.Namespace) -> tuple[MqttSettings, str, str]:
    """The broker, the prefix, and the device or a plus sign for all. Raises ConfigError."""
    from msgspec.structs import replace

    from . import config as configuration
    from .build import mqtt_settings

    if options.host:
        given: dict[str, Any] = {
            "host": options.host,
            "port": options.port,
            "username": options.username,
            "password_file": options.password_file,
            "topic_prefix": options.prefix,
            "tls": configuration.Tls(options.ca_file) if options.tls or options.ca_file else None,
        }
        mqtt = configuration.Mqtt(**{key: value for key, value in given.items() if value})
        device = options.device or _ALL
    else:
        path = options.config or configuration.default_config_path(os.environ)
        config = configuration.load_config(path)
        mqtt, device = config.mqtt, _ALL if options.all else options.device or config.device.id
    settings = mqtt_settings(mqtt, "", os.environ)
    # Of its own: the broker ends whoever had the same client id before.
    client_id = f"edged-watch-{secrets.token_hex(4)}"
    settings = replace(settings, client_id=client_id, session_expiry_s=0)
    return settings, mqtt.topic_prefix, device


def _output(options: argparse.Namespace, board: Board, title: str) -> Output:
    """Raises MissingExtra."""
    from .watch.outputs import JsonLines, Lines

    if options.json:
        return JsonLines(sys.stdout, sys.stderr)
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return Lines(sys.stdout, sys.stderr)
    try:
        from .watch.live import LiveView
    except ImportError as error:
        raise MissingExtra("What draws the live view (rich)", "watch") from error
    return LiveView(board, title, sys.stdout, _KEYS_FD)


def _that_is(kind: str, text: str) -> str:
    """``kind``: of the types that values of the configuration have."""
    from . import config_types
    from .typed_toml import fits

    annotation = getattr(config_types, kind)
    if not fits(annotation, text):
        allowed = annotation.__metadata__[0].description
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; {allowed}")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; a number above 0")
    return value


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:18]) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; a whole number above 0")
    return int(text[:18])


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; a number from 1 to 65535")
    return int(text)
