"""``[golden]`` in ``NAME.toml``: inputs whose results are known, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from ..toml_types import Problem, Table

Label = Annotated[str, Meta(min_length=1, description="a label in quotes")]
Share = Annotated[float, Meta(ge=0, le=1)]
Box = Annotated[
    tuple[Share, Share, Share, Share],
    Meta(description="four shares of the picture: x_min, y_min, x_max, y_max"),
]
Point = Annotated[
    tuple[Share, Share], Meta(description="two shares of the picture: from the left, from the top")
]
TOLERANCE = 0.1
LEAST_TOLERANCE = 1e-30


class WordTable(Table, frozen=True):
    """A word that is heard, and its best mean score."""

    label: Label
    score: Share


class ObjectTable(Table, frozen=True):
    """An object that is found."""

    label: Label
    score: Share
    box: Box


class RegionTable(Table, frozen=True):
    """What a class covers of the picture."""

    label: Label
    fraction: Share


class PersonTable(Table, frozen=True):
    """A person, and where their keypoints are, by name; others are not looked at."""

    score: Share
    keypoints: dict[str, Point]


class ValueTable(Table, frozen=True):
    """A number in a unit of its own, and so with a tolerance of its own."""

    label: Label
    value: float
    tolerance: Annotated[float, Meta(ge=LEAST_TOLERANCE)]


class ExpectTable(Table, frozen=True):
    """What the golden input comes to: just one of these, each by its task.

    ``label``: of the best class or detection, with that ``score`` where one is given. ``words``,
    ``detections``, ``regions`` and ``people``: all that is found, an empty list where nothing is.
    ``values``: the numbers of a regression, or the ``error`` of an anomaly detector. Scores,
    fractions and coordinates are all shares of one: ``tolerance`` is how far each may be off.
    """

    label: Label | None = None
    score: Share | None = None
    words: tuple[WordTable, ...] | None = None
    detections: tuple[ObjectTable, ...] | None = None
    regions: tuple[RegionTable, ...] | None = None
    people: tuple[PersonTable, ...] | None = None
    values: Annotated[tuple[ValueTable, ...], Meta(min_length=1, description="a list")] | None = (
        None
    )
    tolerance: Annotated[float, Meta(gt=0, le=1)] = TOLERANCE

    @property
    def kind(self) -> str:
        """Which of them it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """One of them; and a tolerance is one of something."""
        given = [kind for kind in KINDS if kind in table]
        if not given:
            yield Problem("label", f"missing; add it, or one of {', '.join(KINDS[1:])}")
        for kind in given[1:]:
            yield Problem(kind, f"{given[0]} is given too; an input comes to one of them")
        if "score" in table and "label" not in table:
            yield Problem("score", "without a label it is of nothing; give both")
        if "tolerance" in table and "label" in table and "score" not in table:
            yield Problem("score", "missing; tolerance is given: it is the distance from score")
        if "tolerance" in table and "values" in table:
            yield Problem("tolerance", "each of the values has its own; take this one out")


KINDS = ("label", "words", "detections", "regions", "people", "values")


class GoldenTable(Table, frozen=True):
    """An input whose result is known, in a file beside the model (``input``, its name) or in a
    directory there: a picture, a table of samples with a header (``.csv``), a recording of sound
    (``.wav``), or an array saved by NumPy (``.npy``): uint8 of height x width x 3 in the order red,
    green, blue, or float32 of samples x channels.
    """

    input: Annotated[
        str,
        Meta(
            pattern=r"^(?!\.\.?/)[^/\x00]+(/(?!\.\.?$)[^/\x00]+)?$",
            description="the name of a file beside the model or in a directory there, in quotes",
        ),
    ]
    expect: ExpectTable
