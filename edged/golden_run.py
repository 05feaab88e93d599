"""A golden input's way through a model, in the confined child."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from .decoders.task import Keyword
from .engine.engines import Engines
from .engine.geometry import Fit
from .engine.interpreter import Engine
from .errors import ModelError
from .filter import Filter
from .golden_found import LEAST_SCORE, Found
from .golden_input import as_given
from .loading import kind_of
from .model import Inference, Model
from .reading import Reading
from .records.decoded import (
    ClassMap,
    HeardClasses,
    Numbers,
    Reconstruction,
    ScoredBoxes,
    ScoredPeople,
)
from .records.models import ModelSpec
from .records.results import ClassScore, Detection, Person, Region, Value

_MOST_RESULTS = 100


def result_of(name: str, data: bytes, engine: Engine, reading: Reading) -> Found:
    """What the model in ``engine`` makes of the file ``name``. Raises ModelError, NotFinite."""
    items = as_given(name, data, reading.input, listens=reading.task.keyword is not None)
    # One for each input: what the one before has left behind is forgotten.
    spec = ModelSpec("", "", 0, reading.task.name, ())
    model: Model = kind_of(reading)(spec, Engines(engine), reading, Fit.STRETCH)
    inferences = [model.infer(item) for item in items]
    if reading.task.keyword is not None:
        heard = [cast(HeardClasses, inference.decoded) for inference in inferences]
        return _words(name, heard, reading, reading.task.keyword)
    [inference] = inferences
    return _found(inference, reading)


def _found(inference: Inference, reading: Reading) -> Found:
    decoded, threshold = inference.decoded, reading.task.threshold or 0.0
    if isinstance(decoded, Reconstruction):
        return Found(threshold, values=(Value("error", decoded.error),))
    filter_ = Filter(
        reading.labels.name, threshold=LEAST_SCORE, allowed=None, max_results=_MOST_RESULTS
    )
    found = filter_.apply(decoded, inference.placement)
    match decoded:
        case Numbers():
            return Found(threshold, values=cast(tuple[Value, ...], found))
        case ClassMap():
            return Found(threshold, regions=cast(tuple[Region, ...], found))
        case ScoredPeople():
            return Found(threshold, people=cast(tuple[Person, ...], found))
        case ScoredBoxes():
            objects = cast(tuple[Detection, ...], found)
            best = ClassScore(objects[0].label, objects[0].score) if objects else None
            return Found(threshold, best, detections=objects)
    return Found(threshold, cast(tuple[ClassScore, ...], found)[0] if found else None)


def _words(name: str, heard: Sequence[HeardClasses], reading: Reading, rule: Keyword) -> Found:
    """The best that the mean of so many moments as the rule says comes to, for each word."""
    moments = [scores for each in heard for scores in each.scores]
    if len(moments) < rule.sliding_window:
        raise ModelError(
            f'its golden input "{name}" is too short: it has {len(moments)} moments, and a word is '
            f"heard in the mean of {rule.sliding_window}"
        )
    sums = np.cumsum([np.zeros_like(moments[0]), *moments], axis=0, dtype=np.float64)
    means = (sums[rule.sliding_window :] - sums[: -rule.sliding_window]) / rule.sliding_window
    best = means.max(axis=0).clip(0, 1).tolist()
    words = [ClassScore(reading.labels.name(number), score) for number, score in enumerate(best)]
    words.sort(key=lambda word: -word.score)
    kept = tuple(word for word in words if word.score > LEAST_SCORE)
    return Found(rule.threshold, words[0], words=kept[:_MOST_RESULTS])
