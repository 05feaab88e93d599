"""The types that flow from a source to the publisher.

Frozen and slotted; NumPy arrays until the last moment, objects after. What is made of a frame after
its inference is a ``msgspec.Struct``, which is made in C. Coordinates of boxes are shares of the
whole source frame, 0..1, origin top left, as ``x_min, y_min, x_max, y_max``.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec
import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]
AnyArray = npt.NDArray[Any]

Box = tuple[float, float, float, float]
"""``x_min, y_min, x_max, y_max``."""


class PixelOrder(enum.Enum):
    """The order of a frame's channels. OpenCV decodes to BGR; swapping later is cheaper."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"


class Size(msgspec.Struct, frozen=True):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


class Frame(msgspec.Struct, frozen=True):
    """One picture from a source.

    ``pixels`` is uint8, H x W x 3 in ``order`` (H x W where that is GRAY), C-contiguous. Nobody
    writes to it while anyone still refers to it (see ``buffers``). ``captured_ns`` and
    ``arrived_ns`` are of the monotonic clock (``time.monotonic_ns``): when the sensor took the
    picture, as far as is known, and when it reached this process.
    """

    number: int
    captured_ns: int
    arrived_ns: int
    pixels: UInt8Array
    order: PixelOrder


class Quantization(msgspec.Struct, frozen=True):
    """Affine quantisation of a whole tensor: ``real = (stored - zero_point) * scale``."""

    scale: float
    zero_point: int

    def real(self, stored: AnyArray) -> FloatArray:
        """As float32. Source: TFLite's 8-bit quantisation specification."""
        real = stored.astype(np.float32)
        real -= np.float32(self.zero_point)
        real *= np.float32(self.scale)
        return real

    def __str__(self) -> str:
        return f"scale {self.scale:.6g}, zero point {self.zero_point}"


class TensorSpec(msgspec.Struct, frozen=True):
    """A model's input or output. ``quantization`` is None for a tensor that has none.

    ``shape_signature`` is ``shape`` with -1 where a dimension is dynamic. ``index`` is the
    interpreter's own number of the tensor.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    dtype: str  # NumPy's name: "uint8", "int8", "float32", "int64", ...
    quantization: Quantization | None

    @property
    def shown_shape(self) -> str:
        return "x".join(map(str, self.shape)) or "a single number"


class AnchorTable(msgspec.Struct, frozen=True):
    """Anchors that a model file holds: ``anchors`` float64 (n, 4), x centre, y centre, width,
    height in shares of the input; ``origin`` says where. The rest is how boxes are told as the
    difference from them, as far as the file says it: the ``scales`` of x, y, width and height,
    whether sizes are powers, and whether scores are logits.
    """

    origin: str
    anchors: npt.NDArray[np.float64]
    scales: tuple[float, float, float, float] | None = None
    exponential: bool = True
    logits: bool | None = None


class ModelSpec(msgspec.Struct, frozen=True):
    """Which model serves. ``version`` is the first 12 hex digits of ``sha256``."""

    name: str
    sha256: str
    size_bytes: int
    task: str
    labels: tuple[str, ...]

    @property
    def version(self) -> str:
        return self.sha256[:12]

    @property
    def ref(self) -> ModelRef:
        return ModelRef(self.name, self.version)


# Of the COCO data set, in its order, which is that of MoveNet.
KeypointName = Literal[
    "nose",
    "left eye",
    "right eye",
    "left ear",
    "right ear",
    "left shoulder",
    "right shoulder",
    "left elbow",
    "right elbow",
    "left wrist",
    "right wrist",
    "left hip",
    "right hip",
    "left knee",
    "right knee",
    "left ankle",
    "right ankle",
]
KEYPOINTS: tuple[KeypointName, ...] = get_args(KeypointName)

MOST_PEOPLE = 10
"""As many, with all their keypoints, as a message has room for."""


# ---- what a decoder gives: arrays -------------------------------------------------------------


class ScoredClasses(msgspec.Struct, frozen=True):
    """Classification: ``scores`` float32, shape (classes,), each 0..1."""

    scores: FloatArray


class HeardClasses(msgspec.Struct, frozen=True):
    """Keyword: what was said of a stream's last moments, one after the other: ``scores`` of each,
    float32, shape (classes,), 0..1; there may be no moment.

    ``ended_s``: when they ended, in the source's own time. ``anew``: the stream was broken before
    them, and what was heard until then goes with nothing that follows.
    """

    scores: tuple[FloatArray, ...]
    ended_s: float
    anew: bool


class ScoredBoxes(msgspec.Struct, frozen=True):
    """Detection: n boxes, best first or not; ``boxes`` are shares of the *model input*, ``scores``
    0..1.

    They are plain numbers, for they are few: between two inferences the processor's caches have
    forgotten NumPy's code, and its first call costs more than all of them in Python (measured).
    """

    boxes: Sequence[Box]
    scores: Sequence[float]
    classes: Sequence[int]

    @classmethod
    def of(cls, boxes: FloatArray, scores: FloatArray, classes: npt.NDArray[Any]) -> ScoredBoxes:
        """From arrays of the shapes (n, 4), (n,) and, of integers, (n,)."""
        return cls(list(map(tuple, boxes.tolist())), scores.tolist(), classes.tolist())


class ClassMap(msgspec.Struct, frozen=True):
    """Segmentation: the class of each pixel of the *model input*, uint16 (height, width), which may
    be coarser than the input.
    """

    classes: npt.NDArray[np.uint16]


class ScoredPeople(msgspec.Struct, frozen=True):
    """Pose: n people with their keypoints, in the order of ``KEYPOINTS``.

    ``points`` float32 (n, 17, 2), ``x, y`` as shares of the *model input*; ``point_scores`` float32
    (n, 17) and ``scores`` float32 (n,), 0..1.
    """

    points: FloatArray
    point_scores: FloatArray
    scores: FloatArray


class Numbers(msgspec.Struct, frozen=True):
    """Regression: ``values`` float32, shape (n,), finite, in the model's own units."""

    values: FloatArray


class Reconstruction(msgspec.Struct, frozen=True):
    """What an autoencoder makes of its input: ``error`` is the mean of the squared differences
    between the two, in the units of the model's input (normalised), finite and not negative.
    """

    error: float


Decoded = (
    ScoredClasses | HeardClasses | ScoredBoxes | ClassMap | ScoredPeople | Numbers | Reconstruction
)


# ---- what a result holds: objects ---------------------------------------------------------------


class ClassScore(msgspec.Struct, frozen=True):
    """One class of a classification. ``score`` is 0..1, at most 4 decimals."""

    label: str
    score: float


class Detection(msgspec.Struct, frozen=True):
    """One detected object. ``box`` is in shares of the original frame, clipped to 0..1. ``track``:
    the number of the object that it is, from frame to frame; None where there is none (yet).
    """

    label: str
    score: float
    box: Box
    track: int | None = None


class Region(msgspec.Struct, frozen=True):
    """What one class covers, as a share of the frame, 0..1."""

    label: str
    fraction: float


class Keypoint(msgspec.Struct, frozen=True):
    """A point of a person, in shares of the original frame, clipped to 0..1."""

    name: KeypointName
    x: float
    y: float
    score: float


class Person(msgspec.Struct, frozen=True):
    """One person's pose."""

    score: float
    keypoints: tuple[Keypoint, ...]


class Value(msgspec.Struct, frozen=True):
    """One number of a regression, finite, by its name."""

    label: str
    value: float


class Anomaly(msgspec.Struct, frozen=True):
    """How unusual a window is. ``error`` is that of ``Reconstruction``; ``score`` is the error as a
    multiple of the detector's threshold, None while that is being learnt; each is None also where
    the pipeline does not publish it. ``unusual``: the error is over the threshold.
    """

    error: float | None
    score: float | None
    unusual: bool


class Latency(msgspec.Struct, frozen=True):
    """Where a result's time went, in milliseconds.

    ``wait``: in the slot before the engine took the frame. ``total``: from the frame's arrival in
    the process to the hand-over of the result to the publisher.
    """

    wait: float
    preprocess: float
    inference: float
    decode: float
    total: float


class ModelRef(msgspec.Struct, frozen=True):
    """The model a result came from; ``version`` as in ``ModelSpec``."""

    name: str
    version: str


Finding = ClassScore | Detection | Region | Person | Value | Anomaly
Findings = (
    tuple[ClassScore, ...]
    | tuple[Detection, ...]
    | tuple[Region, ...]
    | tuple[Person, ...]
    | tuple[Value, ...]
    | tuple[Anomaly]
)

PERSON_LABEL = "person"
ANOMALY_LABEL = "anomaly"
ANOMALY_VALUES = ("error", "score")


def labels_of(findings: Sequence[Finding]) -> frozenset[str]:
    """What was found, by its labels; of poses a "person", of an anomaly detector an "anomaly"."""
    return frozenset(label for finding in findings if (label := _label_of(finding)) is not None)


def score_of(finding: Finding) -> float | None:
    """0..1; None of what has none."""
    return finding.score if isinstance(finding, ClassScore | Detection) else None


def _label_of(finding: Finding) -> str | None:
    if isinstance(finding, Anomaly):
        return ANOMALY_LABEL if finding.unusual else None
    if isinstance(finding, Person):
        return PERSON_LABEL
    return finding.label


# ---- what is handed to the publisher: closed types with numbers, times and labels --------------
# Times are of the monotonic clock (ns); the publisher makes wall-clock time of them when it sends.


class CropOf(msgspec.Struct, frozen=True):
    """What a picture shows that is a part of a frame: an object that ``pipeline`` has found, as it
    told it. ``box`` is in shares of the original frame; ``sequence`` is that of the result that
    told of it, None where none did; ``track`` None: it has no number (yet).
    """

    pipeline: str
    sequence: int | None
    label: str
    score: float
    box: Box
    track: int | None


class Result(msgspec.Struct, frozen=True):
    """What one frame came to. ``findings`` are of the kind that ``task`` says. ``crop`` None: the
    whole frame was looked at.
    """

    pipeline: str
    sequence: int
    captured_ns: int
    model: ModelRef
    latency_ms: Latency
    task: str
    findings: Findings
    crop: CropOf | None = None


class EventType(enum.Enum):
    """An event begins, is told again while it lasts, and ends."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


class Happening(msgspec.Struct, frozen=True):
    """An event: something is there, from ``started_ns`` to ``seen_ns`` as far as is known.

    ``id`` is the same from its start to its end. ``track`` None: all of the label together;
    ``zone`` None: anywhere in the frame. ``score`` and ``box`` are None of what has none.
    """

    pipeline: str
    sequence: int
    id: str
    type: EventType
    label: str
    score: float | None
    track: int | None
    zone: str | None
    box: Box | None
    started_ns: int
    seen_ns: int


class ZoneCounts(msgspec.Struct, frozen=True):
    """How many are inside by their labels; how many came in and left since the pipeline began."""

    inside: dict[str, int]
    entered: int
    left: int


class LineCounts(msgspec.Struct, frozen=True):
    """How many went over a line since the pipeline began, as seen from its start to its end."""

    to_left: int
    to_right: int


class Counts(msgspec.Struct, frozen=True):
    """How many are there, by their labels; fewer than ``min_count`` of one are not told."""

    pipeline: str
    at_ns: int
    min_count: int
    objects: dict[str, int]
    zones: dict[str, ZoneCounts]
    lines: dict[str, LineCounts]

    @property
    def said(self) -> tuple[object, ...]:
        """All of it but when."""
        return self.objects, self.zones, self.lines


class HealthState(enum.Enum):
    """The states of a pipeline that are published."""

    RUNNING = "running"
    SOURCE_LOST = "source-lost"
    DEGRADED = "degraded"
    STOPPED = "stopped"


class Health(msgspec.Struct, frozen=True):
    """A pipeline's state, why (None while all is well), and since when."""

    pipeline: str
    state: HealthState
    reason: str | None
    since_ns: int


class Verdict(enum.Enum):
    """What became of a candidate model.

    TRIAL: it serves, and is watched for its first results. UNCHANGED: the file was put there
    again with the same bytes.
    """

    TRIAL = "trial"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled-back"
    UNCHANGED = "unchanged"


class Candidate(msgspec.Struct, frozen=True):
    """The last model file that was tried; ``version`` is None where there was no file to hash."""

    name: str
    version: str | None
    verdict: Verdict
    reason: str | None
    at_ns: int


class ModelReport(msgspec.Struct, frozen=True):
    """Which model serves a pipeline (None: none does), and what became of the last candidate."""

    pipeline: str
    active: ModelSpec | None
    candidate: Candidate | None


class AnomalyInfo(msgspec.Struct, frozen=True):
    """The error over which an anomaly detector calls its input unusual; None while it learns that,
    until ``learning_until_ns`` of the monotonic clock, or longer where little comes to learn from.
    """

    threshold: float | None
    learning_until_ns: int | None = None


class ZoneInfo(msgspec.Struct, frozen=True):
    """``labels`` are those that the configuration names; none: whatever the model knows."""

    name: str | None
    labels: tuple[str, ...]


class PipelineInfo(msgspec.Struct, frozen=True):
    """A pipeline as ``P/info`` tells it; ``model`` and ``task`` are None while no model serves.

    ``enabled`` and ``threshold`` are what is in force, be it by a command. ``threshold`` is None
    while no model serves and none was given, and of regression; ``anomaly`` goes before it.
    ``tells``: which of "result", "event" and "counts" it publishes. ``zones`` are those of its
    counts; the first has no name and is the whole picture.
    """

    name: str
    source: str
    task: str | None
    model: ModelRef | None
    labels: tuple[str, ...]
    enabled: bool = True
    threshold: float | None = None
    anomaly: AnomalyInfo | None = None
    tells: frozenset[str] = frozenset({"result"})
    zones: tuple[ZoneInfo, ...] = ()
    lines: tuple[str, ...] = ()


class Info(msgspec.Struct, frozen=True):
    """What ``P/info`` tells of the device."""

    runtime: str
    runtime_version: str
    host: str
    os: str
    pipelines: tuple[PipelineInfo, ...]


class Percentiles(msgspec.Struct, frozen=True):
    """Of one stage over the last interval, in milliseconds."""

    p50: float
    p95: float
    p99: float


class StageLatency(msgspec.Struct, frozen=True):
    """Percentiles by stage; the stages are those of ``Latency``."""

    wait: Percentiles
    preprocess: Percentiles
    inference: Percentiles
    decode: Percentiles
    total: Percentiles


class PipelineMetrics(msgspec.Struct, frozen=True):
    """One pipeline's counts since the daemon started, and its rates over the last interval.

    ``frames``: given by the source; ``inferred``: through the model; ``published``: results handed
    to the publisher; ``gated``: not inferred because nothing moved; ``dropped``: replaced by a
    newer frame before the engine was free; ``skipped``: pictures of a recording that could not be
    read; ``gaps``: breaks in the samples of a sensor, which no window bridges. ``latency_ms`` is
    None when nothing was inferred in the interval. Of a sensor the frames are windows.
    """

    frames: int
    inferred: int
    published: int
    gated: int
    dropped: int
    skipped: int
    gaps: int
    frame_rate_hz: float
    inference_rate_hz: float
    latency_ms: StageLatency | None


class SpoolMetrics(msgspec.Struct, frozen=True):
    """Results that wait for the broker, and those that were lost since the start.

    ``in_memory``: those of ``depth`` that are nowhere else, and that a kill would cost.
    ``dropped``: for the bounds of size and age, or with a damaged file. ``refused``: by the broker
    or by the limits of a message. ``bytes``: what the spool takes on the disk. ``on_disk``:
    whether results that wait are written there now; ``trouble``: why not, where they ought to be.
    """

    depth: int
    dropped: int
    refused: int = 0
    in_memory: int = 0
    bytes: int = 0
    on_disk: bool = False
    trouble: str | None = None


# In the order of their bits in the firmware's word.
ChipFlag = Literal["under-voltage", "frequency-capped", "throttled", "soft-temperature-limit"]


class Throttling(msgspec.Struct, frozen=True):
    """What the Pi's firmware does to the processor, by the names of its flags."""

    now: tuple[ChipFlag, ...]
    since_boot: tuple[ChipFlag, ...]


class Metrics(msgspec.Struct, frozen=True):
    """What ``P/metrics`` tells; values that the machine does not give are None."""

    uptime_s: float
    pipelines: dict[str, PipelineMetrics]
    spool: SpoolMetrics
    cpu_temperature_c: float | None
    throttling: Throttling | None
    memory_bytes: int


class EntityKind(enum.Enum):
    """What Home Assistant can show: of a pipeline, and the last two of the device."""

    CLASS = "class"
    KEYWORD = "keyword"
    OBJECTS = "objects"
    REGIONS = "regions"
    PEOPLE = "people"
    VALUE = "value"
    ANOMALY = "anomaly"
    PRESENCE = "presence"
    COUNT = "count"
    EVENT = "event"
    TO_LEFT = "to_left"
    TO_RIGHT = "to_right"
    HEALTH = "health"
    MODEL = "model"
    RATE = "rate"
    LATENCY = "latency"
    TEMPERATURE = "temperature"
    WAITING = "waiting"


class Entity(msgspec.Struct, frozen=True):
    """One thing that Home Assistant shows; ``pipeline`` is None for what is of the device.

    ``part``: of this zone or line alone; ``label``: of what goes by it alone.
    """

    kind: EntityKind
    pipeline: str | None
    part: str | None = None
    label: str | None = None


class DiscoveryPlace(msgspec.Struct, frozen=True):
    """Where a device is announced: Home Assistant's prefix, and the device as its topic has it."""

    prefix: str
    device: str


class Announcement(msgspec.Struct, frozen=True):
    """What Home Assistant is told of a device; without any entity it is to forget the device.

    ``gone``: the component ids of what it was told of before and is to remove. ``brief``: only what
    an entity cannot do without, where there is no room for more.
    """

    place: DiscoveryPlace
    os: str = ""
    entities: tuple[Entity, ...] = ()
    gone: tuple[str, ...] = ()
    brief: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What became of a command. ``topic`` and ``correlation`` are where and how it asked for it."""

    topic: str
    correlation: bytes | None
    ok: bool
    reason: str | None


Queued = Result | Happening
"""What is delivered one by one and kept until it is, where of all else only the newest counts."""
Record = Queued | Counts | Health | ModelReport | Info | Metrics | Announcement | Answer
