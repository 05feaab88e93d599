"""Polygons in shares of the frame: x to the right and y down from its top left corner, 0..1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

Point = tuple[float, float]
Polygon = tuple[Point, ...]


def fault(polygon: Sequence[Point]) -> str | None:
    """Why a polygon of 3 points or more has no plain inside, in words; None: it has one."""
    count = len(polygon)
    edges = [(polygon[at], polygon[(at + 1) % count]) for at in range(count)]
    for one, other in combinations(range(count), 2):
        if polygon[one] == polygon[other]:
            return f"points {one + 1} and {other + 1} are the same"
    for one, other in combinations(range(count), 2):
        beside = other - one in (1, count - 1)
        if not beside and _cross(*edges[one], *edges[other]):
            first, second = _told(one, count), _told(other, count)
            return f"its edge {first} meets its edge {second}; give the points in their order round"
    if not _doubled_area(polygon):
        return "its points lie in one line"
    return None


def _told(edge: int, count: int) -> str:
    return f"from point {edge + 1} to {(edge + 1) % count + 1}"


def _doubled_area(polygon: Sequence[Point]) -> float:
    """The shoelace formula, without its sign."""
    ends = [*polygon[1:], polygon[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(polygon, ends, strict=True)))


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the lines from ``a`` to ``b`` and from ``c`` to ``d`` have a point in common."""
    on = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    sides = [_sign(side(*ends)) for ends in on]
    if sides[0] != sides[1] and sides[2] != sides[3]:
        return True
    return any(not sign and _between(*ends) for sign, ends in zip(sides, on, strict=True))


def side(a: Point, b: Point, of: Point) -> float:
    """On which side of the line from ``a`` to ``b`` a point lies: over 0 to its right (y goes
    down), under 0 to its left, 0 on it.
    """
    return (b[0] - a[0]) * (of[1] - a[1]) - (b[1] - a[1]) * (of[0] - a[0])


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _between(a: Point, b: Point, of: Point) -> bool:
    """Of a point on the line through ``a`` and ``b``."""
    return min(a[0], b[0]) <= of[0] <= max(a[0], b[0]) and (
        min(a[1], b[1]) <= of[1] <= max(a[1], b[1])
    )
