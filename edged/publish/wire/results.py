"""Results, by task."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from ...records.poses import KEYPOINTS, MOST_PEOPLE, KeypointName
from .fields import (
    MAX_FINDINGS,
    Amount,
    Closed,
    Count,
    Label,
    Milliseconds,
    Name,
    Number,
    Share,
    Timestamp,
    Track,
)
from .models import ModelRef


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
