"""Lines that keep to a number of cells, wide characters counted as the terminal counts them."""

from __future__ import annotations

from datetime import datetime

import msgspec
from rich.text import Text


class Frame(msgspec.Struct, frozen=True):
    """What is to be drawn on: so many cells and lines, at this moment (monotonic, wall).
    ``title`` says what is watched; ``trouble`` why there is no connection, None where there is.
    """

    columns: int
    rows: int
    at_s: float
    wall: datetime
    title: str
    trouble: str | None


def fitted(text: Text, width: int) -> Text:
    """The text, cut with an ellipsis where it is wider."""
    text.truncate(width, overflow="ellipsis")
    return text


def cell(text: str, width: int, right: bool = False) -> str:
    """A text in just so many cells, cut or filled up with blanks."""
    kept = fitted(Text(text), width)
    blanks = " " * (width - kept.cell_len)
    return blanks + kept.plain if right else kept.plain + blanks


def spread(left: Text, right: Text, width: int) -> Text:
    """Two texts at both ends of a line. Where both have no room the left one is cut."""
    if not right:
        return fitted(left, width)
    left = fitted(left, max(0, width - right.cell_len - 1))
    gap = width - left.cell_len - right.cell_len
    return left.append(" " * max(0, gap)).append(right)


def wrapped(text: str, style: str, width: int, *, most: int, indent: int = 0) -> list[Text]:
    """A text in at most so many lines, broken between words where that is possible; the last is
    cut with an ellipsis. All but the first line are indented further.
    """
    rest, drawn = text, list[Text]()
    while rest and len(drawn) < most:
        start = " " * (indent + (2 if drawn else 0))
        room = width - len(start)
        if room < 1:
            break
        if Text(rest).cell_len <= room or len(drawn) == most - 1:
            drawn.append(fitted(Text(start + rest, style), width))
            break
        taken = _that_fits(rest, room)
        drawn.append(Text(start + taken.rstrip(), style))
        rest = rest[len(taken) :].lstrip()
    return drawn


def _that_fits(text: str, room: int) -> str:
    """The beginning of a text, up to a blank where there is one in its second half."""
    kept = 0
    while kept < len(text) and Text(text[: kept + 1]).cell_len <= room:
        kept += 1
    kept = max(kept, 1)
    blank = text.rfind(" ", 0, kept + 1)
    return text[:blank] if blank > kept // 2 else text[:kept]
