"""How the reading of a model's outputs came about: each way to read them, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from ..errors import ModelError
from .outputs import Output
from .task import Candidate, Sure, Told
from .tasks import TASKS, read_as, told_task, weigh

_GROUNDS = {
    Sure.OPERATOR: "the operators of its graph",
    Sure.NAMES: "names and what is written into the file",
    Sure.SHAPES: "the shapes alone",
}
_TOLD = "what its files tell"


class Weighed(msgspec.Struct, frozen=True):
    """One way to read the outputs. ``what`` they would be then; None: nothing points to it.
    ``reason``: why it was ``taken``, or why not.
    """

    task: str
    layout: str | None
    what: str | None
    taken: bool
    reason: str

    def __str__(self) -> str:
        name = f"{self.task}, {self.layout}" if self.layout else self.task
        return f"{name} ({self.what}): {self.reason}" if self.what else f"{name}: {self.reason}"


def explain(outputs: Sequence[Output], told: Told) -> tuple[Weighed, ...]:
    """All that was weighed, the surest first, and then the tasks to which nothing points. One is
    taken where ``find_task`` finds one, and none where it raises ModelError.
    """
    told = told_task(told)
    found = weigh(outputs, told)
    asked = [one for one in found if _is_asked_for(one, told)]
    best = [one for one in asked if one.sure == asked[0].sure]
    weighed = [_judged(one, outputs, told, asked, best) for one in found]
    if told.task is not None and not asked:
        weighed.insert(0, _only_told(told.task, outputs, told))
    named = {one.task for one in weighed}
    return (*weighed, *_others([task for task in TASKS if task not in named], outputs, told))


def _is_asked_for(one: Candidate, told: Told) -> bool:
    return told.task in (None, one.task) and told.detection.layout in (None, one.layout)


def _judged(
    one: Candidate,
    outputs: Sequence[Output],
    told: Told,
    asked: Sequence[Candidate],
    best: Sequence[Candidate],
) -> Weighed:
    taken, reason = False, ""
    if one not in asked:
        reason = f"passed over: {_TOLD} is another"
    elif one not in best:
        reason = f"passed over: it rests on {_GROUNDS[one.sure]}"
    elif len(best) > 1:
        reason = f"as likely as another, by {_GROUNDS[one.sure]}; {one.line} would choose it"
    elif (fault := _fault(one.task, one.layout, outputs, told)) is not None:
        reason = f"refused: {fault}"
    else:
        by_files = told.task is not None and len(asked) == 1
        taken, reason = True, f"taken, by {_TOLD if by_files else _GROUNDS[one.sure]}"
    return Weighed(one.task, one.layout, one.why, taken, reason)


def _only_told(task: str, outputs: Sequence[Output], told: Told) -> Weighed:
    fault = _fault(task, told.detection.layout, outputs, told)
    reason = f"taken, by {_TOLD}" if fault is None else f"refused: {fault}"
    return Weighed(task, told.detection.layout, None, fault is None, reason)


def _others(tasks: Sequence[str], outputs: Sequence[Output], told: Told) -> Iterator[Weighed]:
    for task in tasks:
        fault = _fault(task, None, outputs, replace(told, roles={}))
        line = f'it could be told: task = "{task}"'
        yield Weighed(task, None, None, False, line if fault is None else f"does not fit: {fault}")


def _fault(task: str, layout: str | None, outputs: Sequence[Output], told: Told) -> str | None:
    """Why the outputs cannot be read so; None: they can."""
    try:
        read_as(task, layout, outputs, told)
    except ModelError as error:
        return str(error)
    return None
