"""The stages behind a model, made of what a pipeline is to be and of the model that serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .baseline import Baseline
from .filter import Filter
from .keywords import KeywordFilter
from .model import Model
from .plan import Plan
from .store.baselines import Baselines, Learnt
from .tracking.stage import Tracking
from .tracking.tracker import MAX_DETECTIONS, Tracker


def tracking_of(plan: Plan, ids: Iterator[int]) -> Tracking | None:
    """None where objects are not tracked. ``ids``: the numbers of the tracks."""
    return Tracking(Tracker(plan.track, ids), plan.max_results) if plan.track else None


def filter_of(plan: Plan, model: Model, baseline: Baseline | None) -> Filter:
    """With the plan's threshold, else that of the model's task."""
    task, name_of = model.reading.task, model.reading.labels.name
    threshold = task.threshold if plan.threshold is None else plan.threshold
    if task.keyword is not None:
        return KeywordFilter(
            name_of,
            rule=task.keyword,
            threshold=threshold,
            allowed=plan.labels,
            max_results=plan.max_results,
        )
    return Filter(
        name_of,
        threshold=threshold,
        allowed=plan.labels,
        max_results=MAX_DETECTIONS if plan.track else plan.max_results,
        baseline=baseline,
        low=plan.track.low if plan.track else 1.0,
    )


def baseline_of(
    plan: Plan,
    bundle: str,
    model: Model,
    baselines: Baselines,
    on_learnt: Callable[[Learnt], None],
) -> Baseline | None:
    """What is usual, as this model has learnt it in this pipeline or is to learn it now; None for
    what is no anomaly detector. ``on_learnt`` is called from the inference thread.
    """
    rule = model.reading.task.anomaly
    if rule is None:
        return None
    known = baselines.find(plan.name, bundle)
    return Baseline(
        rule.learn_s,
        lambda *learnt: on_learnt(Learnt(plan.name, bundle, *learnt)),
        known.threshold if known else None,
    )
