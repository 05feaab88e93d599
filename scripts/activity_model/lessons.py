"""What the network learns from: pieces of the recordings, half of them as a sensor would see them
that measures gravity too.

The watch gave the acceleration without gravity; the accelerometers of a Raspberry Pi do not. So
gravity is put back, in a direction drawn at random, and turned with the wrist by what the
gyroscope says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edged.records.arrays import FloatArray

from .recordings import LENGTH, RATE_HZ, Recordings

Numbers = npt.NDArray[np.floating[Any]]

GRAVITY = 9.81
_COPIES = 16  # of each series, with another gravity and another strength
_PIECES = 4  # of each copy


@dataclass(frozen=True, slots=True)
class Scaling:
    """``(sample - mean) / std``, by channel: float32, as the sidecar has it."""

    mean: FloatArray
    std: FloatArray

    def apply(self, windows: FloatArray) -> FloatArray:
        return ((windows - self.mean) / self.std).astype(np.float32)


def scaling(series: FloatArray) -> Scaling:
    """What brings each sensor's series (n x time x channels) to the variance of one, whichever way
    its axes lie. The mean stays: the network takes away that of each window itself.
    """
    variance = series.var((0, 1)).reshape(2, 3).mean(1)
    std = np.sqrt(variance).round(2).repeat(3).astype(np.float32)
    return Scaling(np.zeros_like(std), std)


def under_gravity(series: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Series (n x time x channels: m/s^2, then rad/s) with gravity in the acceleration."""
    down = rng.normal(size=(len(series), 3))
    down *= GRAVITY / np.linalg.norm(down, axis=1, keepdims=True)
    result = series.copy()
    for t in range(series.shape[1]):
        result[:, t, :3] += down
        down = turned(down, -series[:, t, 3:] / RATE_HZ)
    return result


def mounted_anyhow(series: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Series (n x time x channels) as a sensor gives them whose axes lie in another way, each in
    its own: accelerometer and gyroscope turned alike, all turns equally likely.
    """
    quaternion = rng.normal(size=(len(series), 1, 4))
    axis, real = quaternion[..., :3], quaternion[..., 3:]
    length = np.linalg.norm(axis, axis=-1, keepdims=True)
    by = axis / length * 2 * np.arctan2(length, real)
    return np.concatenate([turned(series[..., :3], by), turned(series[..., 3:], by)], -1).astype(
        np.float32
    )


def turned(vectors: Numbers, by: Numbers) -> Numbers:
    """Vectors (... x 3), each turned about the direction of its ``by`` (... x 3) through as many
    radians as that is long (Rodrigues' formula).
    """
    angle = np.linalg.norm(by, axis=-1, keepdims=True)
    axis = by / np.maximum(angle, 1e-12)
    along = axis * (axis * vectors).sum(-1, keepdims=True)
    turned: Numbers = (
        along + (vectors - along) * np.cos(angle) + np.cross(axis, vectors) * np.sin(angle)
    )
    return turned


def pieces(
    recordings: Recordings, length: int, rng: np.random.Generator, gravity: bool, mounting: bool
) -> Recordings:
    """Windows of ``length`` to learn from, drawn at random, in a random order; with ``gravity``,
    half of them under it; with ``mounting``, all from sensors whose axes lie anyhow.
    """
    copies = np.repeat(recordings.series, _COPIES, axis=0)
    if mounting:
        copies = mounted_anyhow(copies, rng)
    copies = copies * rng.uniform(0.85, 1.15, (len(copies), 1, 1)).astype(np.float32)
    if gravity:
        copies[1::2] = under_gravity(copies[1::2], rng)
    begins = rng.integers(0, LENGTH - length + 1, (len(copies), _PIECES))
    windows = [copy[b : b + length] for copy, row in zip(copies, begins, strict=True) for b in row]
    order = rng.permutation(len(windows))
    classes = np.repeat(recordings.classes, _COPIES * _PIECES)
    return Recordings(np.stack(windows), classes).part(order)


def windows(recordings: Recordings, length: int) -> Recordings:
    """Windows of ``length``, each half of which the next has too, as a pipeline would cut them."""
    begins = range(0, LENGTH - length + 1, length // 2)
    cut = [series[begin : begin + length] for series in recordings.series for begin in begins]
    return Recordings(np.stack(cut), np.repeat(recordings.classes, len(begins)))
