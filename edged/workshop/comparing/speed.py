"""How fast two models are: their bare interpreters, by turns, each in a process of its own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ...bench.answers import INFERENCE
from ...bench.contestant import Contestant, Memory
from ...bench.figures import Spread, pooled
from ...bench.rounds import frames_a_turn, play
from ...bench.run import kept_for
from ...bench.stage import Tried, bare
from ...engine.runtime import installed
from ..subject import Subject

_ROUNDS = 6
_TURN_S = 0.3
_MOST_FRAMES = 400
_MOST_THREADS = 4


class Run(msgspec.Struct, frozen=True):
    """Of one model with a runtime and so many threads; ``times_ms`` of each inference. ``memory``:
    of the whole process, Python and the runtime included.
    """

    times_ms: tuple[float, ...]
    memory: Memory

    @property
    def spread(self) -> Spread:
        return Spread.of(self.times_ms)


class Pair(msgspec.Struct, frozen=True):
    """Both models with the same runtime and threads."""

    runtime: str
    threads: int
    one: Run
    other: Run

    @property
    def ratio(self) -> float:
        """How many times as long the second one takes, by the medians."""
        return self.other.spread.median / self.one.spread.median


def measure(one: Subject, other: Subject) -> list[Pair]:
    """With each runtime that is installed, on one core and on up to four. Raises EdgedError."""
    cores = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    pairs = []
    with tempfile.TemporaryDirectory(prefix="edged-compare-") as directory:
        for runtime in installed():
            for threads in sorted({1, cores}):
                with _started(one, other, runtime, threads, Path(directory)) as contestants:
                    frames = {
                        each.name: frames_a_turn(each, _MOST_FRAMES, _TURN_S)
                        for each in contestants
                    }
                    turns = play(contestants, _ROUNDS, frames)
                    runs = [
                        Run(tuple(pooled(turns[each.name])[INFERENCE]), each.memory())
                        for each in contestants
                    ]
                pairs.append(Pair(runtime, threads, *runs))
    return pairs


@contextlib.contextmanager
def _started(
    one: Subject, other: Subject, runtime: str, threads: int, directory: Path
) -> Iterator[list[Contestant]]:
    with contextlib.ExitStack() as at_end:
        contestants = []
        for name, subject in (("one", one), ("other", other)):
            house = directory / name
            house.mkdir(exist_ok=True)
            reading = subject.examined.reading
            tensor = subject.examined.probed.inputs[reading.input.position]
            options = replace(subject.options, threads=threads)
            tried = Tried(subject.path, subject.files, reading, tensor, options)
            *_, kept = kept_for(tried).values()
            each = bare(name, tried, kept, house, "--runtime", runtime)
            at_end.callback(each.close)
            each.start()
            contestants.append(each)
        yield contestants
