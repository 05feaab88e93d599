"""How well objects are followed through scenes whose objects are known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from judging import Judge
from msgspec.structs import replace
from tracking_scenes import SCENES, Scene, play

from edged.tracking.tracker import Tracker, TrackSettings

# MOTA and IDF1 of the seeds below, less two and three points. Nothing was chosen by these seeds.
BOUNDS = {
    "crossings": (0.92, 0.94),
    "turns, 15 frames a second": (0.915, 0.93),
    "a third of the frames lost": (0.905, 0.905),
    "4 frames a second": (0.84, 0.83),
    "a crowd of 50": (0.915, 0.92),
}


def followed(scene: Scene, *seeds: int) -> Judge:
    judge = Judge()
    for seed in seeds:
        tracker = Tracker(TrackSettings(low=0.1, lost_s=2.0), itertools.count(1 + seed * 10_000))
        for shot in play(scene, seed):
            boxes, scores = shot.boxes.astype(np.float32), shot.scores.astype(np.float32)
            tracks = tracker.update(boxes, scores, shot.classes, high=0.5, at_ns=shot.at_ns)
            kept = tracks > 0
            ids = (shot.ids + seed * 10_000).tolist()
            judge.see(ids, shot.truth, tracks[kept].tolist(), shot.boxes[kept])
    return judge


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_objects_are_followed_as_well_as_ever(scene: Scene) -> None:
    judge = followed(replace(scene, seconds=20 if scene.objects < 50 else 5), 300, 301)
    mota, idf1 = BOUNDS[scene.name]
    assert judge.mota > mota
    assert judge.idf1 > idf1
    assert judge.switches <= 15


# ---- the judge -----------------------------------------------------------------------------------

HERE = np.array([[0.1, 0.1, 0.3, 0.3]])
THERE = np.array([[0.6, 0.6, 0.8, 0.8]])
BOTH = np.concatenate((HERE, THERE))


def test_who_is_followed_without_a_fault_is_followed_wholly() -> None:
    judge = Judge()
    for _ in range(5):
        judge.see([7, 8], BOTH, [2, 1], BOTH)
    assert (judge.mota, judge.idf1, judge.switches) == (1, 1, 0)


def test_misses_and_false_boxes_count_against_it() -> None:
    judge = Judge()
    judge.see([7], HERE, [1], HERE)
    judge.see([7], HERE, [], HERE[:0])
    judge.see([7], HERE, [1, 2], BOTH)
    judge.see([7], HERE, [1], HERE + 0.07)  # an overlap of less than a half
    # Of four objects two are matched; two boxes are no object's.
    assert (judge.objects, judge.matched, judge.boxes) == (4, 2, 4)
    assert judge.mota == 1 - (2 + 2) / 4
    assert judge.idf1 == 2 * 2 / 8


def test_a_track_that_goes_over_to_another_object_is_a_switch_each() -> None:
    judge = Judge()
    for tracks in ([1, 2], [1, 2], [1, 2], [2, 1]):
        judge.see([7, 8], BOTH, tracks, BOTH)
    assert judge.switches == 2
    assert judge.mota == 1 - 2 / 8
    assert judge.idf1 == 2 * 6 / 16


def test_who_goes_together_goes_on_together_where_another_fits_better() -> None:
    judge = Judge()
    judge.see([7], HERE, [1], HERE)
    judge.see([7], HERE, [1, 2], np.concatenate((HERE + 0.02, HERE)))
    assert judge.switches == 0
