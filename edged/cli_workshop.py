"""``edged model quantize`` and its like: the part of the command line that makes models."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .cli_values import share
from .errors import MissingExtra

if TYPE_CHECKING:
    from .workshop.calibration import Progress

_MODES = ("int8", "dynamic", "float16")
_LAYOUTS = ("auto", "nchw", "nhwc")
_FITS = ("stretch", "letterbox", "crop")


def add_workshop_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
) -> None:
    """Each imports what it needs when it runs, as in ``cli``."""
    _add_convert(commands, common)
    quantize = commands.add_parser(
        "quantize",
        parents=[common],
        help="make a float model a quarter of its size (extra: workshop)",
        description="Makes a float model int8, or its weights float16, with all that lies beside "
        "it. Int8 needs data like those that the model will meet.",
    )
    quantize.add_argument("file", type=Path, metavar="FLOAT.tflite")
    quantize.add_argument(
        "-o", "--output", type=Path, required=True, metavar="NAME.tflite", help="the model to write"
    )
    quantize.add_argument(
        "--calibrate",
        type=Path,
        metavar="DIR",
        help="pictures, or recordings (.csv, .wav), of what the model will meet",
    )
    quantize.add_argument(
        "--mode",
        choices=_MODES,
        default="int8",
        help="int8: all of it (default); dynamic: the weights int8; float16: the weights float16",
    )
    quantize.add_argument(
        "--float-io", action="store_true", help="inputs and outputs stay float32 (with int8)"
    )
    quantize.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="LAYER",
        help="a layer that stays float: its number, name or a pattern; may be given again",
    )
    quantize.add_argument(
        "--auto",
        type=share,
        metavar="AGREEMENT",
        help="leave as few layers float as give this agreement with the float model, such as 0.99",
    )
    quantize.add_argument(
        "--fit", choices=_FITS, default="stretch", help="as in a pipeline's table (%(default)s)"
    )
    quantize.add_argument("--force", action="store_true", help="replace what is there")
    quantize.set_defaults(command=partial(_quantize, quantize))


def _add_convert(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    common: argparse.ArgumentParser,
) -> None:
    convert = commands.add_parser(
        "convert",
        parents=[common],
        help="make a .tflite model of a Keras, ONNX or PyTorch one (extras: keras, onnx, torch)",
        description="Makes a .tflite model of a Keras one (.keras, .h5, a SavedModel), an ONNX "
        "one, a program that PyTorch exported (.pt2) or a .tflite one of any batch, with what the "
        "source says of labels and normalisation.",
    )
    convert.add_argument("source", type=Path, metavar="SOURCE")
    convert.add_argument(
        "-o", "--output", type=Path, required=True, metavar="NAME.tflite", help="the model to write"
    )
    convert.add_argument(
        "--layout",
        choices=_LAYOUTS,
        default="auto",
        help="of the source's pictures, where it cannot be told (ONNX, PyTorch)",
    )
    convert.add_argument("--force", action="store_true", help="replace what is there")
    convert.set_defaults(command=_convert)


def _convert(options: argparse.Namespace) -> None:
    try:
        from .workshop.convert import Order, convert
        from .workshop.told_converted import told
    except ImportError as error:
        raise MissingExtra("What reads models' tables (ai-edge-litert)", "workshop") from error
    order = Order(options.source, options.output, options.layout, options.force)
    examined = convert(order, lambda line: print(line, flush=True))
    print("\n".join(told(order.target, examined)))


def _quantize(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if options.mode == "int8" and options.calibrate is None:
        parser.error("int8 needs --calibrate DIR; --mode dynamic and float16 do without")
    if options.mode != "int8" and (options.calibrate or options.auto or options.float_io):
        parser.error("--calibrate, --auto and --float-io are for --mode int8")
    try:
        from .engine.geometry import Fit
        from .workshop.quantize import Order, quantize
        from .workshop.quantizer import Mode
        from .workshop.told import told
    except ImportError as error:
        raise MissingExtra("What quantises models (litert-quantizer)", "workshop") from error
    order = Order(
        options.file,
        options.output,
        Mode(options.mode),
        options.calibrate,
        options.skip,
        options.auto,
        options.float_io,
        Fit(options.fit),
        options.force,
    )
    with _progress() as progress:
        made = quantize(order, lambda line: print(line, flush=True), progress)
    print("\n".join(told(order, made)))


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Bars on a terminal; nothing elsewhere. Raises MissingExtra."""
    try:
        from rich.console import Console
        from rich.progress import Progress as Bars
        from rich.progress import TaskID
    except ImportError as error:
        raise MissingExtra("What draws the progress (rich)", "workshop") from error
    console = Console(stderr=True)
    with Bars(
        console=console, transient=True, redirect_stdout=False, disable=not console.is_terminal
    ) as bars:
        known: dict[str, TaskID] = {}

        def progress(doing: str, done: int, total: int) -> None:
            if doing not in known:
                known[doing] = bars.add_task(doing)
            bars.update(known[doing], completed=done, total=total)

        yield progress
