"""From the records to the closed types of ``wire``: times converted, numbers rounded.

One function a message, each called by the name of its kind; they stand in modules named as those
of ``wire``.
"""

from __future__ import annotations

from .commands import answer
from .happenings import counts, event
from .health import health, metrics
from .info import info, info_without_labels
from .models import model
from .results import result

__all__ = [
    "answer",
    "counts",
    "event",
    "health",
    "info",
    "info_without_labels",
    "metrics",
    "model",
    "result",
]
