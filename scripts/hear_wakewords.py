"""Whether edged hears what `pymicro_wakeword`'s own detector hears, and what that costs.

    scripts/hear_wakewords.py [DIRECTORY] [--json]

It has espeak-ng speak four wake words in five voices at three speeds, with noise and without, makes
30 minutes of other speech and noise, and plays all of it to both: to the detector as its package
has it, and to edged as the daemon would (a ``wav`` source, windows, the model, the filter, each in
the threads that they have there). The recordings are kept in DIRECTORY.

The exit status is 0 where they agree on at least 98 % of the recordings, edged raises no false
alarm where the detector has none, and an hour of sound takes at most 5 % of an hour of one
processor.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymicro_wakeword
import wakeword_sounds as sounds

from edged.cadence import Cadence, Publish
from edged.capture import Capture
from edged.engine.geometry import Fit
from edged.handoff import LatestSlot
from edged.keywords import KeywordFilter
from edged.loading import LoadOptions, build_model
from edged.model import Model
from edged.pipeline import Pipeline, Serving
from edged.records.decoded import Decoded, HeardClasses
from edged.records.results import Findings, Result
from edged.samples import Captured, Gives
from edged.service.metrics import PipelineStats
from edged.slots import Slots
from edged.sources.wav import WavSource
from edged.sources.windowed import WindowedSource
from edged.store.models import read_model_files

MODELS = Path(pymicro_wakeword.__file__).parent / "models"
REFERENCE = Path(__file__).with_name("wakeword_reference.py")
LEAST_AGREEMENT = 0.98
MOST_OF_REAL_TIME = 0.05
INVOCATION_S = 0.03


class Noting(KeywordFilter):
    """Notes what the model has said, moment by moment, and when a word was heard."""

    def __init__(self, model: Model) -> None:
        task = model.reading.task
        assert task.keyword is not None
        super().__init__(
            model.reading.labels.name,
            rule=task.keyword,
            threshold=task.threshold,
            allowed=None,
            max_results=25,
        )
        self.probabilities: list[float] = []
        self.heard_s: list[float] = []

    def apply(self, decoded: Decoded, placement: None) -> Findings:  # type: ignore[override]
        assert isinstance(decoded, HeardClasses)
        self.probabilities += [scores.item() for scores in decoded.scores]
        found = super().apply(decoded, placement)
        if found:
            self.heard_s.append(round(decoded.ended_s, 2))
        return found


def load(name: str) -> Model:
    path = MODELS / f"{name}.tflite"
    options = LoadOptions(threads=1, delegate=None, fit=Fit.STRETCH, gives=Gives.WINDOWS)
    return build_model(name, read_model_files(path), path, options, None)


def hear(model: Model, path: Path) -> tuple[Noting, int]:
    """One recording to its end; how many results were published too."""
    results: list[Result] = []
    slot: LatestSlot[Captured] = LatestSlot()
    slot.hold(model.waiting)
    source = WindowedSource(WavSource(path, loop=False, realtime=False))
    capture = Capture(
        "ear", source, slot, fps=None, realtime=False, on_state=lambda _state, _reason: None
    )
    pipeline = Pipeline(
        "ear",
        slot,
        Cadence(Publish.EVERY, interval_s=10),
        PipelineStats(time.monotonic_ns()),
        itertools.count(),
        publish=results.append,
        send=lambda: None,
        on_fault=lambda reason: sys.exit(reason) if reason else None,
        on_trial=lambda *_: None,
        turn=Slots(1).turn(threads=1),
    )
    filter_ = Noting(model)
    pipeline.swap(Serving("", model, filter_, None))
    capture.start(model.want(None))
    pipeline.run()
    return filter_, len(results)


def reference(name: str, files: Sequence[Path]) -> list[dict[str, Any]]:
    command = [sys.executable, str(REFERENCE), str(MODELS / f"{name}.json"), *map(str, files)]
    heard: list[dict[str, Any]] = json.loads(subprocess.check_output(command))
    return heard


@dataclass
class Compared:
    """One model. ``alike``: how many of the probabilities came out just the same; ``alone``: how
    many false alarms only edged raised.
    """

    recordings: int = 0
    theirs: int = 0
    ours: int = 0
    agreed: int = 0
    probabilities: int = 0
    alike: int = 0
    their_alarms: int = 0
    our_alarms: int = 0
    alone: int = 0
    of_real_time: float = 0.0

    def add(self, theirs: dict[str, Any], ours: Noting) -> None:
        self.recordings += 1
        self.theirs += bool(theirs["heard_s"])
        self.ours += bool(ours.heard_s)
        # At the same moment, too: the detector says so within the 30 ms of one invocation.
        at_once = bool(ours.heard_s) and heard_too(ours.heard_s[0], theirs["heard_s"][:1])
        self.agreed += at_once or not (theirs["heard_s"] or ours.heard_s)
        self.count(theirs, ours)

    def count(self, theirs: dict[str, Any], ours: Noting) -> None:
        # What is left of a recording behind its last whole window may be enough for one more.
        assert 0 <= len(theirs["probabilities"]) - len(ours.probabilities) <= 1
        pairs = list(zip(theirs["probabilities"], ours.probabilities, strict=False))
        self.probabilities += len(pairs)
        self.alike += sum(a == b for a, b in pairs)


def heard_too(at_s: float, others_s: Sequence[float]) -> bool:
    """Whether another heard it at that moment, give or take one invocation."""
    return any(abs(at_s - other_s) < INVOCATION_S + 0.01 for other_s in others_s)


def alarms(heard_s: Sequence[float], refractory_s: float) -> int:
    """How often a word would be heard, where one is not heard again for a while."""
    count, last_s = 0, -refractory_s
    for at_s in heard_s:
        if at_s - last_s > refractory_s:
            count, last_s = count + 1, at_s
    return count


def compare(name: str, files: Sequence[Path], other: Path) -> Compared:
    """All words are played to each model, its own and the others'."""
    model, found = load(name), Compared()
    *heard, at_other = reference(name, [*files, other])
    for file, theirs in zip(files, heard, strict=True):
        found.add(theirs, hear(model, file)[0])
    began_s = time.process_time()
    ours, found.our_alarms = hear(model, other)
    took_s = time.process_time() - began_s
    found.count(at_other, ours)
    found.alone = sum(not heard_too(at_s, at_other["heard_s"]) for at_s in ours.heard_s)
    found.their_alarms = alarms(at_other["heard_s"], refractory_s=2)
    found.of_real_time = took_s / (len(ours.probabilities) * INVOCATION_S)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sounds.refuse_missing()
    with tempfile.TemporaryDirectory(prefix="edged-") as scratch:
        directory = options.directory or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        made = sounds.word_files(directory)
        files = [*itertools.chain.from_iterable(made.values())]
        other = sounds.other_file(directory)
        found = {name: compare(name, files, other) for name in made}
    print(json.dumps({n: vars(c) for n, c in found.items()}) if options.json else text(found))
    sys.exit(not all(map(holds, found.values())))


def holds(found: Compared) -> bool:
    return (
        found.agreed >= LEAST_AGREEMENT * found.recordings
        and found.alone == 0
        and found.of_real_time <= MOST_OF_REAL_TIME
    )


def text(found: dict[str, Compared]) -> str:
    lines = ["model         theirs  edged  agree      same probabilities  alarms  of real time"]
    for name, each in found.items():
        alike = each.alike / each.probabilities
        alarm = f"{each.our_alarms} ({each.their_alarms})"
        lines.append(
            f"{name:<12} {each.theirs:>7} {each.ours:>6} {each.agreed:>6}/{each.recordings}"
            f" {alike:>14.2%} of {each.probabilities:,} {alarm:>7} {each.of_real_time:>9.3f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
