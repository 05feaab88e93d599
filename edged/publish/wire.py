"""The closed types that leave the device: numbers, times and short strings, nothing else. And
those of the commands that it takes.

One struct a message, its fields in the order in which they are published. The JSON Schema that
users get, the check that every payload passes before it is sent, and what `edged audit` tells all
come from these. So every string has a longest length and a pattern that control characters do not
pass, every list a largest number, every number its bounds; ``extra`` holds what msgspec has no
words for (see ``bounds``).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..plain_text import PLAIN
from ..records import KEYPOINTS, MOST_PEOPLE, KeypointName

MAX_TEXT_CHARS = 200
MAX_LABEL_CHARS = 100
MAX_REASON_CHARS = 1000
MAX_LABELS_TOLD = 100
MAX_FINDINGS = 100
MAX_PIPELINES = 256
MAX_PARTS = 32
MAX_COMPONENTS = 1000
SHARE_DECIMALS = 4
MS_DECIMALS = 3
RATE_DECIMALS = 2
DIGITS = 6  # a float32 has seven

_ASCII = {"bytes_per_char": 1}

Name = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS, pattern=PLAIN)]
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS, pattern=PLAIN)]
Label = Annotated[str, Meta(max_length=MAX_LABEL_CHARS, pattern=PLAIN)]
Reason = Annotated[str, Meta(max_length=MAX_REASON_CHARS, pattern=PLAIN)]
Word = Annotated[str, Meta(max_length=32, pattern="^[a-z0-9_-]{1,32}$", extra=_ASCII)]
Topic = Annotated[str, Meta(min_length=1, max_length=400, pattern=PLAIN)]
Template = Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN)]
ComponentId = Annotated[str, Meta(max_length=80, pattern="^[a-zA-Z0-9_-]{1,80}$", extra=_ASCII)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # what JavaScript counts exactly
Track = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Share = Annotated[float, Meta(ge=0, le=1, extra={"decimals": SHARE_DECIMALS})]
Milliseconds = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": MS_DECIMALS})]
Rate = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": RATE_DECIMALS})]
Number = Annotated[float, Meta(ge=-3.5e38, le=3.5e38, extra={"digits": DIGITS})]
Amount = Annotated[float, Meta(ge=0, le=3.5e38, extra={"digits": DIGITS})]
Seconds = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": 1})]
Duration = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": MS_DECIMALS})]
EventId = Annotated[str, Meta(max_length=16, pattern="^[0-9a-f]{16}$", extra=_ASCII)]
Celsius = Annotated[float, Meta(ge=-274, le=1000, extra={"decimals": 1})]
Version = Annotated[
    str,
    Meta(
        max_length=12,
        pattern="^[0-9a-f]{12}$",
        description="The first 12 hex digits of the sha256.",
        extra=_ASCII,
    ),
]
Sha256 = Annotated[str, Meta(max_length=64, pattern="^[0-9a-f]{64}$", extra=_ASCII)]
Timestamp = Annotated[
    str,
    Meta(
        max_length=24,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        extra_json_schema={"format": "date-time"},
        extra=_ASCII,
    ),
]


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every published type: nothing but its fields."""


class ModelRef(Closed, frozen=True):
    """A model, by its name and version."""

    name: Name
    version: Version


class Latency(Closed, frozen=True):
    """Milliseconds. ``total``: from the frame's arrival to the hand-over to the publisher."""

    wait: Milliseconds
    preprocess: Milliseconds
    inference: Milliseconds
    decode: Milliseconds
    total: Milliseconds


class ClassScore(Closed, frozen=True):
    """One class and its score."""

    label: Label
    score: Share


class Detection(Closed, frozen=True):
    """One object. ``box``: x_min, y_min, x_max, y_max as shares of the original frame. ``track``,
    where objects are tracked: its number, the same from frame to frame and no other's in this run;
    it is left out until the object was seen twice.
    """

    label: Label
    score: Share
    box: tuple[Share, Share, Share, Share]
    track: Track | UnsetType = UNSET


class Crop(Closed, frozen=True):
    """What was looked at: an object that ``pipeline`` has found, as it told it. ``sequence`` is
    that of its result, left out where it told none; ``track`` is left out where there is no number.
    """

    pipeline: Name
    label: Label
    score: Share
    box: tuple[Share, Share, Share, Share]
    track: Track | UnsetType = UNSET
    sequence: Count | UnsetType = UNSET


class _Result(Closed, frozen=True):
    """``crop``, below, is left out where the whole frame was looked at."""

    schema: Literal["edged.result/1"]
    device: Name
    pipeline: Name
    run: Name
    sequence: Count
    captured_at: Timestamp
    clock_synced: bool
    model: ModelRef
    latency_ms: Latency


class ClassificationResult(_Result, frozen=True):
    """What one frame shows: classes, the best first."""

    task: Literal["classification"]
    classes: Annotated[tuple[ClassScore, ...], Meta(max_length=MAX_FINDINGS)]
    crop: Crop | UnsetType = UNSET


class KeywordResult(_Result, frozen=True):
    """The words that were heard just now. Nothing is published while none is."""

    task: Literal["keyword"]
    classes: Annotated[tuple[ClassScore, ...], Meta(min_length=1, max_length=MAX_FINDINGS)]


class DetectionResult(_Result, frozen=True):
    """The objects in one frame."""

    task: Literal["detection"]
    detections: Annotated[tuple[Detection, ...], Meta(max_length=MAX_FINDINGS)]
    crop: Crop | UnsetType = UNSET


class Region(Closed, frozen=True):
    """What one class covers, as a share of the frame."""

    label: Label
    fraction: Share


class SegmentationResult(_Result, frozen=True):
    """The classes that a frame is made of, the largest first."""

    task: Literal["segmentation"]
    regions: Annotated[tuple[Region, ...], Meta(max_length=MAX_FINDINGS)]
    crop: Crop | UnsetType = UNSET


class Keypoint(Closed, frozen=True):
    """A point of a person; ``x`` and ``y`` are shares of the original frame."""

    name: KeypointName
    x: Share
    y: Share
    score: Share


class Person(Closed, frozen=True):
    """One person's pose."""

    score: Share
    keypoints: Annotated[tuple[Keypoint, ...], Meta(max_length=len(KEYPOINTS))]


class PoseResult(_Result, frozen=True):
    """The people in one frame."""

    task: Literal["pose"]
    people: Annotated[tuple[Person, ...], Meta(max_length=MOST_PEOPLE)]
    crop: Crop | UnsetType = UNSET


class RegressionResult(_Result, frozen=True):
    """The numbers that a model gives, by their names."""

    task: Literal["regression"]
    values: Annotated[dict[Label, Number], Meta(max_length=MAX_FINDINGS)]
    crop: Crop | UnsetType = UNSET


class AnomalyValues(Closed, frozen=True):
    """``error``: the mean squared difference between the model's input and what it makes of it.
    ``score``: the error as a multiple of the detector's threshold, over 1 where the input is
    unusual; it is left out while the threshold is being learnt.
    """

    error: Amount | UnsetType = UNSET
    score: Amount | UnsetType = UNSET


class AnomalyResult(_Result, frozen=True):
    """How unusual the input is."""

    task: Literal["anomaly"]
    values: AnomalyValues
    crop: Crop | UnsetType = UNSET


RESULTS: dict[
    str,
    type[ClassificationResult]
    | type[KeywordResult]
    | type[DetectionResult]
    | type[SegmentationResult]
    | type[PoseResult]
    | type[RegressionResult]
    | type[AnomalyResult],
] = {
    "classification": ClassificationResult,
    "keyword": KeywordResult,
    "detection": DetectionResult,
    "segmentation": SegmentationResult,
    "pose": PoseResult,
    "regression": RegressionResult,
    "anomaly": AnomalyResult,
}


class Event(Closed, frozen=True):
    """Something is there: it ``started``, is told again while it lasts, and has ``ended``.

    ``id`` is the same from start to end. ``track``: the object's number, null where all of a label
    are meant; ``zone`` null: anywhere in the frame. ``duration_s``: from ``started_at`` to when it
    was last seen, which is ``ended_at`` in the end. ``sequence`` counts the pipeline's events of a
    run, from 0.
    """

    schema: Literal["edged.event/1"]
    device: Name
    pipeline: Name
    run: Name
    sequence: Count
    clock_synced: bool
    id: EventId
    type: Literal["started", "updated", "ended"]
    label: Label
    score: Share | None
    track: Track | None
    zone: Name | None
    box: tuple[Share, Share, Share, Share] | None
    started_at: Timestamp
    ended_at: Timestamp | None
    duration_s: Duration


class ZoneCounts(Closed, frozen=True):
    """Who is inside now, and how many came in and left since the pipeline began."""

    inside: Annotated[dict[Label, Count], Meta(max_length=MAX_FINDINGS)]
    entered: Count
    left: Count


class LineCounts(Closed, frozen=True):
    """How many went over it since the pipeline began, as seen from its start to its end."""

    to_left: Count
    to_right: Count


class Counts(Closed, frozen=True):
    """How many are there now. A label that is left out has fewer than ``min_count``."""

    schema: Literal["edged.counts/1"]
    device: Name
    pipeline: Name
    run: Name
    at: Timestamp
    clock_synced: bool
    min_count: Count
    counts: Annotated[dict[Label, Count], Meta(max_length=MAX_FINDINGS)]
    zones: Annotated[dict[Name, ZoneCounts], Meta(max_length=MAX_PARTS)]
    lines: Annotated[dict[Name, LineCounts], Meta(max_length=MAX_PARTS)]


class AnomalyInfo(Closed, frozen=True):
    """Over which error an input counts as unusual. While that is being learnt ``threshold`` is
    null, and ``learning_until`` is when that ends, or later where little comes to learn from.
    """

    threshold: Amount | None
    learning_until: Timestamp | None


class PipelineInfo(Closed, frozen=True):
    """One pipeline. ``labels``: their number, where there are more than 100 or no room for them.
    ``enabled`` and ``threshold``: what is in force, be it by a command. ``threshold`` is null where
    there is none: while no model serves and the configuration gives none, of regression, and of
    anomaly detectors, of which ``anomaly`` tells it.
    """

    name: Name
    source: Word
    task: Word | None
    model: ModelRef | None
    labels: Annotated[tuple[Label, ...], Meta(max_length=MAX_LABELS_TOLD)] | Count
    enabled: bool
    threshold: Share | None
    anomaly: AnomalyInfo | None


class Info(Closed, frozen=True):
    """The device and its pipelines."""

    schema: Literal["edged.info/1"]
    device: Name
    version: Text
    runtime: Text
    runtime_version: Text
    host: Text
    os: Text
    pipelines: Annotated[tuple[PipelineInfo, ...], Meta(max_length=MAX_PIPELINES)]


class ActiveModel(Closed, frozen=True):
    """The model that serves."""

    name: Name
    version: Version
    sha256: Sha256
    size_bytes: Count
    task: Word


class CandidateModel(Closed, frozen=True):
    """The last model that was tried. ``version`` is null where there was no file to hash."""

    name: Name
    version: Version | None
    verdict: Literal["trial", "accepted", "refused", "rolled-back", "unchanged"]
    reason: Reason | None
    at: Timestamp


class Model(Closed, frozen=True):
    """Which model serves a pipeline, and what became of the last candidate."""

    schema: Literal["edged.model/1"]
    device: Name
    pipeline: Name
    active: ActiveModel | None
    candidate: CandidateModel | None


class Health(Closed, frozen=True):
    """A pipeline's state, why, and since when."""

    schema: Literal["edged.health/1"]
    device: Name
    pipeline: Name
    state: Literal["running", "source-lost", "degraded", "stopped"]
    reason: Reason | None
    since: Timestamp


class Percentiles(Closed, frozen=True):
    """Of one stage over the last interval, in milliseconds."""

    p50: Milliseconds
    p95: Milliseconds
    p99: Milliseconds


class StageLatency(Closed, frozen=True):
    """Percentiles by stage; the stages are those of a result's ``latency_ms``."""

    wait: Percentiles
    preprocess: Percentiles
    inference: Percentiles
    decode: Percentiles
    total: Percentiles


class PipelineMetrics(Closed, frozen=True):
    """One pipeline's counts since the start, and its rates and latencies of the last interval."""

    frames: Count
    inferred: Count
    published: Count
    gated: Count
    dropped: Count
    skipped: Count
    gaps: Count
    frame_rate_hz: Rate
    inference_rate_hz: Rate
    latency_ms: StageLatency | None


class SpoolMetrics(Closed, frozen=True):
    """Results that wait for the broker, and those that were lost since the start.

    ``in_memory``: those of ``depth`` that are nowhere else, and that a kill would cost.
    ``dropped``: for the bounds of size and age, or with a damaged file. ``refused``: by the broker
    or by the limits of a message. ``bytes``: what the spool takes on the disk. ``storage``:
    where results that wait are put now; ``trouble``: why not on the disk, where they ought to be.
    """

    depth: Count
    in_memory: Count
    dropped: Count
    refused: Count
    bytes: Count
    storage: Literal["disk", "memory"]
    trouble: Reason | None


Flag = Literal["under-voltage", "frequency-capped", "throttled", "soft-temperature-limit"]
Flags = Annotated[tuple[Flag, ...], Meta(max_length=4)]


class Throttling(Closed, frozen=True):
    """What slows a Raspberry Pi's processor down."""

    now: Flags
    since_boot: Flags


class Metrics(Closed, frozen=True):
    """The device in figures; null is what the machine does not tell.

    ``throttled``: whether ``throttling.now`` holds anything.
    """

    schema: Literal["edged.metrics/1"]
    device: Name
    uptime_s: Seconds
    pipelines: Annotated[dict[Name, PipelineMetrics], Meta(max_length=MAX_PIPELINES)]
    spool: SpoolMetrics
    cpu_temperature_c: Celsius | None
    throttled: bool | None
    throttling: Throttling | None
    memory_bytes: Count


# ---- Home Assistant's device discovery, as far as edged makes use of it --------------------------
# The names are Home Assistant's: https://www.home-assistant.io/integrations/mqtt/ and /sensor.mqtt/


class DiscoveryDevice(Closed, frozen=True):
    """What the entities belong to."""

    identifiers: tuple[Name]
    name: Name
    manufacturer: Name
    model: Name
    sw_version: Text


class DiscoveryOrigin(Closed, frozen=True):
    """Who announces."""

    name: Name
    sw_version: Text


class Availability(Closed, frozen=True, omit_defaults=True):
    """Where ``online`` or ``offline`` is told."""

    topic: Topic
    value_template: Template | None = None


class Component(Closed, frozen=True, omit_defaults=True, kw_only=True):
    """One entity. With nothing but its platform it is one that is to be removed."""

    platform: Literal["sensor", "binary_sensor", "event"]
    name: Name | None = None
    unique_id: Name | None = None
    state_topic: Topic | None = None
    value_template: Template | None = None
    device_class: (
        Literal["temperature", "frequency", "duration", "enum", "problem", "occupancy"] | None
    ) = None
    unit_of_measurement: Literal["°C", "Hz", "ms"] | None = None
    state_class: Literal["measurement", "total_increasing"] | None = None
    suggested_display_precision: Literal[1] | None = None
    options: Annotated[tuple[Word, ...], Meta(max_length=8)] | None = None
    event_types: (
        Annotated[tuple[Literal["heard", "started", "updated", "ended"], ...], Meta(max_length=3)]
        | None
    ) = None
    entity_category: Literal["diagnostic"] | None = None
    json_attributes_topic: Topic | None = None
    json_attributes_template: Template | None = None
    availability: Annotated[tuple[Availability, ...], Meta(max_length=2)] | None = None
    availability_mode: Literal["all"] | None = None


class Discovery(Closed, frozen=True):
    """What Home Assistant is told of the device; an empty message in its place takes it back."""

    device: DiscoveryDevice
    origin: DiscoveryOrigin
    availability: tuple[Availability]
    components: Annotated[dict[ComponentId, Component], Meta(max_length=MAX_COMPONENTS)]


class Answer(Closed, frozen=True):
    """What became of a command; ``reason`` says why it was refused."""

    schema: Literal["edged.answer/1"]
    ok: bool
    reason: Reason | None


class PipelineCommand(Closed, frozen=True):
    """What can be commanded of a pipeline on ``P/<pipeline>/set``: one of them, or both."""

    enabled: bool | UnsetType = UNSET
    threshold: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class DeviceCommand(Closed, frozen=True):
    """What can be commanded of the device on ``P/set``: to read its configuration again."""

    reload: Annotated[bool, Meta(extra_json_schema={"const": True})]


Kind = Literal[
    "result", "event", "counts", "info", "model", "health", "metrics", "discovery", "answer"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

TYPES: dict[Kind, tuple[type[Closed], ...]] = {
    "result": tuple(RESULTS.values()),
    "event": (Event,),
    "counts": (Counts,),
    "info": (Info,),
    "model": (Model,),
    "health": (Health,),
    "metrics": (Metrics,),
    "discovery": (Discovery,),
    "answer": (Answer,),
}


HEARD_TYPES: dict[str, tuple[Any, ...]] = {
    "command": (
        Annotated[PipelineCommand, Meta(extra_json_schema={"minProperties": 1})],
        DeviceCommand,
    )
}
"""What is not published but listened to."""


def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one kind of message. ValueError: no such kind."""
    types = {str(published): TYPES[published] for published in KINDS} | HEARD_TYPES
    if kind not in types:
        raise ValueError(f"there is no message {kind!r}; there are {', '.join(types)}")
    shapes, definitions = msgspec.json.schema_components(types[kind], ref_template="#/$defs/{name}")
    root = shapes[0] if len(shapes) == 1 else {"oneOf": list(shapes)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"edged.{kind}/1" if kind != "discovery" else "Home Assistant device discovery",
        **root,
        "$defs": definitions,
    }
