"""A moving scene whose ground truth is known: what the synthetic camera sees.

Every ``SHOT_FRAMES`` frames the scene cuts to another backdrop with other shapes. Everything in
it follows from the seed and the frame's number alone, so frames can be drawn in any order.
Pixel coordinates are OpenCV's: the centre of the top left pixel is (0, 0), so that a share ``s``
of a side of ``n`` pixels lies at ``s * n - 0.5``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from ..records.arrays import FloatArray, UInt8Array
from ..records.frames import Size
from .backdrop import BACKDROPS, Colour, contrasting_colour, random_colour

LABELS = ("circle", "square", "triangle", "star")
SHOT_FRAMES = 90

_Points = npt.NDArray[np.int32]
_MAX_SHAPES = 6
_SUBPIXEL_BITS = 4  # of the fixed-point coordinates that OpenCV draws with
_MASK_SHRINK = 2  # visible shares are counted on a mask this much smaller than the frame
_NOISE_SIGMAS = (2.0, 5.0, 9.0)
_NOISE_ROLL_X, _NOISE_ROLL_Y = 61, 53  # primes: the noise repeats after their product of frames


class Truth(msgspec.Struct, frozen=True):
    """A shape that is there. ``box`` is x_min, y_min, x_max, y_max as shares of the frame.

    The box is tight round the shape's whole outline, as if nothing hid it, and clipped to 0..1.
    ``visible`` is the share of the shape's pixels that neither another shape nor the frame's
    edge hides.
    """

    label: str
    box: tuple[float, float, float, float]
    visible: float


def _round(radii: Sequence[float]) -> FloatArray:
    """The corners at these distances from the origin, evenly round it: float32 (n, 2), x and y."""
    angles = np.arange(len(radii)) * (2 * np.pi / len(radii))
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.array(radii)[:, None]
    return np.asarray(corners, np.float32)


_OUTLINES = {
    "circle": _round([0.85] * 64),
    "square": _round([1.0] * 4),
    "triangle": _round([1.0] * 3),
    "star": _round([1.0, 0.45] * 5),
}


def _reflected(share: float) -> float:
    """A straight way, folded at the frame's edges: 0..1."""
    folded = share % 2
    return 2 - folded if folded > 1 else folded


class _Shape(msgspec.Struct, frozen=True):
    """A shape and its way; lengths in shares of the frame (``radius``: of its shorter side).

    Rates are per frame, angles in radians. The centre goes straight, turns back at the frame's
    edges, and sways about that way.
    """

    label: str
    colour: Colour
    rim: Colour
    radius: float
    start: tuple[float, float]
    speed: tuple[float, float]
    sway: float
    sway_rate: float
    angle: float
    spin: float

    @classmethod
    def random(cls, rng: np.random.Generator, backdrop: UInt8Array) -> _Shape:
        colour = contrasting_colour(rng, backdrop)
        return cls(
            label=LABELS[rng.integers(len(LABELS))],
            colour=colour,
            rim=random_colour(rng) if rng.random() < 0.3 else colour,
            radius=rng.uniform(0.075, 0.2),
            start=(rng.random(), rng.random()),
            speed=(rng.uniform(-0.008, 0.008), rng.uniform(-0.008, 0.008)),
            sway=rng.uniform(0.0, 0.06),
            sway_rate=rng.uniform(0.03, 0.12),
            angle=rng.uniform(0, 2 * np.pi),
            spin=rng.uniform(-0.06, 0.06),
        )

    def outline(self, step: int, size: Size) -> FloatArray:
        """Its corners at a step of the shot: float32 (n, 2), x and y as shares of the frame."""
        phase = self.angle + self.sway_rate * step
        centre = (
            _reflected(self.start[0] + self.speed[0] * step) + self.sway * np.sin(phase),
            _reflected(self.start[1] + self.speed[1] * step) + self.sway * np.cos(phase),
        )
        angle = self.angle + self.spin * step
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        radius_px = self.radius * (1 + 0.12 * np.sin(phase)) * min(size.width, size.height)
        scale = radius_px / np.array([size.width, size.height])
        return np.asarray(_OUTLINES[self.label] @ turn * scale + centre, np.float32)


class _Noise(NamedTuple):
    """Sensor noise: what is added to a frame and what is then taken away, uint8 H' x W' x 3 each.

    Two saturating uint8 passes are several times quicker than one signed sum. The tiles are
    larger than the frame, which sees a window of them that moves.
    """

    added: UInt8Array
    taken: UInt8Array

    @classmethod
    def random(cls, rng: np.random.Generator, size: Size, sigma: float) -> _Noise:
        shape = (size.height + _NOISE_ROLL_Y, size.width + _NOISE_ROLL_X, 3)
        signed = np.rint(rng.standard_normal(shape, np.float32) * np.float32(sigma))
        return cls(signed.clip(0, 255).astype(np.uint8), (-signed).clip(0, 255).astype(np.uint8))

    def apply(self, number: int, out: UInt8Array) -> None:
        x, y = number * 23 % _NOISE_ROLL_X, number * 17 % _NOISE_ROLL_Y
        window = np.s_[y : y + out.shape[0], x : x + out.shape[1]]
        cv2.add(out, self.added[window], dst=out)
        cv2.subtract(out, self.taken[window], dst=out)


class _Shot(msgspec.Struct, frozen=True):
    number: int
    backdrop: UInt8Array
    noise: _Noise
    shapes: tuple[_Shape, ...]  # those at the back first

    def outlines(self, step: int, size: Size) -> list[FloatArray]:
        return [shape.outline(step, size) for shape in self.shapes]


class Scene:
    """Draws frames of ``size`` and tells what is in them. For one thread at a time."""

    def __init__(self, seed: int, size: Size) -> None:
        self._seed = seed
        self._size = size
        rng = np.random.default_rng(seed)
        self._noises = tuple(_Noise.random(rng, size, sigma) for sigma in _NOISE_SIGMAS)
        mask_shape = (-(-size.height // _MASK_SHRINK), -(-size.width // _MASK_SHRINK))
        self._mask = np.zeros(mask_shape, np.uint8)
        self._stencil = np.zeros(mask_shape, np.uint8)
        self._shot: _Shot | None = None

    def truth(self, number: int) -> list[Truth]:
        """What frame ``number`` shows, the shapes at the back first."""
        shot = self._shot_of(number)
        return self._truths(shot, shot.outlines(number % SHOT_FRAMES, self._size))

    def render(self, number: int, out: UInt8Array) -> list[Truth]:
        """Draw frame ``number`` into ``out``, uint8 H x W x 3 RGB, and tell what it shows."""
        shot = self._shot_of(number)
        outlines = shot.outlines(number % SHOT_FRAMES, self._size)
        np.copyto(out, shot.backdrop)
        for shape, outline in zip(shot.shapes, outlines, strict=True):
            _fill(out, outline, shape.rim)
            if shape.rim != shape.colour:
                inner = outline + (outline.mean(axis=0) - outline) * np.float32(0.25)
                _fill(out, inner, shape.colour)
        shot.noise.apply(number, out)
        return self._truths(shot, outlines)

    def _shot_of(self, number: int) -> _Shot:
        shot_number = number // SHOT_FRAMES
        if self._shot is None or self._shot.number != shot_number:
            rng = np.random.default_rng((self._seed, shot_number))
            backdrop = BACKDROPS[rng.integers(len(BACKDROPS))](rng, self._size)
            noise = self._noises[rng.integers(len(self._noises))]
            count = int(rng.integers(0, _MAX_SHAPES + 1))
            shapes = tuple(_Shape.random(rng, backdrop) for _ in range(count))
            self._shot = _Shot(shot_number, backdrop, noise, shapes)
        return self._shot

    def _truths(self, shot: _Shot, outlines: list[FloatArray]) -> list[Truth]:
        on_mask = [_fixed_point(outline, self._mask) for outline in outlines]
        self._mask.fill(0)
        for ident, points in enumerate(on_mask, start=1):
            cv2.fillPoly(self._mask, [points], (ident,), shift=_SUBPIXEL_BITS)
        # A polygon that the edge clips is filled by a pixel more here and there: hence min().
        seen = np.bincount(self._mask.reshape(-1), minlength=len(outlines) + 1)[1:]
        return [
            Truth(shape.label, _box(outline), min(1.0, int(pixels) / self._whole_area(points)))
            for shape, outline, pixels, points in zip(
                shot.shapes, outlines, seen, on_mask, strict=True
            )
        ]

    def _whole_area(self, points: _Points) -> int:
        """The pixels of a shape when all of it is seen.

        It is moved by whole pixels to where there is room for it, so that it is filled as it is
        on the mask.
        """
        self._stencil.fill(0)
        corner = points.min(axis=0) >> _SUBPIXEL_BITS << _SUBPIXEL_BITS
        cv2.fillPoly(self._stencil, [points - corner], (1,), shift=_SUBPIXEL_BITS)
        return cv2.countNonZero(self._stencil)


def _fixed_point(outline: FloatArray, canvas: UInt8Array) -> _Points:
    """Shares of the frame as OpenCV's fixed-point coordinates on ``canvas``."""
    sides = np.array([canvas.shape[1], canvas.shape[0]])
    return np.asarray(np.rint((outline * sides - 0.5) * (1 << _SUBPIXEL_BITS)), np.int32)


def _fill(out: UInt8Array, outline: FloatArray, colour: Colour) -> None:
    cv2.fillPoly(out, [_fixed_point(outline, out)], colour, cv2.LINE_AA, _SUBPIXEL_BITS)


def _box(outline: FloatArray) -> tuple[float, float, float, float]:
    x_min, y_min = (float(share) for share in outline.min(axis=0).clip(0, 1))
    x_max, y_max = (float(share) for share in outline.max(axis=0).clip(0, 1))
    return x_min, y_min, x_max, y_max
