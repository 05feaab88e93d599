"""The synthetic camera: moving shapes with a known ground truth, for demos and self-tests."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..buffers import FramePool
from ..records.frames import Frame, PixelOrder, Size
from ..samples import Want
from .scene import Scene, Truth


class SyntheticSource:
    """A source (see ``sources.Source``) that never ends and never fails.

    It draws ``fps`` frames a second, as a camera would give them (at least one, so that it can be
    stopped; None: as fast as it can): what is not wanted need not be drawn.

    ``on_frame`` is called from the capture thread with each frame and what it shows, before
    anyone else sees the frame; it must not block, and must not keep the frame, whose buffer is
    used again once nobody refers to it.
    """

    live = True

    def __init__(
        self,
        *,
        size: Size = Size(640, 480),  # noqa: B008  (frozen)
        seed: int = 0,
        fps: float | None = None,
        on_frame: Callable[[Frame, list[Truth]], None] | None = None,
    ) -> None:
        self._size = size
        self._seed = seed
        self._on_frame = on_frame
        self._pool = FramePool((size.height, size.width, 3))
        self._scene: Scene | None = None
        self._number = 0
        self._interval_ns = round(1e9 / max(fps, 1.0)) if fps else 0
        self._next_ns = 0

    def open(self, want: Want) -> None:
        """Prepare the scene. ``want`` is ignored: a scene costs the more the larger it is drawn."""
        if self._scene is None:
            self._scene = Scene(self._seed, self._size)

    def read(self) -> Frame:
        """The next frame, numbered on from 0 for as long as this object lives."""
        if self._scene is None:
            raise RuntimeError("read() before open()")
        self._wait_until_due()
        pixels = self._pool.acquire()
        truths = self._scene.render(self._number, pixels)
        now_ns = time.monotonic_ns()
        frame = Frame(self._number, now_ns, now_ns, pixels, PixelOrder.RGB)
        self._number += 1
        if self._on_frame is not None:
            self._on_frame(frame, truths)
        return frame

    def _wait_until_due(self) -> None:
        now_ns = time.monotonic_ns()
        if now_ns < self._next_ns:
            time.sleep((self._next_ns - now_ns) / 1e9)
        # A camera does not catch up on what it missed.
        self._next_ns = max(self._next_ns, now_ns) + self._interval_ns

    def close(self) -> None:
        self._scene = None
