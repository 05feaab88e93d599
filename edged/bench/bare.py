"""The bare interpreter as a contestant: ``python -m edged.bench.bare MODEL FRAMES``.

It has been given the first of the frames that the daemon is given, since what a model finds may
change how long it takes, and knows nothing of cameras and brokers.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any, cast

from ..engine.geometry import Fit
from ..engine.interpreter import Engine
from ..engine.runtime import choose
from ..errors import EdgedError
from ..model import Filler
from ..reading import read_model
from ..store.models import read_model_files
from .answers import ENDED, FAILED, INFERENCE, answer, say
from .items import Kept, add_item_arguments
from .settings import add_engine_arguments, delegate_of


def filled(path: Path, kept: Kept, options: argparse.Namespace) -> Engine:
    """An engine with the first frame in its input. Raises ModelError, DelegateError."""
    files = read_model_files(path)
    engine = Engine(
        path,
        threads=options.threads,
        delegate=delegate_of(options),
        remembers=files.facts.remembers,
    )
    engine.invoke()  # some output shapes are known only afterwards
    reading = read_model(files, engine.inputs, engine.shaped_outputs(), kept.gives)
    position = reading.input.position
    filler = cast(Filler[Any], reading.input.filler(engine.inputs[position], Fit.STRETCH))
    filler.fill(kept.item(0), engine.input_view(position))
    engine.invoke()
    return engine


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    add_item_arguments(parser)
    add_engine_arguments(parser)
    parser.add_argument("--runtime")
    options = parser.parse_args()
    try:
        if options.runtime:
            choose(options.runtime)
        engine = filled(options.model, Kept.of(options), options)
    except EdgedError as error:
        say({FAILED: str(error)})
        return

    def turn(frames: int) -> dict[str, list[float]]:
        took, ended = [], []
        for _ in range(frames):
            began_ns = time.monotonic_ns()
            engine.invoke()
            now_ns = time.monotonic_ns()
            took.append((now_ns - began_ns) / 1e6)
            ended.append(now_ns / 1e6)
        return {INFERENCE: took, ENDED: ended}

    answer(turn)


if __name__ == "__main__":
    main()
