"""What a frame came to, by task: objects, in terms of the original frame."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .frames import Box
from .models import ModelRef
from .poses import KeypointName


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
