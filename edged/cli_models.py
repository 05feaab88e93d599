"""``edged model ...``: the part of the command line that is about models."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .cli_proofs import add_compare_command, add_test_command
from .cli_workshop import add_workshop_commands
from .errors import EXIT_FAILED

if TYPE_CHECKING:
    from .commands.places import Places

# Each command imports what it needs when it runs, as in ``cli``.


def add_model_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
    configured: argparse.ArgumentParser,
) -> None:
    """``common`` and ``configured`` hold the options that commands share."""
    inspect = commands.add_parser(
        "inspect", parents=[configured], help="what a model file is and how it would be run"
    )
    inspect.add_argument("file", type=Path, metavar="FILE")
    inspect.add_argument("--json", action="store_true", help="all of it, as JSON")
    inspect.set_defaults(command=_inspect)

    add = commands.add_parser(
        "add", parents=[configured], help="get a model and put it into the watched directory"
    )
    add.add_argument(
        "what",
        metavar="NAME-OR-FILE-OR-URL",
        help="a name in the catalogue (edged model catalog), a .tflite file or an https address",
    )
    add.add_argument("--name", help="the name it gets (default: the catalogue's or the file's)")
    add.add_argument(
        "--sha256", type=_sha256, metavar="HEX", help="refuse a model with another sha256"
    )
    add.set_defaults(command=_add)

    catalog = commands.add_parser(
        "catalog", parents=[common], help="the models that can be added by name"
    )
    catalog.set_defaults(command=_catalog)

    listed = commands.add_parser(
        "list", parents=[configured], help="what is there, what is good, and what is kept"
    )
    listed.add_argument("--json", action="store_true", help="all of it, as JSON")
    listed.set_defaults(command=_list)

    rollback = commands.add_parser(
        "rollback", parents=[configured], help="back to the version before the one that serves"
    )
    rollback.add_argument("name", metavar="NAME")
    rollback.set_defaults(command=_rollback)

    add_test_command(commands, common)
    add_workshop_commands(commands, common)
    add_compare_command(commands, common)


def _sha256(text: str) -> str:
    if len(text) != 64 or set(text.lower()) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(f"{text} is not allowed; 64 hex digits")
    return text.lower()


def _inspect(options: argparse.Namespace) -> int:
    from .inspect import as_json, as_text, inspect, trusted_keys

    inspected = inspect(options.file, trusted_keys(options.config, os.environ))
    if options.json:
        print(json.dumps(as_json(inspected), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_text(inspected)))
    return EXIT_FAILED if inspected.problem else 0


def _places(options: argparse.Namespace) -> Places:
    from .commands.places import find_places

    return find_places(options.config, os.environ, is_root=os.geteuid() == 0)


def _add(options: argparse.Namespace) -> None:
    from .commands.bar import Bar
    from .commands.model_add import Downloads, Order, add

    places = _places(options)
    print(f"models in {places.models_dir} ({places.told})", flush=True)
    bar = Bar(sys.stderr)
    try:
        order = Order(options.what, options.name, options.sha256)
        add(order, places, Downloads(bar), lambda line: print(line, flush=True))
    finally:
        bar.end()


def _catalog(options: argparse.Namespace) -> None:
    from .commands.model_add import catalog_text
    from .store.catalog import load_catalog

    print("\n".join(catalog_text(load_catalog())))


def _list(options: argparse.Namespace) -> None:
    from .commands.model_list import as_json, as_text, list_models

    places = _places(options)
    models = list_models(places)
    if options.json:
        print(json.dumps(as_json(places, models), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_text(places, models)))


def _rollback(options: argparse.Namespace) -> None:
    from .commands.model_rollback import roll_back

    roll_back(options.name, _places(options), print)
