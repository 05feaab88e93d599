"""The part of ``edged check`` that listens to a microphone; what it hears goes nowhere."""

from __future__ import annotations

import math

import numpy as np

from .errors import SourceError
from .report import Report
from .sources import SampleSource

_LISTEN_S = 1.0
# From its opening on: some codecs begin with silence, or with a click.
_SETTLE_S = 0.5


def check_sound(report: Report, pipeline: str, source: SampleSource) -> None:
    """Whether more than silence comes: a switch that is off looks like a quiet room.

    ``source`` has one channel, -1 to 1, and does not end.
    """
    try:
        lowest, highest = _range(source)
    except SourceError as error:
        report.wrong("sound", f"{pipeline}: {error}")
        return
    if lowest == highest:
        report.note(
            "sound",
            f"{pipeline}: the microphone gives only silence. Is it switched off, or its volume 0? "
            "alsamixer shows it (F6 its card, F4 what it records, space and the arrows change it)",
        )
        return
    peak_db = 20 * math.log10(max(-lowest, highest))
    report.ok("sound", f"{pipeline}: the microphone hears something, {peak_db:.0f} dB at the most")


def _range(source: SampleSource) -> tuple[float, float]:
    """Of the samples of a second. Raises SourceError."""
    lowest, highest = math.inf, -math.inf
    try:
        source.open()
        heard_s = 0.0
        while heard_s < _SETTLE_S + _LISTEN_S and (block := source.read()) is not None:
            heard_s = (block.first + len(block.values)) / block.rate_hz
            if heard_s > _SETTLE_S:
                lowest = min(lowest, float(np.min(block.values)))
                highest = max(highest, float(np.max(block.values)))
    finally:
        source.close()
    return lowest, highest
