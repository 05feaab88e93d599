"""Pipelines that look at the objects of others (``crop``): the table, and what can be wrong."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, field

from .config_types import Labels, Text
from .toml_text import shown
from .toml_types import Problem, Table

# What is said of the frame is said once, where the frame comes from.
_NOT_BESIDE = {
    "when": "it runs with that pipeline; move when to that one",
    "gate": "it looks at what that pipeline has found; move the gate to that one",
    "track": "its objects are that pipeline's; move track to that one",
    "masks": "its pictures are that pipeline's, behind its masks; move them to that one",
    "zones": "its objects are that pipeline's; move them to that one",
    "lines": "its objects are that pipeline's; move them to that one",
}


class Crop(Table, frozen=True, kw_only=True):
    """The objects of the pipeline ``from`` are cut out and looked at, one by one: those with
    ``label``, in capitals or not (None: all), the best ``max_boxes`` of a frame. ``margin``: how
    much is added on each side, in parts of the box's.

    A model of 13 ms looks at 8 boxes in a tenth of a second; and a box that is cut off at the edge
    of what it shows is harder to tell than one with a little around it.
    """

    from_: Annotated[
        str, Meta(min_length=1, description="the name of another pipeline, in quotes")
    ] = field(name="from")
    label: (
        Annotated[
            Text | Labels,
            Meta(description="a label in quotes, or a list of labels; leave it out for all"),
        ]
        | None
    ) = None
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.1
    max_boxes: Annotated[int, Meta(ge=1, le=100)] = 8

    @property
    def labels(self) -> tuple[str, ...] | None:
        return (self.label,) if isinstance(self.label, str) else self.label


def source_problems(table: Mapping[str, Any]) -> Iterator[Problem]:
    """A pipeline has a source, or crops; ``table`` is a pipeline's, as read."""
    if "crop" not in table:
        if "source" not in table:
            yield Problem("source", "missing; add a [pipelines.source] table with a kind")
        return
    if "source" in table:
        reason = "crop is given too, and its pictures are another pipeline's; take one of them out"
        yield Problem("source", reason)
    for key, reason in _NOT_BESIDE.items():
        if table.get(key) not in (None, []):
            yield Problem(key, f"crop is given too: {reason}")


def crop_problems(
    tables: list[dict[str, Any]], by_name: Mapping[Any, dict[str, Any]], sensors: Collection[str]
) -> Iterator[Problem]:
    """Between pipelines; ``sensors``: the kinds of sources that give no pictures."""
    for i, table in enumerate(tables):
        crop = table.get("crop")
        other = crops_of(table)
        if other is None or not isinstance(crop, dict):
            continue
        path = f"pipelines[{i}].crop"
        reason = _unfit(table, other, by_name, sensors)
        if reason is not None:
            yield Problem(f"{path}.from", reason)
        elif other in by_name:
            yield from _label_problems(crop.get("label"), other, by_name[other], path)


def crops_of(table: Mapping[str, Any]) -> str | None:
    """The pipeline whose objects are looked at; None where that is not said."""
    crop = table.get("crop")
    name = crop.get("from") if isinstance(crop, dict) else None
    return name if isinstance(name, str) and name else None


def _unfit(
    table: Mapping[str, Any],
    name: str,
    by_name: Mapping[Any, Mapping[str, Any]],
    sensors: Collection[str],
) -> str | None:
    other = by_name.get(name)
    if other is None:
        near = difflib.get_close_matches(name, by_name, 1)
        advice = f"did you mean {shown(near[0])}?" if near else f"there are {', '.join(by_name)}"
        return f"there is no pipeline {shown(name)}; {advice}"
    if other is table:
        return f"{shown(name)} is this pipeline itself; name the one whose objects it looks at"
    if "crop" in other:
        reason = f"{shown(name)} has crops itself, and crops of crops are not made"
        return f"{reason}; name one with a source"
    source = other.get("source")
    kind = source.get("kind") if isinstance(source, dict) else None
    if kind in sensors:
        return f"{shown(name)} has a source of {shown(kind)}, which gives no pictures"
    if "only" in other and "only" not in table:
        return (
            f"{shown(name)} tells counts alone, and results of crops tell its boxes; add only = "
            '"counts" here too, or take it out there'
        )
    return None


def _label_problems(told: Any, name: str, other: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """What the other pipeline leaves out is not looked at."""
    allowed = other.get("labels")
    wanted = [told] if isinstance(told, str) else told
    if not isinstance(wanted, list) or not isinstance(allowed, list):
        return
    known = {each.casefold() for each in allowed if isinstance(each, str)}
    for label in wanted:
        if isinstance(label, str) and label.casefold() not in known:
            reason = f"{shown(label)} is not among the labels of pipeline {shown(name)}"
            yield Problem(f"{path}.label", f"{reason}; add it to them, or name one of them")
