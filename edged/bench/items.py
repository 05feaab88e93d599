"""What the contestants are given: frames of the synthetic camera, or windows of noise.

They are made before anything is measured, lie in a file, and are held in memory: a few, so that
they come from memory and not out of a processor's cache, as a camera's do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np

from ..inputs import LogMelInput, WindowInput
from ..records.arrays import AnyArray
from ..records.frames import Frame, PixelOrder, Size
from ..samples import Channel, Given, Gives, Window
from ..sources.scene import Scene

_HELD = 4
_FRAMES_APART = 25  # of the scene, so that the frames differ
_RATE_HZ = 100.0  # of windows, where the model does not say
_SEED = 7


class Kept(msgspec.Struct, frozen=True):
    """Frames: ``values`` uint8, n x H x W x 3 in ``order``. Windows (``order`` None): float32,
    n x time x channels, at ``rate_hz``.
    """

    values: AnyArray
    order: PixelOrder | None
    rate_hz: float = _RATE_HZ
    channels: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: argparse.Namespace) -> Kept:
        """As ``arguments`` has written them down."""
        order = PixelOrder(options.order) if options.order else None
        channels = tuple(options.channels.split(",")) if options.channels else ()
        return cls(np.load(options.items), order, options.rate_hz, channels)

    def arguments(self, path: Path) -> list[str]:
        """Write them to ``path`` (.npy); what to tell a contestant of it."""
        np.save(path, self.values)
        if self.order is not None:
            return [str(path), "--order", self.order.value]
        rate, channels = str(self.rate_hz), ",".join(self.channels)
        return [str(path), "--rate-hz", rate, "--channels", channels]

    @property
    def gives(self) -> Gives:
        return Gives.WINDOWS if self.order is None else Gives.FRAMES

    @property
    def megabytes(self) -> float:
        return self.values.nbytes / 2**20

    def item(self, number: int) -> Given:
        """One of them, as if it came just now."""
        values = self.values[number % len(self.values)]
        now_ns = time.monotonic_ns()
        if self.order is not None:
            return Frame(number, now_ns, now_ns, values, self.order)
        channels = tuple(map(Channel, self.channels))
        first = number * len(values)
        return Window(number, now_ns, now_ns, values, self.rate_hz, channels, first)


def add_item_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("items", type=Path)
    parser.add_argument("--order")
    parser.add_argument("--rate-hz", type=float, default=_RATE_HZ)
    parser.add_argument("--channels", default="")


def draw(size: Size) -> list[AnyArray]:
    """Pictures of the synthetic camera: uint8, H x W x 3, RGB."""
    scene = Scene(_SEED, size)
    pictures = [np.empty((size.height, size.width, 3), np.uint8) for _ in range(_HELD)]
    for number, pixels in enumerate(pictures):
        scene.render(number * _FRAMES_APART, pixels)
    return pictures


def frames(pictures: Sequence[AnyArray], size: Size, order: PixelOrder) -> Kept:
    """Frames of ``pictures`` (uint8, H x W x 3, RGB, of any size), which come again if need be."""
    wanted = (size.width, size.height)
    scaled = [cv2.resize(each, wanted, interpolation=cv2.INTER_AREA) for each in pictures]
    held = np.stack([scaled[number % len(scaled)] for number in range(_HELD)])
    return Kept(held if order is PixelOrder.RGB else held[..., ::-1].copy(), order)


def windows(input_: WindowInput | LogMelInput) -> Kept:
    """Windows of noise, of the shape that the model takes."""
    rule = input_.samples if isinstance(input_, WindowInput) else input_.sound
    noise = np.random.default_rng(_SEED).normal(size=(_HELD, rule.shape.length, rule.width))
    channels = rule.channels or tuple(f"channel_{number}" for number in range(rule.width))
    return Kept(noise.astype(np.float32), None, rule.shape.rate_hz or _RATE_HZ, channels)
