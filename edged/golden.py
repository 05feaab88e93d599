"""Inputs whose results are known, tried before a model serves: ``[golden]`` in ``NAME.toml``.

    [golden]                           # or several: [[golden]]
    input = "cat.png"                  # beside the model; or .npy: uint8, height x width x 3, RGB;
                                       # of windows .csv, .wav, or .npy: float32, samples x channels
    expect = {label = "cat", score = 0.73, tolerance = 0.05}

Each goes the way of every frame or window (``Model``: preprocessing, engine, decoder, labels); a
picture is stretched to the model's input. What may be expected, by task: ``store.golden_tables``.

They are read with the model's other files and tried once, in a confined process of their own: a
model without golden inputs does not pay for the imports.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .engine.confined import Channel, parent_of_request, serve
from .engine.runtime import Delegate
from .engine.sandbox import WALL_LIMIT_S, run_confined
from .errors import ModelError
from .golden_found import Found, differences
from .store.golden_tables import ExpectTable, GoldenTable

if TYPE_CHECKING:
    from .reading import Reading

MOST = 64
"""They are tried at every swap, and none of them may keep a good model waiting for long."""

_MAX_BYTES = 32 << 20
_SHOWN = 3


class Given(msgspec.Struct, frozen=True):
    """The bytes of an input, as they were when its model was taken."""

    name: str
    data: bytes


class Golden(msgspec.Struct, frozen=True):
    """A golden input, and what it comes to."""

    given: Given
    expect: ExpectTable


class HowToRun(msgspec.Struct, frozen=True):
    """``remembers`` is as of ``Engine``."""

    path: Path
    threads: int
    delegate: Delegate | None
    remembers: bool


class _Request(msgspec.Struct, frozen=True):
    """For the child. It comes from the daemon, which the child may trust; not the other way."""

    how: HowToRun
    reading: Reading
    given: Sequence[Given]


def read_golden(tables: Sequence[GoldenTable], directory: Path) -> tuple[Golden, ...]:
    """The golden inputs that a sidecar in ``directory`` names. Raises ModelError."""
    if len(tables) > MOST:
        raise ModelError(f"it has {len(tables)} golden inputs; at most {MOST} are tried")
    return tuple(Golden(read_given(table.input, directory), table.expect) for table in tables)


def read_given(name: str, directory: Path) -> Given:
    """Raises ModelError where there is no file ``name`` in ``directory`` that can be an input."""
    path = directory / name
    try:
        # A pipe of that name would keep its reader waiting for ever.
        if path.exists() and not path.is_file():
            raise ModelError(f'its golden input "{name}" is not a file')
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f'its golden input "{name}" is over {_MAX_BYTES >> 20} MB')
        return Given(name, path.read_bytes())
    except OSError as error:
        raise ModelError(
            f'its golden input "{name}" cannot be read: {error.strerror}. Copy it there, '
            "then the model again"
        ) from error


def check_golden(
    goldens: Sequence[Golden],
    how: HowToRun,
    reading: Reading,
    cancelled: threading.Event | None = None,
) -> None:
    """Try the model on its golden inputs. Raises ModelError with what differs, ProbeCancelled."""
    results = find_results([golden.given for golden in goldens], how, reading, cancelled)
    told = [
        f'its golden input "{golden.given.name}" gives {difference}'
        for golden, found in zip(goldens, results, strict=True)
        for difference in differences(golden.expect, found)
    ]
    if told:
        more = f"; and {len(told) - _SHOWN} more differences" if len(told) > _SHOWN else ""
        raise ModelError("; ".join(told[:_SHOWN]) + more)


def find_results(
    given: Sequence[Given],
    how: HowToRun,
    reading: Reading,
    cancelled: threading.Event | None = None,
    wall_limit_s: float = WALL_LIMIT_S,
) -> tuple[Found, ...]:
    """What a model makes of inputs, in a confined process. Raises ModelError, ProbeCancelled."""
    request = pickle.dumps(_Request(how, reading, given))
    results = run_confined(
        __name__, request, tuple[Found, ...], wall_limit_s=wall_limit_s, cancelled=cancelled
    )
    if len(results) != len(given):
        raise ModelError("its process answered for other golden inputs than those it was given")
    return results


# ---- the child ----------------------------------------------------------------------------------


def main() -> None:
    """Called in the child."""
    serve(_try_golden, parent_of_request())


def _try_golden(encoded: bytes, channel: Channel) -> tuple[Found, ...]:
    from .engine.interpreter import Engine
    from .golden_run import result_of  # only the child needs it

    request = pickle.loads(encoded)
    assert isinstance(request, _Request)
    channel.phase("load")
    how = request.how
    engine = Engine(how.path, threads=how.threads, delegate=how.delegate, remembers=how.remembers)
    engine.invoke()  # the shapes of some outputs are known only afterwards
    channel.phase("invoke")
    return tuple(
        result_of(given.name, given.data, engine, request.reading) for given in request.given
    )
