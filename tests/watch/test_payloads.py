"""What edged watch reads is what edged publishes."""

from __future__ import annotations

import pytest
from msgspec import Struct

from edged.publish import wire
from edged.watch import payloads

STILL_TO_COME = {"regions", "people", "values"}  # of tasks that are not published yet


@pytest.mark.parametrize(
    ("read", "published"),
    [
        (payloads.Result, (wire.ClassificationResult, wire.DetectionResult)),
        (payloads.Finding, (wire.ClassScore, wire.Detection)),
        (payloads.ModelRef, (wire.ModelRef,)),
        (payloads.Health, (wire.Health,)),
        (payloads.Model, (wire.Model,)),
        (payloads.Candidate, (wire.CandidateModel,)),
        (payloads.Info, (wire.Info,)),
        (payloads.Metrics, (wire.Metrics,)),
        (payloads.Spool, (wire.SpoolMetrics,)),
        (payloads.PipelineFigures, (wire.PipelineMetrics,)),
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
