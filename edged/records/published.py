"""All that is handed to the publisher, and the answers to commands."""

from __future__ import annotations

import msgspec

from .happenings import Counts, Happening
from .health import Health, Metrics
from .home_assistant import Announcement
from .info import Info
from .models import ModelReport
from .results import Result


class Answer(msgspec.Struct, frozen=True):
    """What became of a command. ``topic`` and ``correlation`` are where and how it asked for it."""

    topic: str
    correlation: bytes | None
    ok: bool
    reason: str | None


Queued = Result | Happening
"""What is delivered one by one and kept until it is, where of all else only the newest counts."""
Record = Queued | Counts | Health | ModelReport | Info | Metrics | Announcement | Answer
