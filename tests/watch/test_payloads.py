"""What edged watch reads is what edged publishes."""

from __future__ import annotations

import pytest
from msgspec import Struct

from edged.publish.wire.health import Health, Metrics, PipelineMetrics, SpoolMetrics
from edged.publish.wire.info import Info
from edged.publish.wire.models import CandidateModel, Model, ModelRef
from edged.publish.wire.results import ClassificationResult, ClassScore, Detection, DetectionResult
from edged.watch import payloads

STILL_TO_COME = {"regions", "people", "values"}  # of tasks that are not published yet


@pytest.mark.parametrize(
    ("read", "published"),
    [
        (payloads.Result, (ClassificationResult, DetectionResult)),
        (payloads.Finding, (ClassScore, Detection)),
        (payloads.ModelRef, (ModelRef,)),
        (payloads.Health, (Health,)),
        (payloads.Model, (Model,)),
        (payloads.Candidate, (CandidateModel,)),
        (payloads.Info, (Info,)),
        (payloads.Metrics, (Metrics,)),
        (payloads.Spool, (SpoolMetrics,)),
        (payloads.PipelineFigures, (PipelineMetrics,)),
    ],
)
def test_every_field_that_is_read_is_published(
    read: type[Struct], published: tuple[type[Struct], ...]
) -> None:
    there = {field for each in published for field in each.__struct_fields__}
    assert set(read.__struct_fields__) - STILL_TO_COME - {"fraction"} <= there


@pytest.mark.parametrize(
    "topic", ["", "/", "edged", "edged/", "edged/pi", "other/pi/status", "edged//status"]
)
def test_topics_that_lead_nowhere(topic: str) -> None:
    assert payloads.place(topic, "edged") is None


def test_a_prefix_may_have_several_levels() -> None:
    place = payloads.place("home/eyes/pi/front/result", "home/eyes")
    assert place == payloads.Place("pi", "front", "result")
    assert payloads.place("home/eyes/pi/status", "home/eyes") == payloads.Place(
        "pi", None, "status"
    )


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-22", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none(text: str) -> None:
    assert payloads.time_of(text) is None
