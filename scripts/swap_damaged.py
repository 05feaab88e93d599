#!/usr/bin/env python3
"""Drop damaged models over the serving file, one after the other, while results go on.

The real daemon with two pipelines, one that classifies and one that detects, and a real mosquitto.
Damaged are copies of the tests' models and, where `$EDGED_TESTDATA` or ../shared/testdata is there,
of those; each goes over the model of the pipeline that has its task. A promise is broken, and the
exit status 1, where the daemon ends, a result is lost or a file gets no verdict; that file is then
kept in the working directory. The same seed damages the same way.

    scripts/swap_damaged.py [--count N] [--seed S] [--json]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from served import Served, served
from swapping import WAYS, version_of

REPO = Path(__file__).resolve().parent.parent
MODELS = REPO / "tests" / "models"
GOOD = {
    "eye": MODELS / "classifier_uint8.tflite",
    "finder": MODELS / "detector_tf1.tflite",
}
DETECTORS = ("detector", "coco")  # what the names of those that the second pipeline gets begin with
ENDS_ITS_PROCESS = "crash_after_20"  # in service and undamaged: no probe can tell
FPS = 20
PATIENCE_S = 300.0  # a probe may take 60 s, and longer where it waits for a processor
PAGE_BYTES = 4096
HEADER_BYTES = 256


class Broken(Exception):
    """A promise was not kept."""


@dataclass(slots=True)
class Outcome:
    """``verdicts``: how many of each, by kind of damage. ``crashed``: those that ended their
    probe; ``rolled_back``: those that failed on trial. ``took_s``: from last byte to verdict.
    """

    verdicts: dict[str, dict[str, int]] = field(default_factory=dict)
    took_s: list[float] = field(default_factory=list)
    slowest: str = ""
    results: int = 0
    crashed: int = 0
    rolled_back: int = 0


# ---- damage -------------------------------------------------------------------------------------


def flipped(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    """A few bits; in every other file they are where its tables are rather than its weights."""
    reach = min(len(data), PAGE_BYTES) if chance.random() < 0.5 else len(data)
    for _ in range(chance.choice((1, 4, 16, 64))):
        place = chance.randrange(reach)
        data[place if chance.random() < 0.5 else -1 - place] ^= 1 << chance.randrange(8)
    return data


def truncated(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    return data[: chance.randrange(len(data))]


def zeroed(data: bytearray, chance: random.Random, _other: bytes) -> bytearray:
    """A page, or a sixteenth of a small file."""
    page = max(1, min(PAGE_BYTES, len(data) // 16))
    start = chance.randrange(len(data) // page) * page
    data[start : start + page] = bytes(page)
    return data


def headed(data: bytearray, chance: random.Random, other: bytes) -> bytearray:
    """Begins as another model does."""
    length = chance.randrange(4, HEADER_BYTES)
    data[:length] = other[:length]
    return data


DAMAGE: dict[str, Callable[[bytearray, random.Random, bytes], bytearray]] = {
    "bits flipped": flipped,
    "truncated": truncated,
    "page zeroed": zeroed,
    "other's header": headed,
}


def damaged(original: Path, other: Path, kind: str, chance: random.Random) -> bytes:
    """Never what the original is: a page of zeros may be zeroed, and is nothing to try."""
    data = original.read_bytes()
    while (copy := DAMAGE[kind](bytearray(data), chance, other.read_bytes())) == data:
        pass
    return bytes(copy)


# ---- the run ------------------------------------------------------------------------------------


def originals() -> list[Path]:
    testdata = Path(os.environ.get("EDGED_TESTDATA", REPO.parent / "shared" / "testdata"))
    found = [*MODELS.glob("*.tflite"), *(testdata / "models").glob("*.tflite")]
    # By name: where the repository lies must not decide which damage a seed does.
    return sorted(
        (path for path in found if path.stem != ENDS_ITS_PROCESS), key=lambda path: path.name
    )


def swap_damaged(count: int, seed: int) -> Outcome:
    """Raises Broken."""
    outcome = Outcome()
    models = originals()
    kinds, ways = itertools.cycle(DAMAGE), itertools.cycle(("cp", "rsync", "scp", "mv", "upload"))
    with served(GOOD, FPS) as house:
        runs = {name: each.stream.last["run"] for name, each in house.items()}
        for number, kind, way in zip(range(count), kinds, ways, strict=False):
            chance = random.Random(f"{seed} {number}")
            original, other = chance.sample(models, 2)
            told = f"number {number} of seed {seed} ({original.stem}, {kind}, by {way})"
            target = house["finder" if original.stem.startswith(DETECTORS) else "eye"]
            file = target.file.parent.parent / f"damaged-{seed}-{number}.tflite"
            file.write_bytes(damaged(original, other, kind, chance))
            try:
                took_s, verdict, reason = _drop(file, way, target)
                _refuse_loss(target, runs[target.file.stem])
            except Broken as error:
                kept = shutil.copy(file, Path.cwd())
                raise Broken(f"{error}: {told}, kept as {kept}") from error
            file.unlink()
            counts = outcome.verdicts.setdefault(kind, {})
            counts[verdict] = counts.get(verdict, 0) + 1
            outcome.crashed += reason.startswith("the runtime crashes")
            if took_s > max(outcome.took_s, default=0):
                outcome.slowest = told
            outcome.took_s.append(took_s)
        for name, each in house.items():
            WAYS["mv"](GOOD[name], each.file, lambda: None)
            each.stream.wait_for_version(version_of(GOOD[name]))
            _refuse_loss(each, runs[name])
            outcome.results += each.stream.results
            outcome.rolled_back += sum(
                report["candidate"]["verdict"] == "rolled-back" for report in each.stream.reports
            )
    return outcome


def _drop(file: Path, way: str, target: Served) -> tuple[float, str, str]:
    """Seconds to the verdict, the verdict, and its reason; one that serves is left to for some
    results.
    """
    stream, version, before = target.stream, version_of(file), len(target.stream.reports)

    def report() -> dict[str, Any] | None:
        news = (report for report in stream.reports[before:])
        return next((one for one in news if one["candidate"]["version"] == version), None)

    def dead() -> bool:
        return target.daemon.process.poll() is not None

    WAYS[way](file, target.file, lambda: None)
    last_byte_s = time.monotonic()
    stream.wait_until(lambda: report() is not None or dead(), PATIENCE_S)
    took_s = time.monotonic() - last_byte_s
    more = stream.results + FPS // 2
    found = report()
    if found is not None and found["candidate"]["verdict"] != "refused":
        stream.wait_until(lambda: stream.results >= more or dead(), PATIENCE_S)
    if found is None or dead():
        raise Broken(f"the daemon ended with {target.daemon.wait()}")
    return took_s, found["candidate"]["verdict"], found["candidate"]["reason"] or ""


def _refuse_loss(each: Served, run: str) -> None:
    if each.stream.holes:
        raise Broken(f"results were lost: {'; '.join(each.stream.holes)}")
    if each.stream.last["run"] != run:
        raise Broken("the daemon was started anew")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000, help="default: 2000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        outcome = swap_damaged(options.count, options.seed)
    except Broken as error:
        print(f"BROKEN: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(outcome), indent=1) if options.json else _told(outcome))
    return 0


def _told(outcome: Outcome) -> str:
    verdicts = sorted({verdict for counts in outcome.verdicts.values() for verdict in counts})
    lines = ["".join(f"{word:>16}" for word in ("", *verdicts))]
    for kind, counts in outcome.verdicts.items():
        lines.append(
            f"{kind:>16}" + "".join(f"{counts.get(verdict, 0):>16}" for verdict in verdicts)
        )
    took_s = sorted(outcome.took_s)
    nine_of_ten_s = took_s[len(took_s) * 9 // 10]
    return "\n".join(
        (
            *lines,
            f"{len(took_s)} files, {outcome.results} results, none lost; one process all through",
            f"{outcome.crashed} crashed their probe; {outcome.rolled_back} were rolled back",
            f"a verdict took {statistics.median(took_s):.2f} s (median), nine of ten under "
            f"{nine_of_ten_s:.2f} s, the longest {took_s[-1]:.2f} s: {outcome.slowest}",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
