"""Pictures to learn from and to be measured on, drawn from scenes of their own seeds.

To learn from: frames of several sizes and shapes, scaled in the ways a source or the engine may
scale, darker, brighter and flatter than the demo's. To be measured on: the demo's own frames, of
seeds that are never learnt from.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from edged.records.arrays import UInt8Array
from edged.records.frames import Size
from edged.sources.scene import SHOT_FRAMES, Scene, Truth

from .anchors import INPUT, anchors, targets

FIRST_LEARNT_SEED = 1_000_000  # below: the demo's, the tests' and the measure's

_SIZES = (Size(640, 480), Size(640, 480), Size(320, 240), Size(640, 360), Size(480, 480))
_SHOTS_PER_SCENE, _FRAMES_PER_SHOT = 24, 2
_PICTURES_PER_SCENE = _SHOTS_PER_SCENE * _FRAMES_PER_SHOT


class Lesson(NamedTuple):
    """Inputs uint8 (n, H, W, 3) RGB, and what to say to each: float16 (n, anchors, 5)."""

    inputs: UInt8Array
    targets: np.typing.NDArray[np.float16]


def lessons(seed: int, scenes: int, workers: int) -> Lesson:
    """Pictures of ``scenes`` scenes; the same for the same seed, whatever ``workers`` is."""
    first = FIRST_LEARNT_SEED + seed * 100_000
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(_lesson, range(first, first + scenes)))
    return Lesson(
        np.concatenate([part.inputs for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def _lesson(scene_seed: int) -> Lesson:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(scene_seed)
    size = _SIZES[rng.integers(len(_SIZES))]
    scene = Scene(scene_seed, size)
    frame = np.empty((size.height, size.width, 3), np.uint8)
    centred = anchors()
    inputs = np.empty((_PICTURES_PER_SCENE, INPUT.height, INPUT.width, 3), np.uint8)
    told = np.empty((_PICTURES_PER_SCENE, len(centred), 5), np.float16)
    for index in range(_PICTURES_PER_SCENE):
        shot = index // _FRAMES_PER_SHOT
        truths = scene.render(shot * SHOT_FRAMES + int(rng.integers(SHOT_FRAMES)), frame)
        inputs[index] = _relit(rng, scaled(frame, _INTERPOLATIONS[rng.integers(3)]))
        told[index] = targets(truths, centred)
    return Lesson(inputs, told)


_INTERPOLATIONS = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_AREA)


def scaled(frame: UInt8Array, interpolation: int = cv2.INTER_LINEAR) -> UInt8Array:
    """The frame stretched to the network's input."""
    resized = cv2.resize(frame, (INPUT.width, INPUT.height), interpolation=interpolation)
    return np.asarray(resized, np.uint8)


def _relit(rng: np.random.Generator, picture: UInt8Array) -> UInt8Array:
    contrast, brightness = rng.uniform(0.7, 1.15), rng.uniform(-25, 25)
    changed = (picture.astype(np.float32) - 128) * np.float32(contrast) + 128 + brightness
    return np.asarray(changed.clip(0, 255), np.uint8)


def unseen(seeds: range, frames: int, size: Size) -> Iterator[tuple[UInt8Array, list[Truth]]]:
    """``frames`` frames of each seed's scene, spread over its shots: input and truth."""
    out = np.empty((size.height, size.width, 3), np.uint8)
    for seed in seeds:
        scene = Scene(seed, size)
        for index in range(frames):
            truths: list[Truth] = scene.render(index * SHOT_FRAMES + index * 37 % SHOT_FRAMES, out)
            yield scaled(out), truths
