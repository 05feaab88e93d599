"""Our tracker beside the ByteTrack of the package trackers, judged by motmetrics; its cost.

    pip install motmetrics trackers       # beside the developers' environment: only for this
    python -m scripts.bench_tracking [--seeds N] [--cost]

MOTA, IDF1 and the switches of ids are those of the MOTChallenge. The scenes are synthetic (see
``tracking_scenes``); both trackers get the same detections, thresholds and time to look for what is
lost. ByteTrack is run once for each class, as ours keeps classes apart.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from edged.minimise import Minimiser
from edged.presence.areas import Line, Zone
from edged.presence.stage import Presence, Rules
from edged.records.results import Detection
from edged.tracking.stage import Tracking
from edged.tracking.tracker import Tracker, TrackSettings
from scripts.tracking_scenes import SCENES, Ints, Scene, Shot, play

# The gates of the tracker were chosen on others.
FIRST_SEED = 300
LOW, HIGH, LOST_S = 0.1, 0.5, 2.0
FRAME_PX = (1280, 720)
Track = Callable[[Shot], Ints]


def ours(scene: Scene) -> Track:
    tracker = Tracker(TrackSettings(LOW, LOST_S), itertools.count(1))

    def track(shot: Shot) -> Ints:
        boxes, scores = shot.boxes.astype(np.float32), shot.scores.astype(np.float32)
        return tracker.update(boxes, scores, shot.classes, high=HIGH, at_ns=shot.at_ns)

    return track


def byte_track(scene: Scene) -> Track:
    import supervision
    from trackers import ByteTrackTracker

    fps = scene.fps * (1 - scene.dropped)
    of_class = [
        ByteTrackTracker(
            lost_track_buffer=round(30 * LOST_S),  # it takes that for frames at 30 a second
            frame_rate=fps,
            track_activation_threshold=HIGH,
            high_conf_det_threshold=HIGH,
        )
        for _ in range(scene.classes)
    ]
    scale = np.array(FRAME_PX * 2)

    def track(shot: Shot) -> Ints:
        ids = np.zeros(len(shot.boxes), np.int64)
        for number, tracker in enumerate(of_class):
            (rows,) = (shot.classes == number).nonzero()
            found = supervision.Detections(
                xyxy=shot.boxes[rows] * scale, confidence=shot.scores[rows], data={"row": rows}
            )
            tracked = tracker.update(found, timestamp=shot.at_ns / 1e9)
            if len(tracked):
                known = tracked.tracker_id >= 0
                rows = tracked.data["row"][known]
                ids[rows] = (tracked.tracker_id[known] + 1) * scene.classes + number
        return ids

    return track


TRACKERS: dict[str, Callable[[Scene], Track]] = {"edged": ours, "trackers": byte_track}


def judged(scene: Scene, seeds: int) -> Iterator[tuple[str, Any]]:
    import motmetrics

    metrics = motmetrics.metrics.create()
    for name, made in TRACKERS.items():
        runs = []
        for seed in range(FIRST_SEED, FIRST_SEED + seeds):
            judge = motmetrics.MOTAccumulator(auto_id=True)
            track = made(scene)
            for shot in play(scene, seed):
                ids = track(shot)
                boxes = shot.boxes[ids > 0]
                distances = _distances(shot.truth, boxes)
                judge.update(shot.ids.tolist(), ids[ids > 0].tolist(), distances)
            runs.append(judge)
        wanted = ["mota", "idf1", "num_switches", "num_false_positives", "num_misses"]
        yield name, metrics.compute_many(runs, metrics=wanted, generate_overall=True).loc["OVERALL"]


def _distances(truth: Any, boxes: Any) -> Any:
    """1 - IoU, NaN where it is over 0.5."""
    low = np.maximum(truth[:, None, :2], boxes[None, :, :2])
    high = np.minimum(truth[:, None, 2:], boxes[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(each[:, 2:] - each[:, :2], axis=1) for each in (truth, boxes)]
    away = 1 - shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12)
    return np.where(away > 0.5, np.nan, away)


def compare(seeds: int) -> None:
    print("| scene | tracker | MOTA | IDF1 | id switches |\n| --- | --- | --- | --- | --- |")
    for scene in SCENES:
        for name, of in judged(scene, seeds):
            print(
                f"| {scene.name} | {name} | {of.mota:.1%} | {of.idf1:.1%} "
                f"| {of.num_switches:.0f} |",
                flush=True,
            )


def cost() -> None:
    """Milliseconds a frame in which nearly all objects are seen."""
    print("| objects | tracks | tracks, 2 zones and a line |\n| --- | --- | --- |")
    for objects in (10, 50):
        size = (0.06, 0.16) if objects == 10 else (0.03, 0.07)
        scene = Scene("", objects, 15, sizes=size, speed=0.08, missed=0.02, seconds=60)
        shots = list(play(scene, 1))
        frames = [_as_filtered(shot) for shot in shots]
        print(f"| {objects} | {timed(ours(scene), shots)} | {timed(events(), frames)} |")


@dataclass(frozen=True, slots=True)
class _Frame:
    """A shot as the filter would hand it on."""

    found: tuple[Detection, ...]
    at_ns: int


def _as_filtered(shot: Shot) -> _Frame:
    rows = zip(shot.classes.tolist(), shot.scores.tolist(), shot.boxes.tolist(), strict=True)
    found = (Detection(f"class {of}", score, tuple(box)) for of, score, box in rows)
    return _Frame(tuple(found), shot.at_ns)


def events() -> Callable[[_Frame], None]:
    """All that a pipeline does between its filter and its events."""
    tracking = Tracking(Tracker(TrackSettings(LOW, LOST_S), itertools.count(1)), 100)
    zones = [((x, 0.2), (x + 0.5, 0.2), (x + 0.5, 0.9), (x, 0.9)) for x in (0.1, 0.3)]
    rules = Rules(
        tuple(Zone(f"zone {number}", each, None, "bottom") for number, each in enumerate(zones)),
        (Line("line", (0.5, 1.0), (0.5, 0.0), None, "bottom"),),
        appear=3,
        gone=15,
        update_s=60,
        per_minute=60,
        by_track=True,
        tells_events=True,
        minimiser=Minimiser(None, 1),
    )
    presence = Presence("front", rules, lambda record: None)

    return lambda frame: presence.take(tracking.apply(frame.found, HIGH, frame.at_ns), frame.at_ns)


def timed(work: Callable[[Any], object], frames: Sequence[Any]) -> str:
    spent_ms = []
    for frame in frames:
        began = time.perf_counter()
        work(frame)
        spent_ms.append((time.perf_counter() - began) * 1e3)
    centiles = statistics.quantiles(spent_ms, n=20)
    return f"{statistics.median(spent_ms):.3f} ms (19 of 20 frames: {centiles[18]:.3f} ms)"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--cost", action="store_true", help="only measure what it costs")
    arguments = parser.parse_args()
    cost() if arguments.cost else compare(arguments.seeds)
