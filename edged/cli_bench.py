"""``edged bench``: the part of the command line that is about speed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EdgedError

if TYPE_CHECKING:
    from .loading import LoadOptions

_HELP = """
The whole daemon, with frames of a synthetic camera out of memory and a real MQTT broker on this
machine (mosquitto where it is installed), takes turns with the bare interpreter in one run.
"""


def add_bench_command(bench: argparse.ArgumentParser) -> None:
    """``bench`` knows -c and --debug."""
    bench.description = "The whole way of a frame against the bare interpreter, by stage." + _HELP
    bench.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="a model (default: that of the first pipeline with -c, else the bundled detector)",
    )
    bench.add_argument(
        "--frames", type=_count, default=1000, metavar="N", help="of each (default: %(default)d)"
    )
    bench.add_argument("--threads", type=_threads, metavar="N", help="as in a pipeline's table")
    bench.add_argument("--json", action="store_true", help="for programs")
    bench.add_argument("--row", action="store_true", help="one line for the README's table")
    bench.add_argument("--plot", type=Path, metavar="FILE.png", help="draw it, too")
    bench.add_argument(
        "--sweep",
        action="store_true",
        help="which runtime, threads and delegate are the fastest, as lines to paste",
    )
    bench.add_argument(
        "--delegate",
        action="append",
        default=[],
        metavar="NAME-OR-LIBRARY",
        help="with --sweep: try this one too; may be given again",
    )
    bench.set_defaults(command=partial(_bench, bench))


def _count(text: str) -> int:
    return _number(text, 2, 1_000_000)


def _threads(text: str) -> int:
    return _number(text, 1, 64)


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text} is not allowed; {least} to {most}")
    return int(text)


def _bench(bench_parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.sweep:
        for name in ("threads", "plot", "row"):
            if getattr(options, name) not in (None, False):
                bench_parser.error(f"--sweep and --{name} exclude each other")
        return _sweep(options)
    if options.delegate:
        bench_parser.error("--delegate needs --sweep")
    return _measure(options)


def _sweep(options: argparse.Namespace) -> None:
    from .bench.machine import machine
    from .bench.sweep import as_json, as_text, sweep
    from .engine.runtime import Delegate

    path, asked = _what(options)
    swept = sweep(path, asked, list(map(Delegate, options.delegate)), options.frames, _tell)
    if options.json:
        print(json.dumps(as_json(swept, machine()), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_text(swept, machine())))


def _measure(options: argparse.Namespace) -> None:
    from .bench.machine import machine
    from .bench.report import as_json, as_text
    from .bench.row import as_row
    from .bench.run import bench
    from .service.chip import Chip

    path, asked = _what(options)
    if options.plot is not None:
        from .bench.plot import figure, plot
        from .bench.settings import described

        figure(2)  # what is missing is told before anything is measured
    measured = bench(path, asked, options.frames, _tell)
    if options.plot is not None:
        outcomes = {**measured.cases, "bare interpreter": measured.bare}
        plot(f"{measured.model}, {described(measured.options)}", outcomes, options.plot)
    if options.json:
        print(json.dumps(as_json(measured, machine()), indent=2, ensure_ascii=False))
    elif options.row:
        print(as_row(measured, machine(), Chip()))
    else:
        print("\n".join(as_text(measured, machine())))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _what(options: argparse.Namespace) -> tuple[Path, LoadOptions]:
    """The model, and how it is to be loaded. Raises EdgedError."""
    from msgspec.structs import replace

    from .bench.settings import DEFAULT
    from .demo.stage import MODELS_DIR

    path, asked = MODELS_DIR / "shapes.tflite", DEFAULT
    if options.config is not None:
        from .build import load_options
        from .commands.places import find_places
        from .store.watched import path_in

        places = find_places(options.config, os.environ, is_root=os.geteuid() == 0)
        first = places.config.pipelines[0]
        path, asked = path_in(places.models_dir, first.model), load_options(first)
    path = options.file or path
    if not path.is_file():
        raise EdgedError(f"There is no model {path}. Name a .tflite file")
    return path, replace(asked, threads=options.threads or asked.threads)
