"""``edged model test`` and ``compare``: the part of the command line that proves what a model is
worth.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from .errors import EXIT_FAILED

# Each command imports what it needs when it runs, as in ``cli``.


def add_test_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """``common`` holds the options that commands share."""
    test = commands.add_parser(
        "test", parents=[common], help="does it still give what it gave? golden results"
    )
    test.description = (
        "Holds a model against the golden results in NAME.toml, as the daemon does before it "
        "serves; with --golden, records what it gives now."
    )
    test.add_argument("file", type=Path, metavar="NAME.tflite")
    test.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="pictures, or recordings (.wav, .csv), whose results are recorded",
    )
    test.add_argument(
        "--tolerance",
        type=_tolerance,
        metavar="SHARE",
        help="how far scores, shares of the picture and coordinates may be off (default: 0.1)",
    )
    test.set_defaults(command=partial(_test, test))


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not allowed; a number above 0, at most 1")
    return value


def _test(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from .store.golden_tables import TOLERANCE
    from .workshop.recorder import hold, record

    if options.golden is not None:
        record(options.file, options.golden, options.tolerance or TOLERANCE, print)
        return 0
    if options.tolerance is not None:
        parser.error("--tolerance needs --golden: each golden result has its own")
    return 0 if hold(options.file, print) else EXIT_FAILED
