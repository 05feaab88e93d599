"""Which task a model's outputs are for, found from what the file says, never guessed.

What is told (sidecar) comes first. Else each task says how the outputs might be read as its own,
and what that rests on: what the graph itself says (the operator that gives an output) before names
(signature, metadata, well-known ones) before shapes. The best grounds must leave one reading.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from ..errors import ModelError
from .outputs import Output, shown
from .task import Candidate, Task, TaskModule, Told

TASKS: Mapping[str, str] = {
    "classification": "classification",
    "detection": "detection",
    "keyword": "keyword",
    "regression": "regression",
    "anomaly": "anomaly",
}
"""Each task's file here, which is imported when it is needed."""


def find_task(outputs: Sequence[Output], told: Told) -> Task:
    """The one task that fits. Raises ModelError where none does, or several do as well, or what is
    told does not.
    """
    if told.task is None and told.roles:
        told = replace(told, task="detection")
    if told.task is None:
        told = replace(told, task=_best(weigh(outputs, told), outputs).task)
    assert told.task is not None
    return _module(told.task).read(outputs, told)


def weigh(outputs: Sequence[Output], told: Told) -> list[Candidate]:
    """All ways in which the outputs might be read, the surest first."""
    found = [one for task in TASKS for one in _module(task).find(outputs, told)]
    return sorted(found, key=lambda one: -one.sure)


def _module(task: str) -> TaskModule:
    return cast(TaskModule, importlib.import_module(f".{TASKS[task]}", __package__))


def _best(found: Sequence[Candidate], outputs: Sequence[Output]) -> Candidate:
    if not found:
        raise ModelError(
            f"its outputs fit no task of this version ({', '.join(TASKS)}): {shown(outputs)}"
        )
    best = [one for one in found if one.sure == found[0].sure]
    if len(best) > 1:
        ways = "; ".join(f"{one.task} ({one.why})" for one in best)
        lines = ", or ".join(one.line for one in best)
        raise ModelError(
            f"its outputs could be read in {len(best)} ways: {ways}. Add the line of the right one "
            f"to its .toml file: {lines}"
        )
    return best[0]
