"""Results, by task."""

from __future__ import annotations

from msgspec import UNSET

from ...errors import MessageRefused
from ...records.results import (
    Anomaly,
    ClassScore,
    CropOf,
    Detection,
    Finding,
    Latency,
    Person,
    Region,
    Result,
    Value,
)
from .. import Context
from ..wire import results as wire
from ..wire.fields import Closed
from .models import model_ref
from .values import digits, ms, share, short_label, timestamp


def result(record: Result, context: Context) -> Closed:
    shared = (
        context.device,
        record.pipeline,
        context.run,
        record.sequence,
        timestamp(record.captured_ns, context),
        context.clock.synced(),
        model_ref(record.model),
        _latency(record.latency_ms),
    )
    crop = UNSET if record.crop is None else _crop(record.crop)
    match record.task:
        case "classification":
            classes = tuple(_class_score(finding) for finding in record.findings)
            return wire.ClassificationResult(
                "edged.result/1", *shared, "classification", classes, crop
            )
        case "keyword":
            classes = tuple(_class_score(finding) for finding in record.findings)
            return wire.KeywordResult("edged.result/1", *shared, "keyword", classes)
        case "detection":
            detections = tuple(_detection(finding) for finding in record.findings)
            return wire.DetectionResult("edged.result/1", *shared, "detection", detections, crop)
        case "segmentation":
            regions = tuple(_region(finding) for finding in record.findings)
            return wire.SegmentationResult("edged.result/1", *shared, "segmentation", regions, crop)
        case "pose":
            people = tuple(_person(finding) for finding in record.findings)
            return wire.PoseResult("edged.result/1", *shared, "pose", people, crop)
        case "regression":
            values = dict(map(_value, record.findings))
            return wire.RegressionResult("edged.result/1", *shared, "regression", values, crop)
        case "anomaly":
            (anomaly,) = map(_anomaly, record.findings)
            return wire.AnomalyResult("edged.result/1", *shared, "anomaly", anomaly, crop)
        case task:
            raise MessageRefused(f"A result of the task {task!r} was not sent: it has no message.")


def _crop(of: CropOf) -> wire.Crop:
    x_min, y_min, x_max, y_max = map(share, of.box)
    return wire.Crop(
        of.pipeline,
        short_label(of.label),
        share(of.score),
        (x_min, y_min, x_max, y_max),
        UNSET if of.track is None else of.track,
        UNSET if of.sequence is None else of.sequence,
    )


def _latency(spent: Latency) -> wire.Latency:
    return wire.Latency(
        wait=ms(spent.wait),
        preprocess=ms(spent.preprocess),
        inference=ms(spent.inference),
        decode=ms(spent.decode),
        total=ms(spent.total),
    )


def _class_score(finding: Finding) -> wire.ClassScore:
    if not isinstance(finding, ClassScore | Detection):
        raise MessageRefused("A result that should have classes was not sent: it has none.")
    return wire.ClassScore(short_label(finding.label), share(finding.score))


def _detection(finding: Finding) -> wire.Detection:
    if not isinstance(finding, Detection):
        raise MessageRefused("A result of the task 'detection' was not sent: it has no boxes.")
    x_min, y_min, x_max, y_max = map(share, finding.box)
    return wire.Detection(
        short_label(finding.label),
        share(finding.score),
        (x_min, y_min, x_max, y_max),
        UNSET if finding.track is None else finding.track,
    )


def _region(finding: Finding) -> wire.Region:
    if not isinstance(finding, Region):
        raise MessageRefused("A result of the task 'segmentation' was not sent: it has no regions.")
    return wire.Region(short_label(finding.label), share(finding.fraction))


def _person(finding: Finding) -> wire.Person:
    if not isinstance(finding, Person):
        raise MessageRefused("A result of the task 'pose' was not sent: it has no people.")
    points = (
        wire.Keypoint(point.name, share(point.x), share(point.y), share(point.score))
        for point in finding.keypoints
    )
    return wire.Person(share(finding.score), tuple(points))


def _value(finding: Finding) -> tuple[str, float]:
    if not isinstance(finding, Value):
        raise MessageRefused("A result of the task 'regression' was not sent: it has no values.")
    return short_label(finding.label), digits(finding.value)


def _anomaly(finding: Finding) -> wire.AnomalyValues:
    if not isinstance(finding, Anomaly):
        raise MessageRefused("A result of the task 'anomaly' was not sent: it has no error.")
    return wire.AnomalyValues(
        UNSET if finding.error is None else digits(finding.error),
        UNSET if finding.score is None else digits(finding.score),
    )
