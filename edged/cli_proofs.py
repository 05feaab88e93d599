"""``edged model test`` and ``compare``: the part of the command line that proves what a model is
worth.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from .cli_values import share
from .errors import EXIT_FAILED, EdgedError

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
        type=share,
        metavar="SHARE",
        help="how far scores, shares of the picture and coordinates may be off (default: 0.1)",
    )
    test.set_defaults(command=partial(_test, test))


def add_compare_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """``common`` holds the options that commands share."""
    compare = commands.add_parser(
        "compare", parents=[common], help="two models on the same data: what they find and cost"
    )
    compare.description = (
        "Holds the second model against the first, on the same pictures or recordings: how far "
        "they agree, accuracy or precision where the data are labelled (a directory for each "
        "class, or a COCO file), size, latency by turns, memory, and what XNNPACK leaves."
    )
    compare.add_argument("one", type=Path, metavar="A.tflite")
    compare.add_argument("other", type=Path, metavar="B.tflite")
    compare.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="pictures, or recordings"
    )
    compare.add_argument(
        "--layers", action="store_true", help="where B, made of A, loses most, layer by layer"
    )
    compare.add_argument("--json", action="store_true", help="for programs")
    compare.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it, too")
    compare.set_defaults(command=_compare)


def _test(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from .store.golden_tables import TOLERANCE
    from .workshop.recorder import hold, record

    if options.golden is not None:
        record(options.file, options.golden, options.tolerance or TOLERANCE, print)
        return 0
    if options.tolerance is not None:
        parser.error("--tolerance needs --golden: each golden result has its own")
    return 0 if hold(options.file, print) else EXIT_FAILED


def _compare(options: argparse.Namespace) -> None:
    from .workshop.comparing.figures import as_json
    from .workshop.comparing.plot import figure, plot
    from .workshop.comparing.run import compare
    from .workshop.comparing.table import console, show

    # What is missing is told before anything is measured.
    tables = None if options.json else console()
    page = None if options.plot is None else figure()
    if options.plot is not None and not options.plot.absolute().parent.is_dir():
        raise EdgedError(f"{options.plot} cannot be written: there is no such directory")
    compared = compare(options.one, options.other, options.data, options.layers, _tell)
    if page is not None:
        plot(compared, page, options.plot)
    if options.json:
        print(json.dumps(as_json(compared), indent=2, ensure_ascii=False))
    else:
        show(compared, tables)
    for sentence in compared.passed_over:
        _tell(f"passed over: {sentence}")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
