"""From the records to the closed types of ``wire``: times converted, numbers rounded.

One function a message, each called by the name of its kind.
"""

from __future__ import annotations

import math

from msgspec import UNSET

from .. import records
from ..clock import iso_8601
from ..errors import MessageRefused
from ..plain_text import plain
from . import Context, wire


def result(record: records.Result, context: Context) -> wire.Closed:
    shared = (
        context.device,
        record.pipeline,
        context.run,
        record.sequence,
        _time(record.captured_ns, context),
        context.clock.synced(),
        _model_ref(record.model),
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


def _crop(of: records.CropOf) -> wire.Crop:
    x_min, y_min, x_max, y_max = map(_share, of.box)
    return wire.Crop(
        of.pipeline,
        _label(of.label),
        _share(of.score),
        (x_min, y_min, x_max, y_max),
        UNSET if of.track is None else of.track,
        UNSET if of.sequence is None else of.sequence,
    )


def _model_ref(model: records.ModelRef) -> wire.ModelRef:
    return wire.ModelRef(model.name, model.version)


def _latency(spent: records.Latency) -> wire.Latency:
    return wire.Latency(
        wait=_ms(spent.wait),
        preprocess=_ms(spent.preprocess),
        inference=_ms(spent.inference),
        decode=_ms(spent.decode),
        total=_ms(spent.total),
    )


def _class_score(finding: records.Finding) -> wire.ClassScore:
    if not isinstance(finding, records.ClassScore | records.Detection):
        raise MessageRefused("A result that should have classes was not sent: it has none.")
    return wire.ClassScore(_label(finding.label), _share(finding.score))


def _detection(finding: records.Finding) -> wire.Detection:
    if not isinstance(finding, records.Detection):
        raise MessageRefused("A result of the task 'detection' was not sent: it has no boxes.")
    x_min, y_min, x_max, y_max = map(_share, finding.box)
    return wire.Detection(
        _label(finding.label),
        _share(finding.score),
        (x_min, y_min, x_max, y_max),
        UNSET if finding.track is None else finding.track,
    )


def _region(finding: records.Finding) -> wire.Region:
    if not isinstance(finding, records.Region):
        raise MessageRefused("A result of the task 'segmentation' was not sent: it has no regions.")
    return wire.Region(_label(finding.label), _share(finding.fraction))


def _person(finding: records.Finding) -> wire.Person:
    if not isinstance(finding, records.Person):
        raise MessageRefused("A result of the task 'pose' was not sent: it has no people.")
    points = (
        wire.Keypoint(point.name, _share(point.x), _share(point.y), _share(point.score))
        for point in finding.keypoints
    )
    return wire.Person(_share(finding.score), tuple(points))


def _value(finding: records.Finding) -> tuple[str, float]:
    if not isinstance(finding, records.Value):
        raise MessageRefused("A result of the task 'regression' was not sent: it has no values.")
    return _label(finding.label), _digits(finding.value)


def _anomaly(finding: records.Finding) -> wire.AnomalyValues:
    if not isinstance(finding, records.Anomaly):
        raise MessageRefused("A result of the task 'anomaly' was not sent: it has no error.")
    return wire.AnomalyValues(
        UNSET if finding.error is None else _digits(finding.error),
        UNSET if finding.score is None else _digits(finding.score),
    )


def event(record: records.Happening, context: Context) -> wire.Closed:
    box = record.box
    ended = record.type is records.EventType.ENDED
    return wire.Event(
        "edged.event/1",
        context.device,
        record.pipeline,
        context.run,
        record.sequence,
        context.clock.synced(),
        record.id,
        record.type.value,
        _label(record.label),
        None if record.score is None else _share(record.score),
        record.track,
        None if record.zone is None else _text(record.zone),
        None if box is None else (_share(box[0]), _share(box[1]), _share(box[2]), _share(box[3])),
        _time(record.started_ns, context),
        _time(record.seen_ns, context) if ended else None,
        _rounded((record.seen_ns - record.started_ns) / 1e9, wire.MS_DECIMALS),
    )


def counts(record: records.Counts, context: Context) -> wire.Closed:
    return wire.Counts(
        "edged.counts/1",
        context.device,
        record.pipeline,
        context.run,
        _time(record.at_ns, context),
        context.clock.synced(),
        record.min_count,
        _by_label(record.objects),
        {
            name: wire.ZoneCounts(_by_label(zone.inside), zone.entered, zone.left)
            for name, zone in record.zones.items()
        },
        {name: wire.LineCounts(line.to_left, line.to_right) for name, line in record.lines.items()},
    )


def _by_label(found: dict[str, int]) -> dict[str, int]:
    return {_label(label): count for label, count in found.items()}


def model(record: records.ModelReport, context: Context) -> wire.Closed:
    return wire.Model(
        "edged.model/1",
        context.device,
        record.pipeline,
        None if record.active is None else _active(record.active),
        None if record.candidate is None else _candidate(record.candidate, context),
    )


def _active(model: records.ModelSpec) -> wire.ActiveModel:
    return wire.ActiveModel(model.name, model.version, model.sha256, model.size_bytes, model.task)


def _candidate(tried: records.Candidate, context: Context) -> wire.CandidateModel:
    return wire.CandidateModel(
        tried.name,
        tried.version,
        tried.verdict.value,
        _reason(tried.reason),
        _time(tried.at_ns, context),
    )


def health(record: records.Health, context: Context) -> wire.Closed:
    return wire.Health(
        "edged.health/1",
        context.device,
        record.pipeline,
        record.state.value,
        _reason(record.reason),
        _time(record.since_ns, context),
    )


def info(
    record: records.Info, context: Context, most_labels: int = wire.MAX_LABELS_TOLD
) -> wire.Closed:
    return wire.Info(
        "edged.info/1",
        context.device,
        context.version,
        _text(record.runtime),
        _text(record.runtime_version),
        _text(record.host),
        _text(record.os),
        tuple(_pipeline_info(pipeline, context, most_labels) for pipeline in record.pipelines),
    )


def info_without_labels(record: records.Info, context: Context) -> wire.Closed:
    """With the labels' number in place of their names."""
    return info(record, context, most_labels=0)


def _pipeline_info(
    pipeline: records.PipelineInfo, context: Context, most_labels: int
) -> wire.PipelineInfo:
    labels = pipeline.labels
    return wire.PipelineInfo(
        pipeline.name,
        pipeline.source,
        pipeline.task,
        None if pipeline.model is None else _model_ref(pipeline.model),
        tuple(map(_label, labels)) if len(labels) <= most_labels else len(labels),
        pipeline.enabled,
        None if pipeline.threshold is None or pipeline.anomaly else _share(pipeline.threshold),
        None if pipeline.anomaly is None else _anomaly_info(pipeline.anomaly, context),
    )


def _anomaly_info(anomaly: records.AnomalyInfo, context: Context) -> wire.AnomalyInfo:
    until_ns = anomaly.learning_until_ns
    return wire.AnomalyInfo(
        None if anomaly.threshold is None else _digits(anomaly.threshold),
        None if until_ns is None else _time(until_ns, context),
    )


def metrics(record: records.Metrics, context: Context) -> wire.Closed:
    celsius, throttling = record.cpu_temperature_c, record.throttling
    return wire.Metrics(
        "edged.metrics/1",
        context.device,
        _rounded(record.uptime_s, 1),
        {name: _pipeline_metrics(counts) for name, counts in record.pipelines.items()},
        _spool_metrics(record.spool),
        None if celsius is None else _rounded(celsius, 1),
        None if throttling is None else bool(throttling.now),
        None if throttling is None else wire.Throttling(throttling.now, throttling.since_boot),
        record.memory_bytes,
    )


def _spool_metrics(spool: records.SpoolMetrics) -> wire.SpoolMetrics:
    return wire.SpoolMetrics(
        depth=spool.depth,
        in_memory=spool.in_memory,
        dropped=spool.dropped,
        refused=spool.refused,
        bytes=spool.bytes,
        storage="disk" if spool.on_disk else "memory",
        trouble=_reason(spool.trouble),
    )


def _pipeline_metrics(counts: records.PipelineMetrics) -> wire.PipelineMetrics:
    return wire.PipelineMetrics(
        frames=counts.frames,
        inferred=counts.inferred,
        published=counts.published,
        gated=counts.gated,
        dropped=counts.dropped,
        skipped=counts.skipped,
        gaps=counts.gaps,
        frame_rate_hz=_rounded(counts.frame_rate_hz, wire.RATE_DECIMALS),
        inference_rate_hz=_rounded(counts.inference_rate_hz, wire.RATE_DECIMALS),
        latency_ms=None if counts.latency_ms is None else _stages(counts.latency_ms),
    )


def _stages(spent: records.StageLatency) -> wire.StageLatency:
    return wire.StageLatency(
        wait=_percentiles(spent.wait),
        preprocess=_percentiles(spent.preprocess),
        inference=_percentiles(spent.inference),
        decode=_percentiles(spent.decode),
        total=_percentiles(spent.total),
    )


def _percentiles(of: records.Percentiles) -> wire.Percentiles:
    return wire.Percentiles(p50=_ms(of.p50), p95=_ms(of.p95), p99=_ms(of.p99))


def answer(record: records.Answer, context: Context) -> wire.Closed:
    return wire.Answer("edged.answer/1", record.ok, _reason(record.reason))


# ---- numbers, times and strings -----------------------------------------------------------------


def _rounded(value: float, decimals: int) -> float:
    return round(_finite(value), decimals)


def _digits(value: float) -> float:
    """To the digits that count, however large or small it is."""
    return float(f"{_finite(value):.{wire.DIGITS}g}")


def _finite(value: float) -> float:
    """Refuses arrays of one number, and what is not finite: JSON has no word for it, and msgspec
    would write null.
    """
    if not isinstance(value, int | float):
        raise MessageRefused(f"A message with a {type(value).__name__} for a number was not sent.")
    if not math.isfinite(value):
        raise MessageRefused(f"A message with the number {value} in it was not sent.")
    return float(value)


def _share(value: float) -> float:
    return _rounded(value, wire.SHARE_DECIMALS)


def _ms(value: float) -> float:
    return _rounded(value, wire.MS_DECIMALS)


def _time(monotonic_ns: int, context: Context) -> str:
    return iso_8601(context.clock.utc_of(monotonic_ns))


def _label(text: str) -> str:
    return _shortened(text, wire.MAX_LABEL_CHARS)


def _text(text: str) -> str:
    return _shortened(text, wire.MAX_TEXT_CHARS)


def _reason(text: str | None) -> str | None:
    return None if text is None else _shortened(text, wire.MAX_REASON_CHARS)


def _shortened(text: str, most_chars: int) -> str:
    """Text that fits and is plain: what another library says, and file names, may be anything."""
    text = plain(text[: 2 * most_chars])
    return text if len(text) <= most_chars else text[: most_chars - 1] + "…"
