"""Whether a model can do what pipelines ask of it, and if not, why: in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from .cascade import Trigger
from .errors import ModelError
from .plan import Plan
from .reading import Reading
from .records.models import ModelSpec
from .records.results import ANOMALY_LABEL, PERSON_LABEL
from .store.labels import nearest


def unknown_labels(allowed: Sequence[str] | None, known: Sequence[str]) -> str | None:
    """A sentence about labels of an allow-list that the model does not have; None if it has all.

    A number is one that it may have: a class without a label goes by it.
    """
    missing = [label for label in allowed or () if label not in known and not label.isdecimal()]
    return f"{_no_labels(missing, known)}: nothing is published for it" if missing else None


def nothing_to_crop(wanted: AbstractSet[str] | None, known: Sequence[str]) -> str | None:
    """A sentence where a model has none of the labels that are to be cropped (casefolded; None:
    all); None where it has one, or its classes go by numbers.
    """
    if not wanted or not known or wanted & {label.casefold() for label in known}:
        return None
    return _no_labels(sorted(wanted), known)


def _no_labels(missing: Sequence[str], known: Sequence[str]) -> str:
    parts = []
    for label in missing:
        near = " or ".join(f'"{name}"' for name in nearest(label, known))
        parts.append(f'"{label}"' + (f" (did you mean {near}?)" if near else ""))
    plural = "s" if len(missing) > 1 else ""
    return f"the model has no label{plural} {', '.join(parts)}"


def refuse_untrackable(reading: Reading, tracked: bool) -> None:
    """Raise ModelError where objects are to be tracked and the model finds none."""
    if tracked and reading.task.name != "detection":
        raise ModelError(
            f"it does {reading.task.name}, and only the objects of a detection can be tracked: "
            "take its track, zones and lines out, or name another model"
        )


def crop_misfit(name: str, task: str) -> str | None:
    """Why nothing that pipeline ``name`` finds can be cropped; None: it can."""
    if task == "detection":
        return None
    return (
        f"pipeline {name} does {task}, and only the objects of a detection can be cropped: name "
        "another pipeline in crop.from, or give that one another model"
    )


def refuse_other_contract(reading: Reading, active: ModelSpec, allowed: Sequence[str]) -> None:
    """Raise ModelError for a task or labels that those who subscribe cannot use, to whom ``active``
    has been published so far, and of its labels those ``allowed``.
    """
    if reading.task.name != active.task:
        raise ModelError(
            f"it does {reading.task.name}, and the pipeline serves {active.task}. Install it "
            "under another name, and name that in the pipeline"
        )
    known = reading.labels.known
    if allowed and set(allowed) & set(active.labels) and not set(allowed) & set(known):
        raise ModelError("it has none of the labels that the pipeline publishes")


def never_found(plan: Plan, model: ModelSpec) -> str | None:
    """What becomes of a pipeline where the model of the one that it needs never finds what it is to
    find; None: it may.
    """
    if plan.crop is not None:
        none = nothing_to_crop(plan.crop.labels, model.labels)
        return none and f"has nothing to look at: in pipeline {plan.crop.pipeline} {none}"
    if plan.trigger is not None:
        none = _label_never_found(plan.trigger, model)
        return none and f"will not wake: it is asleep until {plan.trigger}, and {none}"
    return None


def _label_never_found(trigger: Trigger, model: ModelSpec) -> str | None:
    """A sentence where no result of the model can have the label; None: there may be one."""
    labels = {"anomaly": (ANOMALY_LABEL,), "pose": (PERSON_LABEL,)}.get(model.task, model.labels)
    wanted = (trigger.label or "").casefold()
    if not wanted or not labels or wanted in map(str.casefold, labels):
        return None
    return unknown_labels([wanted], labels)
