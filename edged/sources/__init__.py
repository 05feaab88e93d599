"""Where frames come from: one file a kind, all of one shape.

``capture.Capture`` (one level up) owns a source and wraps every kind alike: opening and
re-opening with growing pauses, pacing to ``fps``, counting, and noticing stalls. So a source
itself stays plain: it opens, gives the next frame, and closes.
"""

from __future__ import annotations

from typing import Protocol

from ..records import Frame, Size


class Source(Protocol):
    """What a source must do. ``__init__`` checks its arguments and touches nothing."""

    live: bool
    """Whether frames come at the world's own pace (a camera, a recording in real time)."""

    def open(self, want: Size | None) -> None:
        """Touch the world; called from the capture thread, again after every failure.

        ``want`` is the size at which the model will see the whole frame: a source that can scale
        at no cost (the Pi's ISP) gives that size; others ignore it. Raises SourceError.
        """

    def read(self) -> Frame | None:
        """The next frame, or None at the end of a recording; called from the capture thread.

        May block, for a bounded time. Raises SourceError when the source has failed: it will be
        closed and opened again later.
        """

    def close(self) -> None:
        """Let go of everything. May be called twice, and without ``open``."""
