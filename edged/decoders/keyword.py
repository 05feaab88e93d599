"""Keywords: one output with a number for each word, moment by moment of a stream."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..errors import ModelError
from .classification import ClassificationDecoder, activation_of
from .outputs import Output, is_probability, shown
from .task import Activation, Candidate, Task, Told


def find(outputs: Sequence[Output], told: Told) -> Iterable[Candidate]:
    """Nothing about outputs tells a word from any other class."""
    return ()


def read(outputs: Sequence[Output], told: Told) -> Task:
    """Raises ModelError for other outputs."""
    if len(outputs) != 1 or sum(length != 1 for length in outputs[0].shape) > 1:
        raise ModelError(f"keyword needs one output with a number a word, it has {shown(outputs)}")
    output, words = outputs[0], math.prod(outputs[0].shape)
    activation, why = told.activation, "as told"
    if activation is None and words > 1:
        activation, why = activation_of(output)
    elif activation is None:
        sure = is_probability(output)
        activation = Activation.NONE if sure else Activation.SIGMOID
        why = "a score" if sure else "a logit, so a sigmoid is applied"
    rule = told.keyword
    over = f"{rule.threshold:g} in the mean of {rule.sliding_window}"
    return Task(
        name="keyword",
        why=f"one output of {words} word{'s' if words > 1 else ''}; {why}, heard over {over}",
        decoder=ClassificationDecoder(output.position, activation),
        classes=words,
        labels_output=output.position,
        threshold=rule.threshold,
        keyword=rule,
    )
