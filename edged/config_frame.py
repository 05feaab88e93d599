"""Parts of the picture that a pipeline's table marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta

from .config_types import Labels, Seconds, Share, TopicLevel
from .polygon import fault
from .toml_text import shown
from .toml_types import Problem, Table

_MOST = 32
Point = Annotated[
    tuple[Share, Share],
    Meta(description="[x, y] in shares of the frame, each from 0 to 1, from its top left corner"),
]
Polygon = Annotated[
    tuple[Point, ...],
    Meta(
        min_length=3,
        max_length=64,
        description="a list of 3 to 64 points [x, y], in shares of the frame",
    ),
]


class Mask(Table, frozen=True):
    """A part of the picture that is filled before anything looks at it."""

    polygon: Polygon

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Its inside must be plain to see."""
        yield from polygon_problems(table)


class Zone(Table, frozen=True):
    """A part of the picture in which objects are told and counted: those of ``labels``, or all.
    ``anchor``: which point of a box, in the middle of its width, must be in it.
    """

    name: TopicLevel
    polygon: Polygon
    labels: Labels | None = None
    anchor: Literal["bottom", "centre", "top"] = "bottom"

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """Its inside must be plain to see."""
        yield from polygon_problems(table)


class Line(Table, frozen=True):
    """A line that objects are counted at, to its right and to its left as seen by one who looks
    from ``start`` to ``end``. ``labels`` and ``anchor`` as of a zone.
    """

    name: TopicLevel
    start: Point
    end: Point
    labels: Labels | None = None
    anchor: Literal["bottom", "centre", "top"] = "bottom"

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """A point has no sides."""
        if "start" in table and table["start"] == table.get("end"):
            yield Problem("end", "it is where the line starts; give the line two different ends")


class Events(Table, frozen=True):
    """When something counts as there, and how often that is told. ``appear_frames``: seen in so
    many frames one after the other; ``gone_frames``: and then missed in so many.
    """

    appear_frames: Annotated[int, Meta(ge=1, le=1000)] = 3
    gone_frames: Annotated[int, Meta(ge=1, le=10_000)] = 10
    update_s: Seconds = 60
    max_per_minute: Annotated[int, Meta(ge=1, le=600)] = 60


Zones = Annotated[
    tuple[Zone, ...],
    Meta(max_length=_MOST, description=f"at most {_MOST} [[pipelines.zones]] tables"),
]
Lines = Annotated[
    tuple[Line, ...],
    Meta(max_length=_MOST, description=f"at most {_MOST} [[pipelines.lines]] tables"),
]
Masks = Annotated[
    tuple[Mask, ...],
    Meta(max_length=_MOST, description=f"at most {_MOST} [[pipelines.masks]] tables"),
]


def polygon_problems(table: Mapping[str, Any]) -> Iterator[Problem]:
    """Of points that are what they should be, each by itself; ``table`` is as read."""
    points = table.get("polygon")
    if isinstance(points, list) and len(points) > 2 and all(map(_is_point, points)):
        why = fault([(x, y) for x, y in points])
        if why is not None:
            yield Problem("polygon", why)


def name_problems(table: Mapping[str, Any], key: str) -> Iterator[Problem]:
    """Of two parts with one name; ``table`` is a pipeline's, as read."""
    first: dict[str, int] = {}
    parts = table.get(key)
    for at, part in enumerate(parts if isinstance(parts, list) else []):
        name = part.get("name") if isinstance(part, dict) else None
        if isinstance(name, str) and first.setdefault(name, at) != at:
            reason = f"{shown(name)} is the name of {key}[{first[name]}] too"
            yield Problem(f"{key}[{at}].name", f"{reason}; give each a name of its own")


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_share, value))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
