"""``edged bench``: the part of the command line that is about speed."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
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
    bench.set_defaults(command=_bench)


def _count(text: str) -> int:
    return _number(text, 2, 1_000_000)


def _threads(text: str) -> int:
    return _number(text, 1, 64)


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"{text} is not allowed; {least} to {most}")
    return int(text)


def _bench(options: argparse.Namespace) -> None:
    from .bench.machine import machine
    from .bench.report import as_json, as_text
    from .bench.run import bench

    path, asked = _what(options)
    measured = bench(path, asked, options.frames, _tell)
    if options.json:
        print(json.dumps(as_json(measured, machine()), indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_text(measured, machine())))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _what(options: argparse.Namespace) -> tuple[Path, LoadOptions]:
    """The model, and how it is to be loaded. Raises EdgedError."""
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
