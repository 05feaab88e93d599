"""Which model serves, and what became of the last candidate."""

from __future__ import annotations

from typing import Literal

from .fields import Closed, Count, Name, Reason, Sha256, Timestamp, Version, Word


class ModelRef(Closed, frozen=True):
    """A model, by its name and version."""

    name: Name
    version: Version


class ActiveModel(Closed, frozen=True):
    """The model that serves."""

    name: Name
    version: Version
    sha256: Sha256
    size_bytes: Count
    task: Word


class CandidateModel(Closed, frozen=True):
    """The last model that was tried. ``version`` is null where there was no file to hash."""

    name: Name
    version: Version | None
    verdict: Literal["trial", "accepted", "refused", "rolled-back", "unchanged"]
    reason: Reason | None
    at: Timestamp


class Model(Closed, frozen=True):
    """Which model serves a pipeline, and what became of the last candidate."""

    schema: Literal["edged.model/1"]
    device: Name
    pipeline: Name
    active: ActiveModel | None
    candidate: CandidateModel | None
