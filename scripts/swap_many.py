#!/usr/bin/env python3
"""Swap back and forth between two good models while results go on, in all the ways files come.

The real daemon with a synthetic camera of 50 frames/s and a real mosquitto. A promise is broken,
and the exit status 1, where a result is lost, where the memory after all swaps is more than 5 MB
over that after 10, or where there are more open files. Gaps between results are told and not
judged: on a busy machine they say more of it than of edged.

    scripts/swap_many.py [--swaps N] [--models FILE FILE] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from served import Served, served
from swapping import WAYS, version_of

MODELS = Path(__file__).resolve().parent.parent / "tests" / "models"
EARLY = 10  # swaps after which nothing should grow any more
MOST_GROWTH_KB = 5 * 1024


@dataclass(frozen=True, slots=True)
class Gaps:
    """Milliseconds between one result and the next."""

    number: int
    longest_ms: float
    over_twice_the_usual: int


@dataclass(frozen=True, slots=True)
class Held:
    """What the daemon holds at one moment."""

    resident_kb: int
    open_files: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """``gaps_*``: before the first swap, from then on, and those of the latter between two models.
    ``serves_after_s``: from a file's last byte to the first result by it.
    """

    swaps: int
    results: int
    holes: list[str]
    usual_gap_ms: float
    gaps_before: Gaps
    gaps_swapping: Gaps
    gaps_at_swaps: Gaps
    serves_after_s: dict[str, float]
    slowest_to_serve_s: float
    early: Held
    late: Held

    def broken(self) -> list[str]:
        """The promises that were not kept."""
        grown_kb = self.late.resident_kb - self.early.resident_kb
        told = [f"a result was lost: {hole}" for hole in self.holes]
        if grown_kb > MOST_GROWTH_KB:
            told.append(f"the memory grew by {grown_kb / 1024:.1f} MB")
        if self.late.open_files > self.early.open_files:
            told.append(f"open files grew by {self.late.open_files - self.early.open_files}")
        return told


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--swaps", type=int, default=200, help="default: 200")
    parser.add_argument("--models", type=Path, nargs=2, default=_small_models(), metavar="FILE")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.swaps <= EARLY or options.swaps % 2:
        # After an odd number the second model is on trial, and the first one is kept at hand.
        parser.error(f"--swaps {options.swaps}: an even number above {EARLY} is needed")
    outcome = swap_many(options.models, options.swaps)
    print(json.dumps(asdict(outcome), indent=1) if options.json else _told(outcome))
    for promise in outcome.broken():
        print(f"BROKEN: {promise}", file=sys.stderr)
    return 1 if outcome.broken() else 0


def swap_many(models: Sequence[Path], swaps: int) -> Outcome:
    """``models`` are two that are good for the same pipeline; the first one serves first."""
    with served({"eye": models[0]}, fps=50) as house:
        eye = house["eye"]
        stream = eye.stream
        quiet = len(stream.gaps_ms)
        took: dict[str, list[float]] = {way: [] for way in WAYS}
        ways = itertools.cycle((*WAYS, "cp"))  # of an odd number: each way brings either model
        turns = itertools.cycle((models[1], models[0]))
        for number, way, model in zip(range(1, swaps + 1), ways, turns, strict=False):
            WAYS[way](model, eye.file, lambda: stream.wait_for_results(10))
            took[way].append(_time_to_serve(eye, model))
            if number == EARLY:
                early = _held(eye)
        late = _held(eye)
    usual_ms = statistics.median(stream.gaps_ms)
    return Outcome(
        swaps=swaps,
        results=stream.results,
        holes=stream.holes,
        usual_gap_ms=usual_ms,
        gaps_before=_gaps(stream.gaps_ms[:quiet], usual_ms),
        gaps_swapping=_gaps(stream.gaps_ms[quiet:], usual_ms),
        gaps_at_swaps=_gaps(stream.swap_gaps_ms, usual_ms),
        serves_after_s={way: statistics.median(times) for way, times in took.items()},
        slowest_to_serve_s=max(max(times) for times in took.values()),
        early=early,
        late=late,
    )


def _small_models() -> list[Path]:
    return [MODELS / "classifier_uint8.tflite", MODELS / "classifier_int8.tflite"]


def _time_to_serve(eye: Served, model: Path) -> float:
    last_byte_s = time.time()
    eye.stream.wait_for_version(version_of(model))
    since_s = eye.stream.since_s
    eye.stream.wait_for_results(10)
    return since_s - last_byte_s


def _held(eye: Served) -> Held:
    """The least of some looks: a probe's files come and go."""
    looks = []
    for _ in range(5):
        eye.stream.wait_for_results(10)
        looks.append(Held(eye.resident_kb(), eye.open_files()))
    return Held(min(x.resident_kb for x in looks), min(x.open_files for x in looks))


def _gaps(gaps_ms: Sequence[float], usual_ms: float) -> Gaps:
    return Gaps(len(gaps_ms), max(gaps_ms), sum(gap > 2 * usual_ms for gap in gaps_ms))


def _told(outcome: Outcome) -> str:
    lines = [
        f"{outcome.swaps} swaps, {outcome.results} results, {len(outcome.holes)} holes",
        f"usual gap {outcome.usual_gap_ms:.1f} ms",
    ]
    for when, gaps in (
        ("before the first swap", outcome.gaps_before),
        ("while swapping", outcome.gaps_swapping),
        ("of these, between two models", outcome.gaps_at_swaps),
    ):
        ratio = gaps.longest_ms / outcome.usual_gap_ms
        lines.append(
            f"{when}: {gaps.number} gaps, the longest {gaps.longest_ms:.1f} ms "
            f"({ratio:.1f} times the usual), {gaps.over_twice_the_usual} over twice the usual"
        )
    for way, took_s in outcome.serves_after_s.items():
        lines.append(f"by {way}: serves {took_s:.2f} s after its last byte (median)")
    lines.append(f"slowest to serve: {outcome.slowest_to_serve_s:.2f} s")
    for after, held in ((EARLY, outcome.early), (outcome.swaps, outcome.late)):
        megabytes = held.resident_kb / 1024
        lines.append(f"after {after} swaps: {megabytes:.1f} MB, {held.open_files} open files")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
