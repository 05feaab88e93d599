"""What a golden input has come to, held against what it was expected to come to."""

from __future__ import annotations

import pytest

from edged.golden_found import Found, differences, expectation, spans
from edged.records.results import ClassScore, Detection, Keypoint, Person, Region, Value
from edged.store.golden_tables import (
    ExpectTable,
    ObjectTable,
    PersonTable,
    RegionTable,
    ValueTable,
    WordTable,
)

CAT = Detection("cat", 0.73, (0.1, 0.2, 0.5, 0.6))
DOG = Detection("dog", 0.9, (0.5, 0.5, 0.9, 0.9))
CLASSES = Found(0.5, ClassScore("cat", 0.73))
WORDS = Found(0.7, ClassScore("yes", 0.98), words=(ClassScore("yes", 0.98), ClassScore("no", 0.2)))
OBJECTS = Found(0.5, ClassScore("dog", 0.9), detections=(DOG, CAT))
REGIONS = Found(0.0, regions=(Region("sky", 0.6), Region("tree", 0.396), Region("bird", 0.004)))
NOSE, EYE, EAR = (
    Keypoint("nose", 0.5, 0.2, 0.9),
    Keypoint("left eye", 0.55, 0.15, 0.8),
    Keypoint("left ear", 0.6, 0.15, 0.1),
)
PEOPLE = Found(0.3, people=(Person(0.8, (NOSE, EYE, EAR)),))
VALUES = Found(0.0, values=(Value("temperature", 21.53125), Value("pressure", 1013.25)))


@pytest.mark.parametrize("found", [CLASSES, WORDS, OBJECTS, REGIONS, PEOPLE, VALUES])
def test_what_was_recorded_is_found_again(found: Found) -> None:
    expect = expectation(found, 0.1, spans([found]))
    assert list(differences(expect, found)) == []


def test_what_is_over_the_threshold_is_recorded() -> None:
    assert expectation(CLASSES, 0.05, {}) == ExpectTable("cat", 0.73, tolerance=0.05)
    assert expectation(WORDS, 0.1, {}) == ExpectTable(words=(WordTable("yes", 0.98),))
    assert expectation(OBJECTS, 0.1, {}) == ExpectTable(
        detections=(ObjectTable("dog", 0.9, DOG.box), ObjectTable("cat", 0.73, CAT.box))
    )
    assert expectation(REGIONS, 0.1, {}) == ExpectTable(
        regions=(RegionTable("sky", 0.6), RegionTable("tree", 0.396))
    )
    assert expectation(PEOPLE, 0.1, {}) == ExpectTable(
        people=(PersonTable(0.8, {"nose": (0.5, 0.2), "left eye": (0.55, 0.15)}),)
    )


def test_a_value_may_be_off_by_a_share_of_how_far_values_are_apart() -> None:
    other = Found(0.0, values=(Value("temperature", 11.53125), Value("pressure", 1013.25)))
    assert expectation(VALUES, 0.1, spans([VALUES, other])) == ExpectTable(
        values=(
            ValueTable("temperature", 21.5312, tolerance=1.0),
            ValueTable("pressure", 1013.25, tolerance=100.0),
        )
    )
    zero = Found(0.0, values=(Value("error", 0.0),))
    assert expectation(zero, 0.1, spans([zero])).values == (ValueTable("error", 0.0, 0.1),)


@pytest.mark.parametrize(
    ("expect", "found", "told"),
    [
        (ExpectTable("dog"), CLASSES, ['"cat" (0.73), not "dog"']),
        (
            ExpectTable("cat", 0.9, tolerance=0.1),
            CLASSES,
            ['"cat" with a score of 0.73, which is not within 0.1 of 0.9'],
        ),
        (ExpectTable("cat"), Found(0.5, None, detections=()), ['nothing, not "cat"']),
        (ExpectTable("cat"), OBJECTS, ['"dog" (0.90), not "cat"']),
        (ExpectTable("cat"), VALUES, ["values, not label: its task is another"]),
        (ExpectTable(detections=()), CLASSES, ["label, not detections: its task is another"]),
        (
            ExpectTable(words=(WordTable("no", 0.9),)),
            WORDS,
            ['"no" with a score of 0.20, not 0.90', '"yes" (0.98), which is not in it'],
        ),
        (ExpectTable(words=(WordTable("yes", 0.9),)), WORDS, []),
        (
            ExpectTable(detections=(ObjectTable("cat", 0.73, (0.1, 0.2, 0.7, 0.6)),)),
            OBJECTS,
            [
                'one of 0.73 at 0.10 0.20 0.50 0.60 in place of a "cat" of 0.73 '
                "at 0.10 0.20 0.70 0.60",
                'a "dog" of 0.90 at 0.50 0.50 0.90 0.90 that is not in it',
            ],
        ),
        (
            ExpectTable(detections=(ObjectTable("bird", 0.8, (0.0, 0.0, 1.0, 1.0)),)),
            Found(0.5, None, detections=()),
            ['none in place of a "bird" of 0.80 at 0.00 0.00 1.00 1.00'],
        ),
        # Under the threshold, or hardly over it, is what another model may or may not find.
        (
            ExpectTable(detections=()),
            Found(0.5, None, detections=(Detection("cat", 0.59, CAT.box),)),
            [],
        ),
        (
            ExpectTable(regions=(RegionTable("sky", 0.4), RegionTable("road", 0.2))),
            REGIONS,
            [
                '60.0% of "sky", not 40.0%',
                '0.0% of "road", not 20.0%',
                '39.6% of "tree", not 0.0%',
            ],
        ),
        (
            ExpectTable(people=(PersonTable(0.8, {"nose": (0.5, 0.4), "right knee": (0.5, 0.9)}),)),
            PEOPLE,
            ["a person whose nose and right knee is elsewhere"],
        ),
        (ExpectTable(people=(PersonTable(0.4, {}),)), PEOPLE, ["a person of 0.80, not 0.40"]),
        (ExpectTable(people=()), PEOPLE, ["a person of 0.80 who is not in it"]),
        (
            ExpectTable(people=(PersonTable(0.8, {}), PersonTable(0.6, {}))),
            PEOPLE,
            ["nobody in place of a person of 0.60"],
        ),
        (
            ExpectTable(values=(ValueTable("temperature", 20, 0.5), ValueTable("depth", 1, 1))),
            VALUES,
            [
                "temperature 21.5312, which is not within 0.5 of 20",
                'no value "depth"; it has temperature, pressure',
            ],
        ),
        (
            ExpectTable(values=(ValueTable("error", 1, 0.1),)),
            Found(0.0, values=(Value("error", float("nan")),)),
            ["error nan, which is not within 0.1 of 1"],
        ),
    ],
)
def test_what_differs_is_told(expect: ExpectTable, found: Found, told: list[str]) -> None:
    assert list(differences(expect, found)) == told


def test_two_alike_are_each_found_once() -> None:
    twice = Found(0.5, None, detections=(CAT, CAT))
    wanted = ObjectTable("cat", 0.73, CAT.box)
    assert list(differences(ExpectTable(detections=(wanted, wanted)), twice)) == []
    [told] = differences(ExpectTable(detections=(wanted,)), twice)
    assert told == 'a "cat" of 0.73 at 0.10 0.20 0.50 0.60 that is not in it'
