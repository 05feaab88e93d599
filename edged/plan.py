"""What a pipeline is to be, in plain values."""

from __future__ import annotations

import msgspec

from .cascade import Trigger
from .crops import CropRule
from .gate import MotionRule
from .loading import LoadOptions
from .minimise import Minimiser
from .presence.areas import counts
from .presence.stage import Rules
from .records.frames import Size
from .records.info import ZoneInfo
from .tracking.tracker import TrackSettings


class Plan(msgspec.Struct, frozen=True):
    """What a pipeline is to be, in plain values.

    ``frame_size`` is the size that the source was asked for, where it can scale its frames for
    the model at no cost; else None. ``threshold`` None: that of the model's task.
    ``trigger`` None: it runs all the time. ``track`` None: objects are not tracked. ``minimiser``
    None: all is told. ``gate`` None: all frames are inferred. ``presence`` None: no events are
    made, and nothing is counted. ``tells``: which of "result", "event" and "counts" may leave.
    ``crop``: at which objects of another pipeline it looks; None: it has a source of its own.
    """

    name: str
    model: str
    source_kind: str
    frame_size: Size | None
    fps: float | None
    realtime: bool
    threshold: float | None
    labels: tuple[str, ...] | None
    max_results: int
    options: LoadOptions
    trigger: Trigger | None = None
    track: TrackSettings | None = None
    minimiser: Minimiser | None = None
    gate: MotionRule | None = None
    presence: Rules | None = None
    tells: frozenset[str] = frozenset({"result"})
    crop: CropRule | None = None

    @property
    def depends_on(self) -> str | None:
        """The pipeline without which this one has nothing to do."""
        if self.crop is not None:
            return self.crop.pipeline
        return self.trigger.pipeline if self.trigger is not None else None

    @property
    def zones(self) -> tuple[ZoneInfo, ...]:
        """Those that are counted in, each with the labels that can be there."""
        if self.presence is None:
            return ()
        zones = [ZoneInfo(None, self.labels or ())]
        for zone in self.presence.zones:
            labels = self.labels or sorted(zone.labels or ())
            there = tuple(label for label in labels if counts(zone, label))
            zones.append(ZoneInfo(zone.name, there))
        return tuple(zones)

    @property
    def lines(self) -> tuple[str, ...]:
        """Those that are counted at, by their names."""
        return tuple(line.name for line in self.presence.lines) if self.presence is not None else ()
