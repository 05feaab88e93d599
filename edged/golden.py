"""An input whose result is known, tried before a model serves: ``[golden]`` in ``NAME.toml``.

    [golden]
    input = "cat.png"                  # beside the model; or .npy: uint8, height x width x 3, RGB;
                                       # of windows .csv, or .npy: float32, samples x channels
    expect = {label = "cat", score = 0.73, tolerance = 0.05}

It goes the way of every frame or window (``Model``: preprocessing, engine, decoder, labels); a
picture is stretched to the model's input. The best class or detection must be called ``label``;
where ``score`` is given, its score must be that, give or take ``tolerance`` (0.1 where not told).

It is read with the model's other files and tried once, in a confined process of its own: a model
without a golden input does not pay for the imports.
"""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from .engine.confined import Channel, parent_of_request, serve
from .engine.engines import Engines
from .engine.geometry import Fit
from .engine.interpreter import Engine
from .engine.runtime import Delegate
from .engine.sandbox import WALL_LIMIT_S, run_confined
from .errors import ModelError
from .model import Model
from .reading import Reading
from .records import ModelSpec, ScoredBoxes, ScoredClasses
from .store.labels import publishable
from .store.sidecar import ExpectTable, GoldenTable

_MAX_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Golden:
    """The bytes of a golden input, as they were when its model was taken, and what they come to."""

    name: str
    data: bytes
    expect: ExpectTable


@dataclass(frozen=True, slots=True)
class _Request:
    """For the child. It comes from the daemon, which the child may trust; not the other way."""

    path: Path
    threads: int
    delegate: Delegate | None
    reading: Reading
    golden: Golden


class _Best(msgspec.Struct, frozen=True):
    """The best class or detection; None where nothing was found."""

    label: str | None
    score: float


def read_golden(table: GoldenTable | None, directory: Path) -> Golden | None:
    """The golden input that a sidecar in ``directory`` names, if any. Raises ModelError."""
    if table is None:
        return None
    path = directory / table.input
    try:
        # A pipe of that name would keep its reader waiting for ever.
        if path.exists() and not path.is_file():
            raise ModelError(f'its golden input "{table.input}" is not a file')
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f'its golden input "{table.input}" is over {_MAX_BYTES >> 20} MB')
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f'its golden input "{table.input}" cannot be read: {error.strerror}. Copy it there, '
            "then the model again"
        ) from error
    return Golden(table.input, data, table.expect)


def check_golden(
    golden: Golden,
    path: Path,
    reading: Reading,
    *,
    threads: int,
    delegate: Delegate | None,
    cancelled: threading.Event | None = None,
    wall_limit_s: float = WALL_LIMIT_S,
) -> None:
    """Try the model at ``path`` on its golden input. Raises ModelError, ProbeCancelled."""
    request = pickle.dumps(_Request(path, threads, delegate, reading, golden))
    best = run_confined(__name__, request, _Best, wall_limit_s=wall_limit_s, cancelled=cancelled)
    expect = golden.expect
    label = publishable(expect.label)
    gives = f'its golden input "{golden.name}" gives '
    if best.label is None:
        raise ModelError(f'{gives}nothing, not "{label}"')
    if best.label != label:
        raise ModelError(f'{gives}"{best.label}" ({best.score:.2f}), not "{label}"')
    if expect.score is not None and not abs(best.score - expect.score) <= expect.tolerance:
        raise ModelError(
            f'{gives}"{best.label}" with a score of {best.score:.4g}, which is not within '
            f"{expect.tolerance:g} of {expect.score:g}"
        )


# ---- the child ----------------------------------------------------------------------------------


def main() -> None:
    """Called in the child."""
    serve(_try_golden, parent_of_request())


def _try_golden(encoded: bytes, channel: Channel) -> _Best:
    request = pickle.loads(encoded)
    assert isinstance(request, _Request)
    channel.phase("load")
    engine = Engine(request.path, threads=request.threads, delegate=request.delegate)
    spec = ModelSpec("", "", 0, request.reading.task.name, ())
    model = Model(spec, Engines(engine), request.reading, Fit.STRETCH)
    from .golden_input import as_given  # only the child needs it

    given = as_given(request.golden.name, request.golden.data, request.reading.input)
    channel.phase("invoke")
    found = model.infer(given).decoded
    if not isinstance(found, ScoredClasses | ScoredBoxes):
        raise ModelError(
            f"it does {request.reading.task.name}, and a golden input is for models that find "
            "classes or objects. Take [golden] out of its .toml file"
        )
    if not len(found.scores):
        return _Best(None, 0.0)
    place = int(np.argmax(found.scores))
    number = found.classes[place] if isinstance(found, ScoredBoxes) else place
    return _Best(request.reading.labels.name(number), float(found.scores[place]))
