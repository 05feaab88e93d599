"""Scenes whose objects are known, as an imperfect detector sees them: for bench_tracking.py.

Objects cross, hide each other, turn, come and go; boxes tremble, are missed or doubted where an
object is half hidden, and there are some where nothing is. Frames come unevenly, and some are lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Scene(msgspec.Struct, frozen=True):
    """``objects`` at a time, of ``classes`` kinds, for ``seconds`` at ``fps``, of whose frames
    ``dropped`` (a share) are lost. Sizes are shares of the frame, ``speed`` shares a second.
    """

    name: str
    objects: int
    fps: float
    dropped: float = 0.0
    seconds: float = 40.0
    classes: int = 2
    sizes: tuple[float, float] = (0.06, 0.16)
    speed: float = 0.12
    turns_hz: float = 0.2
    missed: float = 0.05
    wrong: float = 0.3  # false detections a frame
    tremble: float = 0.04  # of a box, in parts of its size


class Shot(msgspec.Struct, frozen=True):
    """One frame: what is there (``ids``, ``truth``) and what was detected. Boxes (n, 4) are
    ``x_min, y_min, x_max, y_max`` in shares of the frame.
    """

    at_ns: int
    ids: Ints
    truth: Array
    boxes: Array
    scores: Array
    classes: Ints


SCENES = (
    Scene("crossings", objects=8, fps=15, turns_hz=0.0),
    Scene("turns, 15 frames a second", objects=10, fps=15),
    Scene("a third of the frames lost", objects=10, fps=15, dropped=0.33),
    Scene("4 frames a second", objects=8, fps=4, dropped=0.2),
    Scene("a crowd of 50", objects=50, fps=15, sizes=(0.03, 0.07), speed=0.08, seconds=20),
)


def play(scene: Scene, seed: int) -> Iterator[Shot]:
    """The scene's frames, the same for the same seed."""
    rng = np.random.default_rng(seed)
    cast = _Cast(scene, rng)
    now_s = before_s = 0.0
    while now_s < scene.seconds:
        now_s += max(0.2, 1 + 0.15 * rng.normal()) / scene.fps
        if rng.random() < scene.dropped:
            continue
        cast.move(now_s - before_s)
        before_s = now_s
        yield _shot(scene, cast, round(now_s * 1e9), rng)


class _Cast:
    """Who is on the scene. Who leaves it is followed by another, who comes in from an edge."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        count = scene.objects
        self.ids = np.arange(1, count + 1)
        self.centre = rng.random((count, 2))
        self.size = np.empty((count, 2))
        self.speed = np.empty((count, 2))
        self.classes = np.empty(count, np.int64)
        for row in range(count):
            self._cast(row)

    def _cast(self, row: int) -> None:
        rng, scene = self._rng, self._scene
        side = rng.uniform(*scene.sizes)
        self.size[row] = side * rng.uniform(0.6, 1.0), side * rng.uniform(1.0, 1.6)
        angle = rng.uniform(0, 2 * np.pi)
        pace = scene.speed * rng.uniform(0.4, 1.6)
        self.speed[row] = pace * np.cos(angle), pace * np.sin(angle)
        self.classes[row] = rng.integers(scene.classes)

    def move(self, seconds: float) -> None:
        rng = self._rng
        for row in (rng.random(len(self.ids)) < self._scene.turns_hz * seconds).nonzero()[0]:
            turn = rng.normal(0, 0.8)
            cos, sin = np.cos(turn), np.sin(turn)
            self.speed[row] = self.speed[row] @ np.array([[cos, sin], [-sin, cos]])
        self.centre += self.speed * seconds
        outside = (np.abs(self.centre - 0.5) > 0.5 + self.size / 2).any(axis=1)
        for row in outside.nonzero()[0]:
            self.ids[row] = self.ids.max() + 1
            self._cast(row)
            edge = rng.integers(4)
            along = rng.random()
            self.centre[row] = [(0, along), (1, along), (along, 0), (along, 1)][edge]
            inwards = 0.5 - self.centre[row]
            if self.speed[row] @ inwards < 0:
                self.speed[row] *= -1

    @property
    def boxes(self) -> Array:
        half = self.size / 2
        return np.clip(np.hstack((self.centre - half, self.centre + half)), 0, 1)


def _shot(scene: Scene, cast: _Cast, at_ns: int, rng: np.random.Generator) -> Shot:
    truth = cast.boxes
    seen = _visible(truth)
    there = np.prod(truth[:, 2:] - truth[:, :2], axis=1) > 0.3 * np.prod(cast.size, axis=1)
    there &= seen > 0.25
    # Half hidden is doubted, more is missed.
    scores = np.clip(0.9 * np.minimum(seen + 0.15, 1) + rng.normal(0, 0.08, len(seen)), 0, 1)
    told = there & (scores > 0.1) & (rng.random(len(seen)) > scene.missed)
    sizes = np.tile(truth[told, 2:] - truth[told, :2], 2)
    boxes = np.clip(truth[told] + rng.normal(0, scene.tremble, (told.sum(), 4)) * sizes, 0, 1)
    count = rng.poisson(scene.wrong)
    corners = rng.random((count, 2)) * 0.9
    ghosts = np.hstack((corners, corners + rng.uniform(*scene.sizes, (count, 2))))
    return Shot(
        at_ns,
        cast.ids[there].copy(),
        truth[there],
        np.vstack((boxes, np.clip(ghosts, 0, 1))).astype(np.float32).astype(np.float64),
        np.concatenate((scores[told], rng.uniform(0.1, 0.75, count))),
        np.concatenate((cast.classes[told], rng.integers(scene.classes, size=count))),
    )


def _visible(boxes: Array) -> Array:
    """The share of each that nobody in front covers; who comes later in the list is in front."""
    shares = np.ones(len(boxes))
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    for row in range(len(boxes) - 1):
        low = np.maximum(boxes[row, :2], boxes[row + 1 :, :2])
        high = np.minimum(boxes[row, 2:], boxes[row + 1 :, 2:])
        covered = np.prod(np.clip(high - low, 0, None), axis=1).sum()
        shares[row] = max(0.0, 1 - covered / max(areas[row], 1e-9))
    return shares
