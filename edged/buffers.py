"""Buffers for frames that are used again as soon as nobody refers to them."""

from __future__ import annotations

import sys

import numpy as np

from .records.arrays import UInt8Array

_KEPT_ONLY = 2  # references to an idle buffer: the pool's list, and getrefcount's own argument


class FramePool:
    """Frame buffers of one shape, kept and given out again.

    A fresh array for every frame leaves its cost to the allocator. Where that takes 2.7 MB
    (1280x720) from the kernel each time, all 677 pages fault again: 2 to 3 ms a frame, measured on
    x86_64. Where it learns to keep such blocks (glibc does after a while) that is saved, but how
    much memory it keeps is out of our hands. And a buffer that its users must hand back is handed
    back too early, twice, or never. So the pool asks the interpreter: a buffer to which only the
    pool refers is free. A ``Frame`` in a slot or under inference refers to its buffer, and so does
    every NumPy view of it.

    In a steady state three buffers serve: one is being filled, one waits in the slot, one is under
    inference. Whoever holds more frames than that makes the pool grow to as many as are held.

    Only one thread (the source's) may call ``acquire``; frames may be let go of in any.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._buffers: list[UInt8Array] = []

    def __len__(self) -> int:
        return len(self._buffers)

    def acquire(self) -> UInt8Array:
        """A C-contiguous uint8 buffer of ``shape`` to which nobody else refers, content unset."""
        for index in range(len(self._buffers)):
            # Not through a loop variable: that would be one more reference.
            if sys.getrefcount(self._buffers[index]) == _KEPT_ONLY:
                return self._buffers[index]
        # np.empty owns its memory, so the base of every view of it is this very object.
        buffer = np.empty(self.shape, np.uint8)
        self._buffers.append(buffer)
        return buffer
