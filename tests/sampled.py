"""Sources of samples that are told what to give, and what windows come of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from edged.records.arrays import FloatArray
from edged.samples import Channel, Samples, Window
from edged.sources import Gap, NotYet
from edged.sources.windowed import WindowedSource

BEGAN_NS = 10**12


def block(
    first: int,
    values: FloatArray,
    rate_hz: float = 100.0,
    channels: tuple[Channel, ...] = (Channel("x", "g"), Channel("y", "g")),
) -> Samples:
    """Taken in step with the clock: sample 0 at ``BEGAN_NS``, and each block arrives 1 ms late."""
    captured_ns = BEGAN_NS + round((first + len(values) - 1) / rate_hz * 1e9)
    return Samples(first, values, rate_hz, channels, captured_ns, captured_ns + 1_000_000)


def counted(first: int, count: int, channels: int = 2) -> FloatArray:
    """Samples that tell their own number: the first channel is it, the others its negative."""
    numbers = np.arange(first, first + count, dtype=np.float32)
    return np.stack([numbers] + [-numbers] * (channels - 1), axis=1)


class Given:
    """A source of samples that gives these blocks (an error is raised) and ends."""

    def __init__(self, blocks: Iterable[Samples | Exception], live: bool = True) -> None:
        self.live = live
        self._blocks = list(blocks)
        self._left: list[Samples | Exception] = []
        self.opened = 0
        self.closed = 0

    def open(self) -> None:
        self.opened += 1
        self._left = self._blocks[::-1]

    def read(self) -> Samples | None:
        if not self._left:
            return None
        given = self._left.pop()
        if isinstance(given, Exception):
            raise given
        return given

    def close(self) -> None:
        self.closed += 1


@dataclass
class Played:
    """All that a source of windows gave until its end."""

    windows: list[Window] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    pauses: int = 0


def play(source: WindowedSource) -> Played:
    played = Played()
    while True:
        try:
            window = source.read()
        except Gap as gap:
            played.gaps.append(str(gap))
        except NotYet:
            played.pauses += 1
        else:
            if window is None:
                return played
            played.windows.append(window)
