"""Answers to commands."""

from __future__ import annotations

from ...records.published import Answer
from .. import Context
from ..wire import commands as wire
from ..wire.fields import Closed
from .values import short_reason


def answer(record: Answer, context: Context) -> Closed:
    return wire.Answer("edged.answer/1", record.ok, short_reason(record.reason))
