"""Cutting windows out of a stream of samples."""

from __future__ import annotations

import numpy as np

from ..records.arrays import FloatArray


class Cutter:
    """Windows of ``length`` samples, each beginning ``hop`` after the one before.

    With a hop shorter than the window they overlap, with a longer one samples are left out between
    them. Samples are written straight into the array that is given out, and copied once more only
    where windows overlap: there is no buffer between.
    """

    def __init__(self, length: int, hop: int, channels: int) -> None:
        self._length, self._hop = length, hop
        self._window: FloatArray = np.empty((length, channels), np.float32)
        self._filled = 0
        self._skip = 0  # samples between two windows, still to be left out
        self._block: FloatArray = self._window[:0]
        self.begun = 0
        """The number of the first sample of the window that is being filled; the stream's is 0."""

    def feed(self, block: FloatArray) -> None:
        """Go on with a block, samples x channels; to be called when ``cut`` has nothing more."""
        assert not len(self._block)
        self._block = block

    def cut(self) -> FloatArray | None:
        """The next window (float32, length x channels, never written to again), None: not yet."""
        left_out = min(self._skip, len(self._block))
        self._skip -= left_out
        end = left_out + self._length - self._filled
        taken = self._block[left_out:end]
        self._block = self._block[end:]
        self._window[self._filled : self._filled + len(taken)] = taken
        self._filled += len(taken)
        if self._filled < self._length:
            return None
        window, kept = self._window, max(0, self._length - self._hop)
        self._window = np.empty_like(window)
        self._window[:kept] = window[self._length - kept :]
        self._filled = kept
        self._skip = max(0, self._hop - self._length)
        self.begun += self._hop
        return window
