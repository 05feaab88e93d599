"""The device and its pipelines."""

from __future__ import annotations

from ...records.info import AnomalyInfo, Info, PipelineInfo
from .. import Context
from ..wire import info as wire
from ..wire.fields import MAX_LABELS_TOLD, Closed
from .models import model_ref
from .values import digits, share, short_label, short_text, timestamp


def info(record: Info, context: Context, most_labels: int = MAX_LABELS_TOLD) -> Closed:
    return wire.Info(
        "edged.info/1",
        context.device,
        context.version,
        short_text(record.runtime),
        short_text(record.runtime_version),
        short_text(record.host),
        short_text(record.os),
        tuple(_pipeline_info(pipeline, context, most_labels) for pipeline in record.pipelines),
    )


def info_without_labels(record: Info, context: Context) -> Closed:
    """With the labels' number in place of their names."""
    return info(record, context, most_labels=0)


def _pipeline_info(pipeline: PipelineInfo, context: Context, most_labels: int) -> wire.PipelineInfo:
    labels = pipeline.labels
    return wire.PipelineInfo(
        pipeline.name,
        pipeline.source,
        pipeline.task,
        None if pipeline.model is None else model_ref(pipeline.model),
        tuple(map(short_label, labels)) if len(labels) <= most_labels else len(labels),
        pipeline.enabled,
        None if pipeline.threshold is None or pipeline.anomaly else share(pipeline.threshold),
        None if pipeline.anomaly is None else _anomaly_info(pipeline.anomaly, context),
    )


def _anomaly_info(anomaly: AnomalyInfo, context: Context) -> wire.AnomalyInfo:
    until_ns = anomaly.learning_until_ns
    return wire.AnomalyInfo(
        None if anomaly.threshold is None else digits(anomaly.threshold),
        None if until_ns is None else timestamp(until_ns, context),
    )
