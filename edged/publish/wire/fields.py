"""The strings and numbers that messages are made of: each with its bounds, and strings with a
pattern that control characters do not pass.

``extra`` holds what msgspec has no words for (see ``publish.bounds``).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...plain_text import PLAIN

MAX_TEXT_CHARS = 200
MAX_LABEL_CHARS = 100
MAX_REASON_CHARS = 1000
MAX_LABELS_TOLD = 100
MAX_FINDINGS = 100
MAX_PIPELINES = 256
MAX_PARTS = 32
MAX_COMPONENTS = 1000
SHARE_DECIMALS = 4
MS_DECIMALS = 3
RATE_DECIMALS = 2
DIGITS = 6  # a float32 has seven

_ASCII = {"bytes_per_char": 1}

Name = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS, pattern=PLAIN)]
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS, pattern=PLAIN)]
Label = Annotated[str, Meta(max_length=MAX_LABEL_CHARS, pattern=PLAIN)]
Reason = Annotated[str, Meta(max_length=MAX_REASON_CHARS, pattern=PLAIN)]
Word = Annotated[str, Meta(max_length=32, pattern="^[a-z0-9_-]{1,32}$", extra=_ASCII)]
Topic = Annotated[str, Meta(min_length=1, max_length=400, pattern=PLAIN)]
Template = Annotated[str, Meta(min_length=1, max_length=1000, pattern=PLAIN)]
ComponentId = Annotated[str, Meta(max_length=80, pattern="^[a-zA-Z0-9_-]{1,80}$", extra=_ASCII)]
Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # what JavaScript counts exactly
Track = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Share = Annotated[float, Meta(ge=0, le=1, extra={"decimals": SHARE_DECIMALS})]
Milliseconds = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": MS_DECIMALS})]
Rate = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": RATE_DECIMALS})]
Number = Annotated[float, Meta(ge=-3.5e38, le=3.5e38, extra={"digits": DIGITS})]
Amount = Annotated[float, Meta(ge=0, le=3.5e38, extra={"digits": DIGITS})]
Seconds = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": 1})]
Duration = Annotated[float, Meta(ge=0, le=1e9, extra={"decimals": MS_DECIMALS})]
EventId = Annotated[str, Meta(max_length=16, pattern="^[0-9a-f]{16}$", extra=_ASCII)]
Celsius = Annotated[float, Meta(ge=-274, le=1000, extra={"decimals": 1})]
Version = Annotated[
    str,
    Meta(
        max_length=12,
        pattern="^[0-9a-f]{12}$",
        description="The first 12 hex digits of the sha256.",
        extra=_ASCII,
    ),
]
Sha256 = Annotated[str, Meta(max_length=64, pattern="^[0-9a-f]{64}$", extra=_ASCII)]
Timestamp = Annotated[
    str,
    Meta(
        max_length=24,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        extra_json_schema={"format": "date-time"},
        extra=_ASCII,
    ),
]


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every published type: nothing but its fields."""
