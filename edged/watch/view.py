"""The board as lines: never wider than the terminal, never more than it has. Pure.

What has no room is cut with an ellipsis: first the lines below each pipeline, then the pipelines
that need nobody's attention, which are counted.
"""

from __future__ import annotations

from rich.text import Text

from . import words
from .board import Board
from .known import Event
from .table import headings, table
from .textline import Frame, fitted, spread, wrapped

_LEAST_EVENTS = 4


def lines(board: Board, frame: Frame) -> list[Text]:
    """At most ``frame.rows`` lines of at most ``frame.columns`` cells."""
    drawn = [_head(board, frame)]
    if frame.trouble is not None:
        drawn += wrapped(f"no connection: {frame.trouble}", "bold red", frame.columns, most=2)
    elif not board.devices:
        text = "connected; nothing has come yet. Does edged run with this broker and prefix?"
        drawn += wrapped(text, "yellow", frame.columns, most=2)
    if board.devices:
        drawn.append(headings(frame.columns))
    room = frame.rows - len(drawn)
    of_events = min(len(board.events), _LEAST_EVENTS) + 1 if room >= 2 * _LEAST_EVENTS else 0
    drawn += table(board, frame, room - of_events)
    if of_events:
        drawn += _events(board, frame, frame.rows - len(drawn))
    return [fitted(line, frame.columns) for line in drawn[: frame.rows]]


def _head(board: Board, frame: Frame) -> Text:
    paces = [pipeline.pace(frame.at_s).rate_hz or 0.0 for pipeline in board.pipelines]
    missing = sum(pipeline.sequences.missing for pipeline in board.pipelines)
    twice = sum(pipeline.sequences.twice for pipeline in board.pipelines)
    right = Text(f"{words.rate(sum(paces))}  ")
    right.append(f"missing {missing:,}", "bold red" if missing else "")
    right.append(f"  twice {twice:,}  {frame.wall:%H:%M:%S}")
    return spread(Text(words.safe(frame.title), "bold"), right, frame.columns)


# ---- what has changed ----------------------------------------------------------------------------


def _events(board: Board, frame: Frame, room: int) -> list[Text]:
    """The newest first."""
    left, right = "── changes ", " q ends ──"
    rule = left + "─" * max(0, frame.columns - len(left) - len(right)) + right
    drawn = [Text(rule, "dim")]
    alone = len(board.devices) == 1
    for event in board.events:
        if len(drawn) >= room:
            break
        drawn += _event(event, frame, alone)
    return drawn[:room]


def _event(event: Event, frame: Frame, alone: bool) -> list[Text]:
    where = event.where.partition("/")[2] if alone and "/" in event.where else event.where
    told = f"{words.clock_time(event.wall, frame.wall)} {where}: {event.text}"
    return wrapped(told, "red" if event.grave else "", frame.columns, most=3)
