"""The times in a table of samples: what they say in seconds, and at which rate they come."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from .csv_header import TimeColumn

GAP_PERIODS = 1.5
# Numbers so great are of the Unix clock, and tell by their size in which unit: seconds will have
# 12 digits in 3,000 years, and milliseconds had 11 before 1973.
_UNIX_UNITS_S = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3))
_NAMES = {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}


class Times:
    """Reads a column of times: ISO 8601, or numbers in the unit that the header tells.

    Where it tells none, those of a size that only the Unix clock has tell it themselves; others
    are seconds. ``example``: the first time of the table.
    """

    def __init__(self, column: TimeColumn, example: str, decimal_comma: bool) -> None:
        self._decimal_comma = decimal_comma
        self._unit_s: float | None = column.unit_s or 1.0
        try:
            number = abs(self._number(example))
        except ValueError:
            self._unit_s = None  # text
        else:
            if column.unit_s is None:
                self._unit_s = next((s for least, s in _UNIX_UNITS_S if number >= least), 1.0)
        self.kind = _NAMES[self._unit_s] if self._unit_s else "ISO 8601"

    def seconds(self, field: str) -> float:
        """Since any moment that is the same for the whole column. Raises ValueError."""
        if self._unit_s is not None:
            return self._number(field) * self._unit_s
        moment = datetime.fromisoformat(field.strip())
        # Local time without its zone: as if its clock were never put forward or back.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def _number(self, field: str) -> float:
        return float(field.replace(",", ".") if self._decimal_comma else field)


def rate_hz_of(times: Sequence[float]) -> float | None:
    """The rate of samples taken at these times (s): of the median step, made more exact.

    By the mean of all steps that are no gap: times in whole milliseconds have steps of 16 and 17
    where there are 60 in a second. None where less than half of the steps go forward.
    """
    steps = [later - earlier for earlier, later in pairwise(times)]
    period_s = statistics.median(steps) if steps else 0.0
    if not period_s > 0:
        return None
    return 1 / statistics.fmean(step for step in steps if 0 < step <= GAP_PERIODS * period_s)
