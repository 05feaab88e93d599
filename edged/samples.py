"""What flows from a sensor: blocks of samples, and the windows that are cut from them.

A sample is one reading of all channels of a sensor at one moment. Samples are counted from the
opening of their source, those that were lost too: so a gap shows, wherever one looks.
"""

from __future__ import annotations

import enum

import msgspec
from msgspec.structs import replace

from .engine.geometry import Rect
from .records.arrays import FloatArray, UInt8Array
from .records.frames import Frame, Size
from .records.results import CropOf


class Channel(msgspec.Struct, frozen=True):
    """One channel of a sensor: ``accel_x`` in ``m/s^2``. ``unit`` is empty where it is unknown."""

    name: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.unit})" if self.unit else self.name


class Samples(msgspec.Struct, frozen=True):
    """A block of samples as a source gives it, without a gap inside.

    ``values``: float32, samples x channels, in the units of ``channels``; sound is one channel,
    -1 to 1. ``first``: the number of the first of them since the source was opened; where it is not
    the one after the block before, samples were lost in between. ``captured_ns`` (when the *last*
    sample was taken) and ``arrived_ns`` (when the block reached this process) are of the monotonic
    clock. Nobody writes to ``values`` afterwards.
    """

    first: int
    values: FloatArray
    rate_hz: float
    channels: tuple[Channel, ...]
    captured_ns: int
    arrived_ns: int


class Window(msgspec.Struct, frozen=True):
    """What a model looks at: ``samples`` float32, time x channels, at ``rate_hz``, without a gap.

    It stands where a frame stands: ``number`` counts windows, ``captured_ns`` is the time of the
    last sample, ``arrived_ns`` when the window was complete in this process. ``first`` is the
    number of its first sample, counted at ``rate_hz`` since the source was opened: a model that
    hears a stream finds by it whether the stream goes on or begins anew.
    """

    number: int
    captured_ns: int
    arrived_ns: int
    samples: FloatArray
    rate_hz: float
    channels: tuple[Channel, ...]
    first: int


class WindowShape(msgspec.Struct, frozen=True):
    """The windows that a model asks for, of all the source's channels.

    ``length`` and ``hop`` (from one window's first sample to the next one's) are in samples at
    ``rate_hz``, which is None where the model takes the source's own. ``hop`` is None where the
    pipeline says how windows follow each other; a model that hears a stream says it itself.
    """

    rate_hz: float | None
    length: int
    hop: int | None = None


class Gives(enum.Enum):
    """What a source gives."""

    FRAMES = "frames"
    WINDOWS = "windows"


class Crop(msgspec.Struct, frozen=True):
    """A part of a frame that is looked at by itself: ``part`` in the frame's pixels, and what it
    shows.
    """

    part: Rect
    of: CropOf


class Crops(msgspec.Struct, frozen=True):
    """What is to be looked at of another pipeline's frame; there may be nothing. They are cut out
    when they are looked at, and until then the frame is referred to as it is.
    """

    frame: Frame
    crops: tuple[Crop, ...]

    @property
    def captured_ns(self) -> int:
        return self.frame.captured_ns

    @property
    def arrived_ns(self) -> int:
        return self.frame.arrived_ns

    def pictures(self) -> list[Frame]:
        """Each crop as a frame whose pixels are a view of the whole one's."""
        return [replace(self.frame, pixels=_within(self.frame, crop.part)) for crop in self.crops]


def _within(frame: Frame, part: Rect) -> UInt8Array:
    return frame.pixels[part.y : part.y + part.height, part.x : part.x + part.width]


Given = Frame | Window
"""What a source gives."""

Captured = Given | Crops
"""What a source gives, or another pipeline, and one step looks at."""

Want = Size | WindowShape | None
"""What a model asks of a source; None: nothing."""
