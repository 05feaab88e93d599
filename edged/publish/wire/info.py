"""What the device and its pipelines are."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .fields import (
    MAX_LABELS_TOLD,
    MAX_PIPELINES,
    Amount,
    Closed,
    Count,
    Label,
    Name,
    Share,
    Text,
    Timestamp,
    Word,
)
from .models import ModelRef


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
