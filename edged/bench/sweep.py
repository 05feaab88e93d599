"""``edged bench --sweep``: which settings are the fastest for a model on this machine.

The bare interpreter of each setting takes turns with those of all others, in a process of its own:
a delegate may end its process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..engine.runtime import Delegate, installed
from ..errors import EdgedError
from ..loading import LoadOptions
from .answers import INFERENCE
from .contestant import Contestant
from .figures import Spread, Turn, spreads
from .rounds import TURN_S, frames_a_turn, play
from .run import kept_for
from .settings import described, toml_lines
from .stage import Stage, stage, try_model

SCHEMA = "edged.sweep/1"
_AS_GOOD = 1.03
"""What is not slower by more is as good; then fewer threads are better."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """``xnnpack`` is what the runtime does by default; a pipeline's table has no key for it."""

    runtime: str
    options: LoadOptions
    xnnpack: bool

    def __str__(self) -> str:
        without = "" if self.xnnpack else ", without XNNPACK"
        return f"{self.runtime}, {described(self.options)}{without}"

    @property
    def arguments(self) -> list[str]:
        return ["--runtime", self.runtime, *([] if self.xnnpack else ["--without-xnnpack"])]


@dataclass(frozen=True, slots=True)
class Swept:
    """``inference_ms`` by setting; ``failed``: those that cannot be run, and why."""

    model: str
    inference_ms: Mapping[Setting, Spread]
    failed: Mapping[Setting, str]

    @property
    def best(self) -> Setting:
        """Of those that a pipeline can have."""
        found = {each: ms.median for each, ms in self.inference_ms.items() if each.xnnpack}
        good = [each for each, ms in found.items() if ms <= _AS_GOOD * min(found.values())]
        return min(good, key=lambda each: (each.options.threads, found[each]))


def settings(base: LoadOptions, delegates: Sequence[Delegate]) -> list[Setting]:
    """All that are to be tried: delegates with the runtime that edged uses."""
    names = installed()
    cores = len(os.sched_getaffinity(0))
    plain = [
        Setting(name, replace(base, threads=threads, delegate=None), xnnpack)
        for name in names
        for threads in range(1, cores + 1)
        for xnnpack in (True, False)
    ]
    given = [replace(base, threads=1, delegate=delegate) for delegate in delegates]
    return plain + [Setting(names[0], each, True) for each in given]


def sweep(
    path: Path,
    base: LoadOptions,
    delegates: Sequence[Delegate],
    frames: int,
    tell: Callable[[str], None],
) -> Swept:
    """``frames``: of the fastest, at least; all have as much time. Raises EdgedError."""
    tried = try_model(path, replace(base, delegate=None))
    kept = next(iter(kept_for(tried).values()))
    with stage() as place:
        contestants = {
            setting: place.bare(
                replace(tried, options=setting.options), kept, str(setting), *setting.arguments
            )
            for setting in settings(base, delegates)
        }
        try:
            counts, failed = _started(contestants, place, frames)
            running = [each for setting, each in contestants.items() if setting not in failed]
            if not running:
                raise EdgedError(f"No setting runs {path.name}: {'; '.join(failed.values())}")
            rounds = -(-frames // max(counts.values()))
            seconds = round(rounds * len(running) * TURN_S)
            tell(f"{len(running)} settings in turns, {rounds} times each: about {seconds} s")
            turns = play(running, rounds, counts)
        finally:
            for each in contestants.values():
                each.close()
    return Swept(path.name, _medians(contestants, turns), failed)


def _started(
    contestants: Mapping[Setting, Contestant], place: Stage, frames: int
) -> tuple[dict[str, int], dict[Setting, str]]:
    """How many frames each that runs has in a turn, and why the others do not run."""
    counts, failed = {}, {}
    for setting, contestant in contestants.items():
        try:
            contestant.start(place.broker)
            counts[contestant.name] = frames_a_turn(contestant, frames)
        except EdgedError as error:
            failed[setting] = str(error)
    return counts, failed


def _medians(
    contestants: Mapping[Setting, Contestant], turns: Mapping[str, Sequence[Turn]]
) -> dict[Setting, Spread]:
    return {
        setting: spreads(turns[each.name])[INFERENCE]
        for setting, each in contestants.items()
        if each.name in turns
    }


def as_text(swept: Swept, machine: Mapping[str, str]) -> list[str]:
    """Lines: all settings, the fastest first, and the best one to paste."""
    lines = [f"{key:<9} {value}" for key, value in machine.items() if key != "runtime"]
    ordered = sorted(swept.inference_ms.items(), key=lambda each: each[1].median)
    lines += ["", f"{swept.model}, one inference", f"  {'ms   median':>12} {'p99':>9}"]
    lines += [f"  {ms.median:>12.3f} {ms.p99:>9.3f}   {each}" for each, ms in ordered]
    lines += [f"  {'failed':>12} {'':>9}   {each}: {why}" for each, why in swept.failed.items()]
    best = swept.best
    told = f"# the best for {swept.model} on this machine, with {best.runtime}"
    lines += ["", f"{told}; for its pipeline's table"]
    return lines + toml_lines(best.options)


def as_json(swept: Swept, machine: Mapping[str, str]) -> dict[str, Any]:
    def told(setting: Setting) -> dict[str, Any]:
        delegate = setting.options.delegate
        return {
            "runtime": setting.runtime,
            "threads": setting.options.threads,
            "xnnpack": setting.xnnpack,
            "delegate": delegate and delegate.name,
        }

    ran = [{**told(each), "inference_ms": asdict(ms)} for each, ms in swept.inference_ms.items()]
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "model": swept.model,
        "settings": ran + [{**told(each), "failed": why} for each, why in swept.failed.items()],
        "best": told(swept.best),
        "toml": toml_lines(swept.best.options),
    }
