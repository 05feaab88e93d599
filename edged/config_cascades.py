"""Pipelines that others start (``when``): what can be wrong between them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from .config_crops import crops_of
from .toml_text import shown
from .toml_types import Problem


def cascade_problems(pipelines: list[Any]) -> Iterator[Problem]:
    """``pipelines`` as read: what is in them may be of any type."""
    tables = [pipeline if isinstance(pipeline, dict) else {} for pipeline in pipelines]
    by_name = {name: table for table in tables if isinstance(name := _name(table), str)}
    waits_for = {name: _waits_for(table) or crops_of(table) for name, table in by_name.items()}
    told: set[str] = set()  # of circles: once, where the first of them stands
    for i, table in enumerate(tables):
        other = _waits_for(table)
        if other is None:
            continue
        path = f"pipelines[{i}].when"
        if other not in by_name:
            near = difflib.get_close_matches(other, by_name, 1)
            advice = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(by_name)}"
            yield Problem(f"{path}.pipeline", f"there is no pipeline {shown(other)}; {advice}")
            continue
        if by_name[other].get("publish") == "events" or "only" in by_name[other]:
            reason = f"{shown(other)} publishes no results, which alone could start this one"
            yield Problem(f"{path}.pipeline", f'{reason}; give it another publish than "events"')
            continue
        circle = _circle(_name(table), waits_for)
        if circle and not told & set(circle):
            told.update(circle)
            yield Problem(f"{path}.pipeline", _said(circle))
        yield from _label_problems(table["when"].get("label"), by_name[other], path)


def _name(table: Mapping[str, Any]) -> Any:
    return table.get("name", table.get("model"))


def _waits_for(table: Mapping[str, Any]) -> str | None:
    when = table.get("when")
    name = when.get("pipeline") if isinstance(when, dict) else None
    return name if isinstance(name, str) else None


def _circle(name: Any, waits_for: Mapping[str, str | None]) -> list[str]:
    """The names from this one on, each of which waits for the next, and the last for it."""
    way: list[str] = []
    while isinstance(name, str) and name in waits_for and name not in way:
        way.append(name)
        name = waits_for[name]
    return way if way and name == way[0] else []


def _said(circle: list[str]) -> str:
    if len(circle) == 1:
        return f"{shown(circle[0])} is this pipeline itself, and would never start"
    names = [shown(name) for name in [*circle[1:], circle[0]]]
    return f"{', which waits for '.join(names)}; none of them would ever start"


def _label_problems(label: Any, other: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """A label that the other pipeline does not publish would never be heard."""
    allowed = other.get("labels")
    if not isinstance(label, str) or not isinstance(allowed, list):
        return
    if label.casefold() not in {each.casefold() for each in allowed if isinstance(each, str)}:
        name = shown(_name(other))
        reason = f"{shown(label)} is not among the labels that pipeline {name} publishes"
        yield Problem(f"{path}.label", f"{reason}; add it to its labels, or name one of them")
