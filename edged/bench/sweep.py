"""``edged bench --sweep``: which settings are the fastest for a model on this machine.

The bare interpreter of each setting takes turns with those of all others. Each turn is a process of
its own, for a delegate may end it, and a small board has no room for all of them at once.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from ..engine.runtime import NO_DELEGATE, Delegate, installed
from ..errors import EdgedError
from ..loading import LoadOptions
from .answers import INFERENCE
from .contestant import Contestant
from .figures import Spread, Turn, spreads
from .rounds import WARM_UP, frames_a_turn
from .run import kept_for
from .settings import described, toml_lines
from .stage import bare, try_model

SCHEMA = "edged.sweep/1"
_TURN_S = 3.0  # a good deal longer than a process takes to start
_LEAST_ROUNDS = 3
_AS_GOOD = 1.03
"""What is not slower by more is as good; then fewer threads are better."""


class Setting(msgspec.Struct, frozen=True, eq=False):
    """A runtime and how it loads the model."""

    runtime: str
    options: LoadOptions

    def __str__(self) -> str:
        return f"{self.runtime}, {described(self.options)}"


class Swept(msgspec.Struct, frozen=True):
    """``inference_ms`` by setting; ``failed``: those that cannot be run, and why. ``runtime``: the
    one that edged uses.
    """

    model: str
    runtime: str
    inference_ms: Mapping[Setting, Spread]
    failed: Mapping[Setting, str]

    @property
    def best(self) -> Setting:
        """Of those that a pipeline can have."""
        found = {each: ms.median for each, ms in self.inference_ms.items() if self._can_be(each)}
        good = [each for each, ms in found.items() if ms <= _AS_GOOD * min(found.values())]
        return min(good, key=lambda each: (each.options.threads, found[each]))

    @property
    def faster(self) -> Setting | None:
        """What no pipeline can have, where that is the fastest, and not only as good."""
        fastest = min(self.inference_ms, key=lambda each: self.inference_ms[each].median)
        least_ms = _AS_GOOD * self.inference_ms[fastest].median
        return fastest if least_ms < self.inference_ms[self.best].median else None

    def _can_be(self, setting: Setting) -> bool:
        return setting.runtime == self.runtime


def settings(base: LoadOptions, delegates: Sequence[Delegate]) -> list[Setting]:
    """All that are to be tried: delegates with the runtime that edged uses."""
    names = installed()
    cores = len(os.sched_getaffinity(0))
    plain = [
        Setting(name, replace(base, threads=threads, delegate=delegate))
        for name in names
        for threads in range(1, cores + 1)
        for delegate in (None, Delegate(NO_DELEGATE))
    ]
    given = [replace(base, threads=1, delegate=delegate) for delegate in delegates]
    return plain + [Setting(names[0], each) for each in given]


def sweep(
    path: Path,
    base: LoadOptions,
    delegates: Sequence[Delegate],
    frames: int,
    tell: Callable[[str], None],
) -> Swept:
    """``frames``: of the fastest, at least; all have as much time. Raises EdgedError."""
    tried = try_model(path, replace(base, delegate=None))
    *_, kept = kept_for(tried).values()
    turns: dict[Setting, list[Turn]] = {}
    counts: dict[Setting, int] = {}
    failed: dict[Setting, str] = {}
    with tempfile.TemporaryDirectory(prefix="edged-sweep-") as directory:
        house = Path(directory)

        def contestant(setting: Setting) -> Contestant:
            named = replace(tried, options=setting.options)
            return bare(str(setting), named, kept, house, "--runtime", setting.runtime)

        for setting in settings(base, delegates):
            with _failing(setting, failed), _started(contestant(setting)) as each:
                counts[setting] = frames_a_turn(each, frames, _TURN_S)
                turns[setting] = []
        if not counts:
            raise EdgedError(f"No setting runs {path.name}: {'; '.join(failed.values())}")
        rounds = max(_LEAST_ROUNDS, -(-frames // max(counts.values())))
        tell(f"{len(counts)} settings in turns of at most {_TURN_S:g} s, {rounds} times each")
        for number in range(rounds):
            for setting in list(counts)[:: -1 if number % 2 else 1]:
                with _failing(setting, failed), _started(contestant(setting)) as each:
                    each.turn(WARM_UP)
                    turns[setting].append(Turn.of(each.turn(counts[setting])))
    ran = {setting: told for setting, told in turns.items() if setting not in failed}
    medians = {setting: spreads(told)[INFERENCE] for setting, told in ran.items()}
    return Swept(path.name, installed()[0], medians, failed)


@contextlib.contextmanager
def _started(contestant: Contestant) -> Iterator[Contestant]:
    contestant.start()
    try:
        yield contestant
    finally:
        contestant.close()


@contextlib.contextmanager
def _failing(setting: Setting, failed: dict[Setting, str]) -> Iterator[None]:
    """Note why it does not run; the others go on."""
    try:
        yield
    except EdgedError as error:
        failed[setting] = str(error)


def as_text(swept: Swept, machine: Mapping[str, str]) -> list[str]:
    """Lines: all settings, the fastest first, and the best one to paste."""
    lines = [f"{key:<9} {value}" for key, value in machine.items() if key != "runtime"]
    ordered = sorted(swept.inference_ms.items(), key=lambda each: each[1].median)
    lines += ["", f"{swept.model}, one inference", f"  {'ms   median':>12} {'p99':>9}"]
    lines += [f"  {ms.median:>12.3f} {ms.p99:>9.3f}   {each}" for each, ms in ordered]
    lines += [f"  {'failed':>12} {'':>9}   {each}: {why}" for each, why in swept.failed.items()]
    best = swept.best
    told = f"# the best for {swept.model} on this machine, with {best.runtime}"
    if swept.faster is not None:
        lines += ["", f"faster, but a pipeline cannot have it: {swept.faster}"]
    lines += ["", f"{told}; for its pipeline's table"]
    return lines + toml_lines(best.options)


def as_json(swept: Swept, machine: Mapping[str, str]) -> dict[str, Any]:
    def told(setting: Setting) -> dict[str, Any]:
        delegate = setting.options.delegate
        return {
            "runtime": setting.runtime,
            "threads": setting.options.threads,
            "delegate": delegate and delegate.name,
        }

    ran = [{**told(each), "inference_ms": asdict(ms)} for each, ms in swept.inference_ms.items()]
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "model": swept.model,
        "settings": ran + [{**told(each), "failed": why} for each, why in swept.failed.items()],
        "best": told(swept.best),
        "faster": swept.faster and told(swept.faster),
        "toml": toml_lines(swept.best.options),
    }
