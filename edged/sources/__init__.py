"""Where frames come from: one file a kind, all of one shape.

``capture.Capture`` (one level up) owns a source and wraps every kind alike: opening and
re-opening with growing pauses, pacing, counting, telling, and noticing stalls. So a source itself
stays plain: it opens, gives the next frame, and closes. Sensors give blocks of samples instead, and
``windowed.WindowedSource`` makes a source of windows out of them.
"""

from __future__ import annotations

from typing import Protocol

from ..errors import SourceError
from ..samples import Given, Samples, Want


class Unreadable(SourceError):
    """One picture of a recording cannot be read, the next may be: told, counted, passed over."""


class Gap(SourceError):
    """Samples were lost before what comes next, and no window bridges it: told and counted."""


class NotYet(Exception):
    """The source is well, but its next window takes long to be complete: read again."""


class Source(Protocol):
    """What a source of frames, or of windows, must do. ``__init__`` touches nothing."""

    @property
    def live(self) -> bool:
        """Whether they come at a pace of their own: a camera, a recording in real time.

        A live frame that comes sooner than wanted is passed over; a source that is not live waits.
        """

    def open(self, want: Want) -> None:
        """Touch the world; called from the capture thread, again after every failure.

        ``want`` of a source of frames is the size at which the model will see the whole frame: one
        that can scale at no cost (the Pi's ISP) gives that size; others ignore it. Of a source of
        windows it is their shape. Called on an open source where another model wants something
        else: what need not be touched for that stays as it is. Raises SourceError.
        """

    def read(self) -> Given | None:
        """The next one, or None at the end of a recording; called from the capture thread.

        May block, for a bounded time. A recording that is played in real time stamps a frame
        (``captured_ns``) with the moment at which it is due, and gives it at once: the capture
        thread holds it back until then. Raises Unreadable, Gap and NotYet, and SourceError when the
        source has failed: it will be closed and opened again later.
        """

    def close(self) -> None:
        """Let go of everything. May be called twice, without ``open``, and after it failed."""


class SampleSource(Protocol):
    """What a sensor, or a recording of one, must do. ``__init__`` touches nothing.

    The capture thread calls, as it calls a ``Source``.
    """

    @property
    def live(self) -> bool:
        """As of ``Source``."""

    def open(self) -> None:
        """Touch the world, again after every failure; samples are counted from 0 anew.

        Raises SourceError.
        """

    def read(self) -> Samples | None:
        """The next block, or None at the end of a recording.

        May block, for a bounded time. A block should hold about 10 to 100 ms, so that a window is
        complete as soon as its last sample is there. A recording that is played in real time stamps
        a block (``captured_ns``) with the moment at which its last sample is due, and gives it at
        once. Raises Unreadable for a part of a recording that is passed over (the samples that
        it held are counted as lost: ``first`` of the next block), and SourceError when the source
        has failed.
        """

    def close(self) -> None:
        """Let go of everything. May be called twice, without ``open``, and after it failed."""
