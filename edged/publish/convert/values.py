"""Numbers, times and strings, as messages have them."""

from __future__ import annotations

import math

from ...clock import iso_8601
from ...errors import MessageRefused
from ...plain_text import plain
from .. import Context
from ..wire.fields import (
    DIGITS,
    MAX_LABEL_CHARS,
    MAX_REASON_CHARS,
    MAX_TEXT_CHARS,
    MS_DECIMALS,
    SHARE_DECIMALS,
)


def rounded(value: float, decimals: int) -> float:
    return round(_finite(value), decimals)


def digits(value: float) -> float:
    """To the digits that count, however large or small it is."""
    return float(f"{_finite(value):.{DIGITS}g}")


def _finite(value: float) -> float:
    """Refuses arrays of one number, and what is not finite: JSON has no word for it, and msgspec
    would write null.
    """
    if not isinstance(value, int | float):
        raise MessageRefused(f"A message with a {type(value).__name__} for a number was not sent.")
    if not math.isfinite(value):
        raise MessageRefused(f"A message with the number {value} in it was not sent.")
    return float(value)


def share(value: float) -> float:
    return rounded(value, SHARE_DECIMALS)


def ms(value: float) -> float:
    return rounded(value, MS_DECIMALS)


def timestamp(monotonic_ns: int, context: Context) -> str:
    return iso_8601(context.clock.utc_of(monotonic_ns))


def short_label(text: str) -> str:
    return _shortened(text, MAX_LABEL_CHARS)


def short_text(text: str) -> str:
    return _shortened(text, MAX_TEXT_CHARS)


def short_reason(text: str | None) -> str | None:
    return None if text is None else _shortened(text, MAX_REASON_CHARS)


def _shortened(text: str, most_chars: int) -> str:
    """Text that fits and is plain: what another library says, and file names, may be anything."""
    text = plain(text[: 2 * most_chars])
    return text if len(text) <= most_chars else text[: most_chars - 1] + "…"
