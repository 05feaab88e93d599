"""Parts of the picture that a pipeline's table marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from .config_types import Share
from .polygon import fault
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


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_share, value))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
