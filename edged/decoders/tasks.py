"""Which task a model's outputs are for, found from what the file says, never guessed.

What is told (sidecar) comes first. Else each task says how the outputs might be read as its own,
and what that rests on: what the graph itself says (the operator that gives an output) before names
(signature, metadata, well-known ones) before shapes. The best grounds must leave one reading.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import cast

from msgspec.structs import replace

from .outputs import Output
from .task import Candidate, Task, TaskModule, Told, best_of

TASKS: Mapping[str, str] = {
    "classification": "classification",
    "detection": "layouts",
    "segmentation": "segmentation",
    "pose": "pose",
    "keyword": "keyword",
    "regression": "regression",
    "anomaly": "anomaly",
}
"""Each task's file here, which is imported when it is needed."""


def find_task(outputs: Sequence[Output], told: Told) -> Task:
    """The one task that fits. Raises ModelError where none does, or several do as well, or what is
    told does not.
    """
    told = told_task(told)
    if told.task is not None:
        return read_as(told.task, None, outputs, told)
    fits = f"fit no task of this version ({', '.join(TASKS)})"
    best = best_of(weigh(outputs, told), outputs, fits)
    return read_as(best.task, best.layout, outputs, told)


def told_task(told: Told) -> Told:
    """With the task that what is told comes to: only detectors have roles and layouts."""
    if told.task is None and (told.roles or told.detection.layout):
        return replace(told, task="detection")
    return told


def read_as(task: str, layout: str | None, outputs: Sequence[Output], told: Told) -> Task:
    """As that task, and as the layout that is told where ``layout`` is None. Raises ModelError."""
    detection = replace(told.detection, layout=layout or told.detection.layout)
    return _module(task).read(outputs, replace(told, task=task, detection=detection))


def weigh(outputs: Sequence[Output], told: Told) -> list[Candidate]:
    """All ways in which the outputs might be read, the surest first."""
    found = [one for task in TASKS for one in _module(task).find(outputs, told)]
    return sorted(found, key=lambda one: -one.sure)


def _module(task: str) -> TaskModule:
    return cast(TaskModule, importlib.import_module(f".{TASKS[task]}", __package__))
