"""Real recordings of a smart watch that the bundled activity model has never seen.

They are the 40 test series of BasicMotions (see motions/README.md), of 10 s each, and are played
faster than they were recorded, but through the same way as a sensor's samples.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import config as configuration
from ..build import make_source
from ..samples import Given, Want
from ..sources import Gap, Source
from .stage import Show, play

MOTIONS_DIR = Path(__file__).resolve().parent / "motions"

# Windows overlap by half: a sensor would give one in 1.5 s. All of them in a third of a minute, and
# slowly enough to read along.
_PIPELINE = """
[[pipelines]]
name = "activity"
model = "activity"
threshold = 0
max_results = 1
[pipelines.source]
kind = "csv"
path = {path}
rate_hz = 10
overlap = 0.5
realtime = false
fps = 12
"""


class Overheard:
    """A ``Source`` of the windows of several recordings that notes of which one each window is.

    A gap parts one recording from the next, and is nothing to be told here.
    """

    def __init__(self, source: Source) -> None:
        self.recordings: list[int] = []
        """For each window read, the number of its recording."""
        self._source = source
        self._recording = 0

    @property
    def live(self) -> bool:
        return self._source.live

    def open(self, want: Want) -> None:
        self._source.open(want)

    def read(self) -> Given | None:
        """Called from the capture thread; as ``Source.read``, but for the gaps."""
        try:
            window = self._source.read()
        except Gap:
            self._recording += 1
            return self.read()
        if window is not None:
            self.recordings.append(self._recording)
        return window

    def close(self) -> None:
        self._source.close()


def run_sensor_demo(seconds: float | None, tell: Callable[[str], None]) -> None:
    """Play the recordings to their end, or for so many seconds, then sum up. Raises EdgedError."""
    made: list[Overheard] = []

    def overheard(source: configuration.SourceTable) -> Source:
        made.append(Overheard(make_source(source)))
        return made[-1]

    show = Show(_PIPELINE.format(path=json.dumps(str(MOTIONS_DIR))), overheard)
    results = play(show, seconds, tell)
    truths = activities(MOTIONS_DIR)
    for line in verdict(results, [truths[number] for number in made[0].recordings]):
        tell(line)


def activities(directory: Path) -> list[str]:
    """Of its recordings, in the order in which they are played: their names tell."""
    return [path.stem.partition("-")[2] for path in sorted(directory.glob("*.csv"))]


def verdict(results: Sequence[Mapping[str, Any]], truths: Sequence[str]) -> list[str]:
    """How often the results were right, and what was taken for what, in lines.

    ``truths``: what each window showed. Not in real time no window is dropped, so that the result
    with the sequence number n is of the window n.
    """
    confusion = Counter(
        (truths[result["sequence"]], result["classes"][0]["label"]) for result in results
    )
    right = sum(count for (was, said), count in confusion.items() if was == said)
    labels = list(dict.fromkeys(label for pair in confusion for label in pair))
    lines = [
        f"accuracy  {right / len(results):.3f}: {right} of {len(results)} windows of series "
        "that the model was not trained on",
        f"          {'was, said':11}" + "".join(f"{label:>11}" for label in labels),
    ]
    for was in labels:
        counts = "".join(f"{confusion[was, said]:11}" for said in labels)
        lines.append(f"          {was:11}{counts}")
    return lines
