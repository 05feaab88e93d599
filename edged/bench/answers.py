"""A contestant's side of a turn: a number comes in, what the frames took goes out.

Standard output is the channel to the process that measures; nothing else may be written there.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Turn = Callable[[int], Mapping[str, Any]]

ENDED = "ended"
"""Beside the stages, a list of when each frame was done: ms of the monotonic clock."""

INFERENCE = "inference"

FAILED = "failed"
"""In place of the stages: a sentence that says why there are none."""


def answer(turn: Turn) -> None:
    """Take turns until nobody asks for more. ``turn`` gives lists of ms by stage, and ``ENDED``."""
    for line in sys.stdin:
        say(turn(int(line)))


def say(what: Mapping[str, Any] | Sequence[Any]) -> None:
    data = json.dumps(what).encode() + b"\n"
    while data:
        data = data[os.write(1, data) :]
