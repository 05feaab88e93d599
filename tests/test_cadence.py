"""When a result is published."""

from __future__ import annotations

from edged.cadence import Cadence, Publish
from edged.records.results import Anomaly, ClassScore, Detection, Findings, Value

CAT: Findings = (Detection("cat", 0.9, (0, 0, 1, 1)),)
CAT_MOVED: Findings = (Detection("cat", 0.8, (0, 0, 0.5, 1)),)
DOG: Findings = (Detection("dog", 0.9, (0, 0, 1, 1)),)
S = 1_000_000_000


def test_every_result_is_published() -> None:
    cadence = Cadence(Publish.EVERY, 10)
    assert [cadence.due(CAT, 0), cadence.due(CAT, 0)] == [True, True]


def test_change_publishes_when_the_set_of_labels_differs() -> None:
    cadence = Cadence(Publish.CHANGE, 10)
    said = [cadence.due(found, 0) for found in (CAT, CAT_MOVED, DOG, DOG, (), (), CAT + DOG)]
    assert said == [True, False, True, False, True, False, True]


def test_change_of_a_classification_looks_at_the_best_class() -> None:
    cadence = Cadence(Publish.CHANGE, 10)
    cat_dog = (ClassScore("cat", 0.6), ClassScore("dog", 0.3))
    cat_owl = (ClassScore("cat", 0.6), ClassScore("owl", 0.3))
    dog_cat = (ClassScore("dog", 0.6), ClassScore("cat", 0.3))
    assert [cadence.due(found, 0) for found in (cat_dog, cat_owl, dog_cat)] == [True, False, True]


def test_change_has_a_heartbeat() -> None:
    cadence = Cadence(Publish.CHANGE, 10)
    assert [cadence.due(CAT, second * S) for second in (0, 9, 10, 19, 20)] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_change_of_a_regression_is_one_of_any_number() -> None:
    cadence = Cadence(Publish.CHANGE, 10)
    warm, warmer = (Value("t", 21.5), Value("h", 0.4)), (Value("t", 21.5), Value("h", 0.5))
    assert [cadence.due(found, 0) for found in (warm, warm, warmer)] == [True, False, True]


def test_change_of_an_anomaly_detector_is_from_usual_to_unusual_and_back() -> None:
    cadence = Cadence(Publish.CHANGE, 10)
    scores = (None, 0.2, 0.9, 1.5, 4.0, 0.8)
    said = [cadence.due((Anomaly(0.1, score, (score or 0) > 1),), 0) for score in scores]
    assert said == [True, False, False, True, False, True]


def test_interval_publishes_once_an_interval_whatever_is_seen() -> None:
    cadence = Cadence(Publish.INTERVAL, 10)
    said = [cadence.due(found, at * S) for found, at in [(CAT, 0), (DOG, 5), (CAT, 10), (CAT, 11)]]
    assert said == [True, False, True, False]
