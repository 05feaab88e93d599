"""``NAME.toml`` beside a model: what its file does not tell, or tells wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from ..toml_text import read_file
from ..toml_types import Problem, Table
from ..typed_toml import parse
from .golden_tables import GoldenTable

PerChannel = Annotated[
    float | Annotated[tuple[float, ...], Meta(min_length=1, max_length=1024)],
    Meta(description="a number, or a list of numbers, one a channel"),
]
Channels = Annotated[
    tuple[Annotated[str, Meta(min_length=1)], ...],
    Meta(min_length=1, max_length=1024, description="a list of the names of channels"),
]
Scale = Annotated[float, Meta(gt=0)]
Scales = Annotated[
    tuple[Scale, Scale, Scale, Scale],
    Meta(description="four numbers above 0: of x, y, width and height"),
]
Output = Annotated[
    Annotated[int, Meta(ge=0, le=255)] | Annotated[str, Meta(min_length=1)],
    Meta(description="an output's index, from 0, or its tensor's name in quotes"),
]


class InputTable(Table, frozen=True):
    """How what comes in is scaled: ``normalised = (value - mean) / std``, by channel or for all; a
    value is a pixel's byte, 0..255, or a sample in its channel's unit. And what the model was
    trained on: pictures with their channels in the order ``colour``, or windows of samples at
    ``rate_hz``, of ``channels`` in this order. ``features``: what it takes of a window of sound in
    place of its samples, those of micro wake word models or log-mel ones. None: not told.
    """

    mean: PerChannel | None = None
    std: PerChannel | None = None
    colour: Literal["rgb", "bgr", "gray"] | None = None
    rate_hz: Annotated[float, Meta(gt=0)] | None = None
    channels: Channels | None = None
    features: Literal["micro", "log-mel"] | None = None

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Neither means anything alone, and nothing can be divided by 0."""
        mean, std = table.get("mean"), table.get("std")
        for given, absent in (("mean", "std"), ("std", "mean")):
            if given in table and absent not in table:
                yield Problem(absent, f"missing; {given} is given: (value - mean) / std needs both")
        if isinstance(mean, list) and isinstance(std, list) and len(mean) != len(std):
            yield Problem("std", f"{len(std)} numbers do not go with the {len(mean)} of mean")
        if any(s == 0 for s in (std if isinstance(std, list) else [std])):
            yield Problem("std", "0 is not allowed; values are divided by it")
        channels = table.get("channels")
        if isinstance(channels, list) and len(set(map(str, channels))) != len(channels):
            yield Problem("channels", "a name comes twice; each channel has its own")
        for samples in ("rate_hz", "channels", "features"):
            if "colour" in table and samples in table:
                yield Problem(samples, "colour is given, which is of pictures; this is of samples")


class OutputsTable(Table, frozen=True):
    """Which output is what, for detection; and what turns scores, as the model gives them, into
    0..1. And how a detector gives its boxes: in which ``layout``, in shares of the input or its
    pixels, with which scales of x, y, width and height where they are differences from anchors,
    and whether the first score is then the background's. None: not told.
    """

    boxes: Output | None = None
    classes: Output | None = None
    scores: Output | None = None
    count: Output | None = None
    activation: Literal["none", "softmax", "sigmoid"] | None = None
    layout: (
        Literal["post-processed", "yolo-v5", "yolo-v8", "yolo-v10", "anchors", "faces"] | None
    ) = None
    coordinates: Literal["normalised", "pixels"] | None = None
    box_scales: Scales | None = None
    background: bool | None = None


class NmsTable(Table, frozen=True):
    """Non-maximum suppression, where edged does it: a box goes for a better one of its class (of
    any, where ``agnostic``) with which it has more than ``iou`` in common, as a share of what both
    cover. None: 0.3 for faces, else 0.5.
    """

    iou: Annotated[float, Meta(ge=0, le=1)] | None = None
    agnostic: bool = False


class LogMelTable(Table, frozen=True):
    """How log-mel features are made: ``engine.log_mel`` has the formulae. Each is of ``window_s``,
    ``hop_s`` after the one before; bands, as many as the input takes, lie between the two
    frequencies. By default those of YAMNet and VGGish.
    """

    window_s: Annotated[float, Meta(gt=0, le=10)] = 0.025
    hop_s: Annotated[float, Meta(gt=0, le=10)] = 0.010
    fmin_hz: Annotated[float, Meta(ge=0)] = 125
    fmax_hz: Annotated[float, Meta(gt=0)] = 7500
    power: Literal[1, 2] = 1
    log_offset: Annotated[float, Meta(gt=0)] = 0.001


class KeywordTable(Table, frozen=True):
    """When a word is heard: the mean of its last ``sliding_window`` scores is over the threshold
    (None: as the manifest says, else 1), and the last time is ``refractory_s`` ago (None: 2).
    """

    sliding_window: Annotated[int, Meta(ge=1, le=1000)] | None = None
    refractory_s: Annotated[float, Meta(ge=0, le=3600)] | None = None


class AnomalyTable(Table, frozen=True):
    """How an anomaly detector tells the unusual: by what it sees in its first ``learn_s`` seconds
    (None: 600), or by a ``threshold`` of its error.
    """

    learn_s: Annotated[float, Meta(gt=0, le=30 * 24 * 3600)] | None = None
    threshold: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """What is told need not be learnt."""
        if "threshold" in table and "learn_s" in table:
            yield Problem("learn_s", "threshold is given too, so nothing is learnt; give one")


class Sidecar(Table, frozen=True):
    """The whole file. None: not told, and to be found out from the model.

    ``label_offset`` is added to a class to get the label's line; ``latency_budget_ms`` is what one
    inference may take on this device.
    """

    task: (
        Literal[
            "classification",
            "detection",
            "segmentation",
            "pose",
            "keyword",
            "regression",
            "anomaly",
        ]
        | None
    ) = None
    label_offset: Annotated[int, Meta(ge=-100_000, le=100_000)] | None = None
    labels: (
        Annotated[
            tuple[str, ...], Meta(min_length=1, description="a list of labels, class 0 first")
        ]
        | None
    ) = None
    latency_budget_ms: Annotated[float, Meta(gt=0)] | None = None
    input: InputTable = field(default_factory=InputTable)
    outputs: OutputsTable = field(default_factory=OutputsTable)
    nms: NmsTable = field(default_factory=NmsTable)
    log_mel: LogMelTable = field(default_factory=LogMelTable)
    keyword: KeywordTable = field(default_factory=KeywordTable)
    anomaly: AnomalyTable = field(default_factory=AnomalyTable)
    golden: (
        Annotated[
            GoldenTable | tuple[GoldenTable, ...],
            Meta(description="a table [golden], or one [[golden]] for each input"),
        ]
        | None
    ) = None

    @property
    def goldens(self) -> tuple[GoldenTable, ...]:
        """All of them."""
        return (self.golden,) if isinstance(self.golden, GoldenTable) else self.golden or ()

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """What says how features are made is of no use without them."""
        told = table.get("input")
        features = told.get("features") if isinstance(told, dict) else None
        if "log_mel" in table and features != "log-mel":
            yield Problem("input.features", 'missing; log_mel is given, and is for "log-mel"')
        if features == "log-mel" and isinstance(told, dict) and "rate_hz" not in told:
            yield Problem("input.rate_hz", "missing; log-mel features are of sound at some rate")


def read_sidecar(path: Path) -> Sidecar:
    """The sidecar at ``path``; one that tells nothing where there is no file.

    Raises ConfigError with all that is wrong.
    """
    try:
        text = read_file(path)
    except FileNotFoundError:
        return Sidecar()
    return parse_sidecar(text, str(path))


def parse_sidecar(text: bytes, file_name: str) -> Sidecar:
    """A sidecar's text; ``file_name`` is for messages. Raises ConfigError as ``read_sidecar``."""
    # Most models have none, and what a sidecar may say need not be looked up for that.
    return parse(text, file_name, Sidecar) if text else Sidecar()
