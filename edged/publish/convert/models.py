"""Models and what became of candidates."""

from __future__ import annotations

from ...records.models import Candidate, ModelRef, ModelReport, ModelSpec
from .. import Context
from ..wire import models as wire
from ..wire.fields import Closed
from .values import short_reason, timestamp


def model(record: ModelReport, context: Context) -> Closed:
    return wire.Model(
        "edged.model/1",
        context.device,
        record.pipeline,
        None if record.active is None else _active(record.active),
        None if record.candidate is None else _candidate(record.candidate, context),
    )


def model_ref(model: ModelRef) -> wire.ModelRef:
    return wire.ModelRef(model.name, model.version)


def _active(model: ModelSpec) -> wire.ActiveModel:
    return wire.ActiveModel(model.name, model.version, model.sha256, model.size_bytes, model.task)


def _candidate(tried: Candidate, context: Context) -> wire.CandidateModel:
    return wire.CandidateModel(
        tried.name,
        tried.version,
        tried.verdict.value,
        short_reason(tried.reason),
        timestamp(tried.at_ns, context),
    )
