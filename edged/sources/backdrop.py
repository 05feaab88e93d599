"""Backdrops of the synthetic scene: pictures to put shapes on.

Each takes a random generator and a size and gives uint8 H x W x 3 in muted colours. They are
drawn once a shot, never once a frame.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..records.arrays import FloatArray, UInt8Array
from ..records.frames import Size

Colour = tuple[int, int, int]


def random_colour(rng: np.random.Generator) -> Colour:
    """Any colour."""
    red, green, blue = (int(channel) for channel in rng.integers(0, 256, 3))
    return red, green, blue


def contrasting_colour(rng: np.random.Generator, backdrop: UInt8Array) -> Colour:
    """Of a few random colours the one that is furthest from all of a backdrop's."""
    thumbnail = cv2.resize(backdrop, (8, 8), interpolation=cv2.INTER_AREA).reshape(-1, 3)
    candidates = rng.integers(0, 256, (5, 3))
    distances = np.linalg.norm(thumbnail[:, None, :] - candidates.astype(np.float32), axis=2)
    red, green, blue = (int(channel) for channel in candidates[distances.min(axis=0).argmax()])
    return red, green, blue


def _muted(rng: np.random.Generator) -> FloatArray:
    """A greyish colour: float32 (3,), 0..255."""
    return np.clip(rng.uniform(30, 225) + rng.uniform(-30, 30, 3), 0, 255).astype(np.float32)


def _blend(share: FloatArray, rng: np.random.Generator) -> UInt8Array:
    """From one muted colour to another by ``share``, float32 H x W, 0..1."""
    one, other = _muted(rng), _muted(rng)
    return (one + share[:, :, None] * (other - one)).astype(np.uint8)


def _along(rng: np.random.Generator, size: Size) -> FloatArray:
    """How far each pixel lies along a random direction: float32 H x W, in frame heights."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[: size.height, : size.width].astype(np.float32) / np.float32(size.height)
    return np.asarray(x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))


def gradient(rng: np.random.Generator, size: Size) -> UInt8Array:
    """One colour turning into another."""
    along = _along(rng, size)
    return _blend((along - along.min()) / np.ptp(along), rng)


def stripes(rng: np.random.Generator, size: Size) -> UInt8Array:
    """Bands, sharp or soft, in any direction."""
    wave = np.sin(_along(rng, size) * np.float32(rng.uniform(8, 60)))
    return _blend(np.clip(wave * np.float32(rng.uniform(0.5, 8)) + 0.5, 0, 1), rng)


def tiles(rng: np.random.Generator, size: Size) -> UInt8Array:
    """A chessboard, level with the frame or not."""
    frequency = np.float32(rng.uniform(8, 40))
    waves = np.sin(_along(rng, size) * frequency) * np.sin(_along(rng, size) * frequency)
    return _blend((waves > 0).astype(np.float32), rng)


def texture(rng: np.random.Generator, size: Size) -> UInt8Array:
    """Grain, from coarse clouds to something like gravel."""
    cells = int(rng.integers(4, 48))
    coarse = rng.random((cells, cells), np.float32)
    share = cv2.resize(coarse, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return _blend(np.asarray(share, np.float32), rng)


def blobs(rng: np.random.Generator, size: Size) -> UInt8Array:
    """Soft spots of several colours: things out of focus. They are none of the shapes."""
    picture = gradient(rng, size)
    for _ in range(int(rng.integers(4, 12))):
        centre = (int(rng.integers(size.width)), int(rng.integers(size.height)))
        axes = (int(rng.uniform(0.05, 0.3) * size.width), int(rng.uniform(0.05, 0.3) * size.height))
        cv2.ellipse(picture, centre, axes, rng.uniform(0, 180), 0, 360, _muted(rng).tolist(), -1)
    blur = max(3, size.height // 12) | 1
    return np.asarray(cv2.blur(cv2.blur(picture, (blur, blur)), (blur, blur)), np.uint8)


BACKDROPS: tuple[Callable[[np.random.Generator, Size], UInt8Array], ...] = (
    gradient,
    stripes,
    tiles,
    texture,
    blobs,
)
