"""A synthetic camera whose truth is known, and the bundled detector."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from .. import config as configuration
from ..build import make_source
from ..groundtruth import Counts, match
from ..records.frames import Frame
from ..records.results import Detection
from ..sources import Source
from ..sources.scene import Truth
from .stage import Show, play

SECONDS = 15.0
"""Long enough to see how it goes on."""
_SAME_FRAME_S = 0.005  # stamps are published in whole milliseconds

_PIPELINE = """
[[pipelines]]
name = "shapes"
model = "shapes"
threshold = 0.5
[pipelines.source]
kind = "synthetic"
fps = 15
"""


class Truths(msgspec.Struct):
    """What each frame of the synthetic camera showed, by the wall-clock time of its capture."""

    times_s: list[float] = msgspec.field(default_factory=list)
    shapes: list[list[Truth]] = msgspec.field(default_factory=list)

    def add(self, frame: Frame, shapes: list[Truth]) -> None:
        """Called from the capture thread."""
        age_s = (time.monotonic_ns() - frame.captured_ns) / 1e9
        self.shapes.append(shapes)
        self.times_s.append(time.time() - age_s)

    def at(self, captured_s: float) -> list[Truth] | None:
        """What the frame of that moment showed; None where no frame is that near."""
        times_s = self.times_s[:]
        place = bisect_left(times_s, captured_s)
        near = [i for i in (place - 1, place) if 0 <= i < len(times_s)]
        best = min(near, key=lambda i: abs(times_s[i] - captured_s), default=None)
        if best is None or abs(times_s[best] - captured_s) > _SAME_FRAME_S:
            return None
        return self.shapes[best]


def run_camera_demo(seconds: float, tell: Callable[[str], None]) -> None:
    """Run for so many seconds, then sum up. Raises EdgedError."""
    truths = Truths()

    def listening_source(source: configuration.SourceTable) -> Source:
        if not isinstance(source, configuration.Synthetic):
            return make_source(source)
        from ..sources.synthetic import SyntheticSource

        return SyntheticSource(seed=source.seed, fps=source.fps or None, on_frame=truths.add)

    results = play(Show(_PIPELINE, listening_source), seconds, tell)
    counts, judged = judge(results, truths)
    tell(
        f"accuracy  precision {counts.precision:.3f}, recall {counts.recall:.3f} "
        f"against the ground truth of {judged} frames (threshold 0.5, overlap 0.5)"
    )


def judge(results: list[dict[str, Any]], truths: Truths) -> tuple[Counts, int]:
    """Right and wrong detections over the frames whose truth is known, and how many those are."""
    counts, judged = Counts(), 0
    for result in results:
        captured = datetime.fromisoformat(result["captured_at"]).astimezone(UTC)
        shapes = truths.at(captured.timestamp())
        if shapes is not None:
            judged += 1
            found = [
                Detection(one["label"], one["score"], tuple(one["box"]))
                for one in result["detections"]
            ]
            counts += match(shapes, found)
    return counts, judged
