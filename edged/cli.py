"""The commands. Only this file and its like (``cli_*``) print; errors become exit statuses here."""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import resource
import sys
import traceback
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from . import __version__
from .errors import EXIT_FAILED, EXIT_READER_GONE, ConfigError, EdgedError

# Each command imports what it needs when it runs: `edged --version` is quick, and a missing
# optional part is told by the command that needs it.


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; the exit status."""
    # Nothing is to be written but what `edged audit` names; an installation has it all compiled.
    sys.dont_write_bytecode = True
    given = sys.argv[1:] if arguments is None else arguments
    options = make_parser(only_run=given[:1] == ["run"]).parse_args(given)
    try:
        status = options.command(options)
        sys.stdout.flush()
        return int(status or 0)
    except EdgedError as error:
        if options.debug:
            traceback.print_exc()
        problems = error.problems if isinstance(error, ConfigError) else (str(error),)
        for problem in problems:
            print(f"edged: {problem}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return EXIT_FAILED
    except BrokenPipeError:
        # The reader of our output has gone (`edged … | head`); nothing is left to tell it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_READER_GONE
    except Exception as error:
        if options.debug:
            raise
        print(
            f"edged: this should not have happened ({type(error).__name__}: {error}). "
            "Run it again with --debug and report what it shows",
            file=sys.stderr,
        )
        return EXIT_FAILED


def make_parser(*, only_run: bool = False) -> argparse.ArgumentParser:
    """``only_run``: the daemon's start need not wait for what the other commands are told."""
    parser = argparse.ArgumentParser(
        prog="edged",
        description="Runs quantised TFLite models on camera frames; publishes only results.",
    )
    parser.add_argument("--version", action="version", version=f"edged {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks and debug records")
    configured = argparse.ArgumentParser(add_help=False, parents=[common])
    configured.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration (default: $EDGED_CONFIG, else /etc/edged/edged.toml)",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = commands.add_parser("run", parents=[configured], help="the daemon, in the foreground")
    run.set_defaults(command=_run)
    if not only_run:
        _add_others(commands, common, configured)
    return parser


def _add_others(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    configured: argparse.ArgumentParser,
) -> None:
    from .cli_bench import add_bench_command
    from .cli_models import add_model_commands
    from .cli_watch import add_watch_command

    demo = commands.add_parser(
        "demo", parents=[common], help="the whole thing on one machine, nothing to set up"
    )
    demo.add_argument(
        "--seconds",
        type=_seconds,
        metavar="N",
        help="how long (default: 15; with --sensor until all is played, about 20)",
    )
    demo.add_argument(
        "--sensor",
        action="store_true",
        help="real recordings of a smart watch and the activity model, not a camera",
    )
    demo.set_defaults(command=_demo)

    check = commands.add_parser("check", parents=[configured], help="would the daemon run?")
    check.set_defaults(command=_check)

    audit = commands.add_parser(
        "audit", parents=[configured], help="all that can leave the device, and all it can write"
    )
    audit.add_argument("--json", action="store_true", help="for programs")
    audit.set_defaults(command=_audit)

    model = commands.add_parser("model", help="get models, look at them, go back to older ones")
    add_model_commands(
        model.add_subparsers(title="commands", metavar="COMMAND", required=True), common, configured
    )

    add_bench_command(
        commands.add_parser("bench", parents=[configured], help="how fast: the whole way, by stage")
    )

    add_watch_command(
        commands.add_parser("watch", parents=[configured], help="a live view in the terminal")
    )

    schema = commands.add_parser(
        "schema", parents=[common], help="the JSON Schema of a message or of the configuration"
    )
    schema.add_argument("kind", choices=_SCHEMAS)
    schema.set_defaults(command=_schema)


_SCHEMAS = (
    "result",
    "model",
    "event",
    "counts",
    "health",
    "info",
    "metrics",
    "discovery",
    "command",
    "answer",
    "config",
)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; a number above 0")
    return value


def _config_path(options: argparse.Namespace) -> Path:
    from .config import default_config_path

    path: Path | None = options.config
    return path if path is not None else default_config_path(os.environ)


def _log(options: argparse.Namespace, quiet: bool = False) -> None:
    from .service.logs import start_logging

    start_logging(logging.DEBUG if options.debug else logging.WARNING if quiet else logging.INFO)


def _run(options: argparse.Namespace) -> NoReturn:
    from .service import signals

    signals.end_at_once()
    from .start import run_daemon

    _log(options)
    # The watchdog's SIGABRT and any crash leave the traces of all threads in the journal, and no
    # core: that would hold frames.
    faulthandler.enable(2)  # not sys.stderr, which need not be a file
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    run_daemon(_config_path(options), os.environ, is_root=os.geteuid() == 0)
    # All is delivered and told. What may still run is a thread that is stuck in a driver or an
    # inference, and an orderly end of the interpreter could wait for it for ever.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def _demo(options: argparse.Namespace) -> None:
    _log(options, quiet=True)
    tell = partial(print, flush=True)
    if options.sensor:
        from .demo.sensor import run_sensor_demo

        run_sensor_demo(options.seconds, tell)
    else:
        from .demo.camera import SECONDS, run_camera_demo

        run_camera_demo(options.seconds or SECONDS, tell)


def _check(options: argparse.Namespace) -> int:
    from .check import check

    _log(options, quiet=True)
    return check(_config_path(options), os.environ, is_root=os.geteuid() == 0, tell=print)


def _audit(options: argparse.Namespace) -> None:
    from .audit import audit
    from .commands.audit import as_json, as_text
    from .config import load_config, models_dir, state_dir

    config, is_root = load_config(_config_path(options)), os.geteuid() == 0
    found = audit(
        config, state_dir(config, os.environ, is_root), models_dir(config, os.environ, is_root)
    )
    if options.json:
        print(json.dumps(as_json(found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_text(found)))


def _schema(options: argparse.Namespace) -> None:
    if options.kind == "config":
        from .config import config_schema

        schema = config_schema()
    else:
        from .publish.wire.kinds import schema as message_schema

        schema = message_schema(options.kind)
    print(json.dumps(schema, indent=2, ensure_ascii=False))
