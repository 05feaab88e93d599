"""When a word is heard."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edged.cadence import Cadence, Publish
from edged.decoders.task import Keyword
from edged.keywords import KeywordFilter
from edged.records.arrays import FloatArray
from edged.records.decoded import HeardClasses
from edged.records.results import ClassScore

STEP_S = 0.03
S = 10**9
NAMES = {0: "yes", 1: "no"}


def listening(
    sliding_window: int = 1,
    refractory_s: float = 2.0,
    threshold: float = 0.5,
    allowed: tuple[str, ...] | None = None,
) -> KeywordFilter:
    return KeywordFilter(
        lambda number: NAMES.get(number, str(number)),
        rule=Keyword(sliding_window, refractory_s),
        threshold=threshold,
        allowed=allowed,
        max_results=25,
    )


def scores(*of_words: float) -> FloatArray:
    return np.array(of_words, np.float32)


def heard_at(
    filter_: KeywordFilter, probabilities: list[float], step_s: float = STEP_S, began_s: float = 0
) -> list[float]:
    """When the first word was heard, one probability a window."""
    times = []
    for number, probability in enumerate(probabilities):
        ended_s = began_s + (number + 1) * step_s
        if filter_.apply(HeardClasses((scores(probability),), ended_s, anew=number == 0), None):
            times.append(round(ended_s, 6))
    return times


def test_a_word_is_heard_when_the_mean_is_over_the_threshold() -> None:
    probabilities = [0.0] * 5 + [1.0] * 3
    assert heard_at(listening(sliding_window=4), probabilities) == [8 * STEP_S]
    found = listening(sliding_window=2).apply(
        HeardClasses((scores(0.25), scores(1.0)), 1.0, anew=True), None
    )
    assert found == (ClassScore("yes", 0.625),)


def test_a_mean_that_is_just_the_threshold_is_not_over_it() -> None:
    assert heard_at(listening(sliding_window=2, threshold=0.75), [0.5, 1.0, 0.5]) == []


def test_fewer_scores_than_the_window_holds_say_nothing() -> None:
    assert heard_at(listening(sliding_window=5), [1.0] * 4) == []
    assert heard_at(listening(sliding_window=5), [1.0] * 5) == [5 * STEP_S]


def test_a_word_is_not_heard_again_within_the_refractory_time() -> None:
    assert heard_at(listening(refractory_s=1.0), [1.0] * 8, step_s=0.25) == [0.25, 1.5]


def test_the_refractory_time_is_one_of_the_stream_however_fast_it_is_played() -> None:
    """A recording of hours goes by in seconds."""
    assert heard_at(listening(refractory_s=60), [1.0] * 4, step_s=30) == [30.0, 120.0]


def test_words_are_heard_each_for_itself() -> None:
    filter_ = listening(refractory_s=10)
    stream = [scores(0.9, 0.1), scores(0.1, 0.8), scores(0.9, 0.9)]
    found = [
        filter_.apply(HeardClasses((moment,), at * STEP_S, anew=False), None)
        for at, moment in enumerate(stream)
    ]
    labels = [[word.label for word in words if isinstance(word, ClassScore)] for words in found]
    assert labels == [["yes"], ["no"], []]


def test_only_allowed_words_are_heard() -> None:
    filter_ = listening(allowed=("no",))
    (found,) = filter_.apply(HeardClasses((scores(0.9, 0.8),), 1, anew=True), None)
    assert isinstance(found, ClassScore)
    assert found.label == "no"


def test_nothing_of_what_was_heard_before_a_gap_counts() -> None:
    filter_ = listening(sliding_window=3)
    assert heard_at(filter_, [1.0, 1.0]) == []
    assert heard_at(filter_, [1.0, 0.0], began_s=5) == []
    assert heard_at(filter_, [1.0, 1.0, 0.9], began_s=9) == [round(9 + 3 * STEP_S, 6)]


def test_a_gap_does_not_end_the_refractory_time_but_a_new_opening_does() -> None:
    filter_ = listening(refractory_s=2)
    assert heard_at(filter_, [1.0], began_s=10)
    assert heard_at(filter_, [1.0], began_s=11) == []
    assert heard_at(filter_, [1.0], began_s=0) == [STEP_S]  # the source counts from 0 again


def test_a_threshold_that_is_set_holds_from_the_next_moment_on() -> None:
    filter_ = listening(threshold=0.9)
    assert heard_at(filter_, [0.8]) == []
    filter_.threshold = 0.7
    assert heard_at(filter_, [0.8], began_s=1)


def test_a_window_without_a_moment_says_nothing() -> None:
    assert listening(threshold=0).apply(HeardClasses((), 1.0, anew=True), None) == ()


@given(st.lists(st.integers(0, 255), max_size=60), st.integers(1, 8), st.floats(0, 1, width=32))
def test_the_first_is_heard_where_a_mean_by_the_book_is(
    stored: list[int], sliding_window: int, threshold: float
) -> None:
    """As `statistics.mean` says, which does not round on the way, of a model's 8 bits."""
    probabilities = [number / 256 for number in stored]
    expected = [
        round((end + 1) * STEP_S, 6)
        for end in range(sliding_window - 1, len(stored))
        if statistics.mean(probabilities[end + 1 - sliding_window : end + 1]) > threshold
    ]
    filter_ = listening(sliding_window, refractory_s=3600, threshold=threshold)
    assert heard_at(filter_, probabilities) == expected[:1]


# ---- when that is published ----------------------------------------------------------------------

HEARD = (ClassScore("yes", 0.9),)


def test_what_happens_is_published_each_time_and_nothing_in_between() -> None:
    """With ``change`` too: hearing the same word again is news, and silence needs no heartbeat."""
    for publish in (Publish.EVERY, Publish.CHANGE):
        cadence = Cadence(publish, 10)
        stream = [(), HEARD, (), HEARD, HEARD, (), ()]
        said = [cadence.due(found, at * 11 * S, happens=True) for at, found in enumerate(stream)]
        assert said == [False, True, False, True, True, False, False]


def test_an_interval_bounds_how_often_what_happens_is_published() -> None:
    cadence = Cadence(Publish.INTERVAL, 10)
    stream = [((), 0), (HEARD, 20), (HEARD, 25), ((), 31), (HEARD, 35)]
    said = [cadence.due(found, at * S, happens=True) for found, at in stream]
    assert said == [False, True, False, False, True]
