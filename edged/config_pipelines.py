"""The tables of one pipeline: its source, its model, and what is made of its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, field
from msgspec.structs import force_setattr

from .config_crops import Crop, source_problems
from .config_frame import Events, Lines, Masks, Zones, name_problems
from .config_types import (
    Fps,
    Labels,
    ModelName,
    OptionValue,
    RateHz,
    Seconds,
    Seed,
    Share,
    SizePx,
    Text,
    TopicLevel,
)
from .toml_text import shown
from .toml_types import Library, Location, Problem, Table
from .typed_toml import fits

_OWN_TOPICS = ("status", "info", "metrics", "set")


class Picamera2(Table, frozen=True, tag_field="kind", tag="picamera2"):
    """The Pi camera through libcamera; ``camera`` counts from 0.

    Here and below: ``size`` is asked of the camera, in pixels; ``fps`` limits the source, and 0
    takes frames as fast as it gives them.
    """

    camera: Annotated[int, Meta(ge=0, le=63)] = 0
    size: SizePx = (1280, 720)
    fps: Fps = 0


class V4l2(Table, frozen=True, tag_field="kind", tag="v4l2"):
    """A USB camera (Video4Linux)."""

    device: Path = field(default_factory=lambda: Path("/dev/video0"))
    size: SizePx = (1280, 720)
    fps: Fps = 0


class Video(Table, frozen=True, tag_field="kind", tag="video"):
    """A video file, or a stream at an rtsp:// address."""

    path: Location
    loop: bool = False
    realtime: bool = True
    fps: Fps = 0


class Images(Table, frozen=True, tag_field="kind", tag="images"):
    """A directory of pictures, in name order, or one picture.

    ``realtime`` is what the file says, None where it says nothing; ``in_real_time`` is what holds.
    """

    path: Path
    loop: bool = False
    realtime: bool | None = None
    fps: Fps = 0

    @property
    def in_real_time(self) -> bool:
        """Whether pictures are dropped that the engine has no time for."""
        return self.fps > 0 if self.realtime is None else self.realtime


class Synthetic(Table, frozen=True, tag_field="kind", tag="synthetic"):
    """Moving shapes whose truth is known, drawn from ``seed``."""

    size: SizePx = (640, 480)
    seed: Seed = 0
    fps: Fps = 15


class Sensor(Table, frozen=True):
    """What all sources of samples share: how windows follow each other.

    ``overlap``: the share of a window that the next one has too; or ``hop_s``, the time from one
    window's beginning to the next one's. Streaming models (keywords) need neither. ``fps`` limits
    the windows a second.
    """

    hop_s: Seconds | None = None
    overlap: Annotated[float, Meta(ge=0, lt=1)] = 0
    fps: Fps = 0

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Both say the same thing in two ways."""
        if "hop_s" in table and "overlap" in table:
            yield Problem("overlap", "hop_s is given too; say it in one of the two ways")


class Iio(Sensor, frozen=True, kw_only=True, tag_field="kind", tag="iio"):
    """A sensor of Linux industrial I/O. ``device``: its number (``iio:device0``) or its name.

    ``channels`` None: all that it has, time stamps apart; ``rate_hz`` None: as the driver is set.
    ``sysfs_root``: where sysfs is mounted.
    """

    device: Text
    channels: Annotated[tuple[Text, ...], Meta(min_length=1)] | None = None
    rate_hz: RateHz | None = None
    sysfs_root: Path = field(default_factory=lambda: Path("/sys"))


class Microphone(Sensor, frozen=True, kw_only=True, tag_field="kind", tag="microphone"):
    """An ALSA capture device, 16 kHz mono."""

    device: Text = "default"


class Wav(Sensor, frozen=True, kw_only=True, tag_field="kind", tag="wav"):
    """A WAV file, or a directory of them in name order; several channels are mixed to one."""

    path: Path
    loop: bool = False
    realtime: bool = True


class Csv(Sensor, frozen=True, kw_only=True, tag_field="kind", tag="csv"):
    """A table of samples with a header of names and units, or a directory of them in name order.

    ``rate_hz``: of a table without a column of times, or with one that is not to be relied upon.
    """

    path: Path
    loop: bool = False
    realtime: bool = True
    rate_hz: RateHz | None = None


SensorTable = Iio | Microphone | Wav | Csv
SENSOR_KINDS = tuple(table.__struct_config__.tag for table in get_args(SensorTable))
Exclusive = Picamera2 | V4l2 | Microphone
"""Of these one program at a time has the device."""
SourceTable = Picamera2 | V4l2 | Video | Images | Synthetic | SensorTable


class When(Table, frozen=True, kw_only=True):
    """Another pipeline whose results start this one: those with ``label``, in capitals or not, or
    (None) with anything found. It runs for ``for_s`` from the last of them, and sleeps otherwise,
    its source closed.
    """

    pipeline: Annotated[
        str, Meta(min_length=1, description="the name of another pipeline, in quotes")
    ]
    label: Text | None = None
    for_s: Seconds = 10


class Gate(Table, frozen=True, kw_only=True):
    """Only frames with motion are inferred: those in which ``share`` of the picture differs by
    ``contrast`` levels of 255, those of ``hold_s`` seconds after it, and one every ``heartbeat_s``.

    ``contrast`` is over what is left of a camera's noise on the grid, and ``share`` is half of the
    least object that a detector of 300 pixels finds.
    """

    kind: Literal["motion"]
    contrast: Annotated[int, Meta(ge=1, le=255)] = 6
    share: Share = 0.0005
    hold_s: Annotated[float, Meta(ge=0)] = 2
    heartbeat_s: Seconds = 10


class Track(Table, frozen=True):
    """Objects are tracked from frame to frame. ``low``: over which score a detection goes on with a
    track; only the pipeline's threshold begins one. ``lost_s``: how long an object is looked for
    that is not seen.
    """

    low: Share = 0.1
    lost_s: Annotated[float, Meta(gt=0, le=3600)] = 2


class Pipeline(Table, frozen=True, kw_only=True):
    """One source, one model, one stream of results.

    ``name`` is by default the model's; ``labels`` None publishes all. ``threshold`` None: what the
    model's task has, 0.5 for classes and objects. ``when`` None: it runs all the time; ``gate``
    None: all frames are inferred; ``track`` None: each is looked at for itself. ``threads`` is 1 by
    default, so that several pipelines, the capture and the publisher share a Pi's four cores in
    peace; one large model alone gains from 2. ``coarse``: the side of the cells, in shares of the
    frame, to which boxes are widened; None: they are told as they are. ``min_count``: a label of
    which there are fewer boxes is not told. ``crop``: in place of a ``source``, another pipeline's
    objects.
    """

    name: TopicLevel = field(default_factory=str)
    model: ModelName
    threshold: Share | None = None
    labels: Labels | None = None
    max_results: Annotated[int, Meta(ge=1, le=100)] = 25
    publish: Literal["every", "change", "interval", "events"] = "every"
    only: Literal["counts"] | None = None
    interval_s: Seconds = 10
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    fit: Literal["stretch", "letterbox", "crop"] = "stretch"
    delegate: Library | None = None
    delegate_options: dict[str, OptionValue] = field(default_factory=dict)
    when: When | None = None
    gate: Gate | None = None
    track: Track | None = None
    masks: Masks = ()
    zones: Zones = ()
    lines: Lines = ()
    events: Events | None = None
    coarse: Annotated[float, Meta(ge=0.01, le=1)] | None = None
    min_count: Annotated[int, Meta(ge=1, le=100)] = 1
    crop: Crop | None = None
    source: (
        Annotated[SourceTable, Meta(description="a [pipelines.source] table with a kind")] | None
    ) = None

    def __post_init__(self) -> None:
        if not self.name:
            force_setattr(self, "name", self.model)

    @property
    def crops_of(self) -> str | None:
        """The pipeline whose objects it looks at."""
        return self.crop.from_ if self.crop is not None else None

    @property
    def has_tracks(self) -> bool:
        """Whether its objects have numbers."""
        return self.track is not None or bool(self.zones or self.lines)

    @property
    def tells(self) -> frozenset[str]:
        """Which of "result", "event" and "counts" leave the device."""
        if self.only == "counts":
            return frozenset({"counts"})
        if self.publish == "events":
            return frozenset({"event", "counts"})
        if self.zones or self.lines or self.events is not None:
            return frozenset({"result", "event", "counts"})
        return frozenset({"result"})

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Names must not meet in topics, and a model's name need not do as a pipeline's."""
        model = table.get("model")
        name = table.get("name", model)
        if name in _OWN_TOPICS:
            reason = f"{shown(name)} is a topic of edged itself; give the pipeline another name"
            yield Problem("name", reason)
        if "name" not in table and fits(ModelName, model) and not fits(TopicLevel, model):
            reason = f"missing, and the model's name {shown(model)} cannot be in topics; add a name"
            yield Problem("name", reason)
        yield from source_problems(table)
        source = table.get("source")
        kind = source.get("kind") if isinstance(source, dict) else None
        for key in ("masks", "zones", "lines", "track"):
            if kind in SENSOR_KINDS and table.get(key) not in (None, []):
                advice = "take it out" if key == "track" else "take them out"
                yield Problem(key, f"a {kind} source gives no pictures; {advice}")
        for key in ("zones", "lines"):
            yield from name_problems(table, key)
        if "gate" in table and kind in SENSOR_KINDS:
            reason = f"looks for motion in pictures, and {shown(kind)} gives none; leave it out"
            yield Problem("gate", reason)
