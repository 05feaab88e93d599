"""What a golden input has come to, held against what it was expected to come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from .records.results import ClassScore, Detection, Person, Region, Value
from .store.golden_tables import (
    ExpectTable,
    ObjectTable,
    PersonTable,
    RegionTable,
    ValueTable,
    WordTable,
)
from .store.labels import publishable

Scored = TypeVar("Scored", ClassScore, Detection, Person)

LEAST_SCORE = 0.01
"""Less is told of nothing: what may be off by ``tolerance`` can be far under the threshold."""
_LEAST_KEYPOINT = 0.3
_LEAST_FRACTION = 0.01
_DIGITS = 4


class Found(msgspec.Struct, frozen=True):
    """What a model makes of an input, as it would be published but for the threshold, under which
    (down to ``LEAST_SCORE``) things are held too. ``best``: the best class, word or detection.
    What the model's task does not find is None.
    """

    threshold: float
    best: ClassScore | None = None
    words: tuple[ClassScore, ...] | None = None
    detections: tuple[Detection, ...] | None = None
    regions: tuple[Region, ...] | None = None
    people: tuple[Person, ...] | None = None
    values: tuple[Value, ...] | None = None

    @property
    def kind(self) -> str:
        """That of ``ExpectTable`` which tells most of it."""
        kinds = ("words", "detections", "regions", "people", "values")
        return next((kind for kind in kinds if getattr(self, kind) is not None), "label")


# ---- differences ---------------------------------------------------------------------------------


def differences(expect: ExpectTable, found: Found) -> Iterator[str]:
    """What is not as expected; each goes on after "its golden input gives"."""
    kind = expect.kind
    if kind == "label" and found.kind in ("label", "words", "detections"):
        yield from _other_label(expect, found)
    elif kind != found.kind:
        yield f"{found.kind}, not {kind}: its task is another"
    else:
        yield from _LOOKS[kind](expect, found)


def _other_label(expect: ExpectTable, found: Found) -> Iterator[str]:
    assert expect.label is not None
    label, best = publishable(expect.label), found.best
    if best is None:
        yield f'nothing, not "{label}"'
    elif best.label != label:
        yield f'"{best.label}" ({best.score:.2f}), not "{label}"'
    elif expect.score is not None and _off(best.score, expect.score, expect.tolerance):
        yield (
            f'"{best.label}" with a score of {best.score:.4g}, which is not within '
            f"{expect.tolerance:g} of {expect.score:g}"
        )


def _other_words(expect: ExpectTable, found: Found) -> Iterator[str]:
    wanted = {publishable(word.label): word.score for word in expect.words or ()}
    scores = {word.label: word.score for word in found.words or ()}
    for label, score in wanted.items():
        if _off(scores.get(label, 0.0), score, expect.tolerance):
            yield f'"{label}" with a score of {scores.get(label, 0.0):.2f}, not {score:.2f}'
    for label, score in scores.items():
        if label not in wanted and score > found.threshold + expect.tolerance:
            yield f'"{label}" ({score:.2f}), which is not in it'


def _other_objects(expect: ExpectTable, found: Found) -> Iterator[str]:
    left = list(found.detections or ())
    for wanted in expect.detections or ():
        label = publishable(wanted.label)
        alike = [each for each in left if each.label == label]
        fits = [each for each in alike if _same_object(each, wanted, expect.tolerance)]
        if fits:
            left.remove(min(fits, key=lambda each: _distance(each.box, wanted.box)))
            continue
        nearest = min(alike, key=lambda each: _distance(each.box, wanted.box), default=None)
        instead = "none" if nearest is None else f"one of {nearest.score:.2f} {_at(nearest.box)}"
        yield f'{instead} in place of a "{label}" of {wanted.score:.2f} {_at(wanted.box)}'
        if nearest is not None:
            left.remove(nearest)
    for each in left:
        if each.score > found.threshold + expect.tolerance:
            yield f'a "{each.label}" of {each.score:.2f} {_at(each.box)} that is not in it'


def _same_object(found: Detection, wanted: ObjectTable, tolerance: float) -> bool:
    near = _distance(found.box, wanted.box) <= tolerance
    return near and not _off(found.score, wanted.score, tolerance)


def _other_regions(expect: ExpectTable, found: Found) -> Iterator[str]:
    wanted = {publishable(region.label): region.fraction for region in expect.regions or ()}
    there = {region.label: region.fraction for region in found.regions or ()}
    for label in {**wanted, **there}:
        has, should = there.get(label, 0.0), wanted.get(label, 0.0)
        if _off(has, should, expect.tolerance):
            yield f'{has:.1%} of "{label}", not {should:.1%}'


def _other_people(expect: ExpectTable, found: Found) -> Iterator[str]:
    left = sorted(found.people or (), key=lambda person: -person.score)
    for wanted in expect.people or ():
        misses = [_misplaced(wanted, each, expect.tolerance) for each in left]
        scored = [not _off(each.score, wanted.score, expect.tolerance) for each in left]
        best = min(range(len(left)), key=lambda n: (len(misses[n]), not scored[n]), default=None)
        if best is None:
            yield f"nobody in place of a person of {wanted.score:.2f}"
            continue
        person = left.pop(best)
        if misses[best]:
            yield f"a person whose {' and '.join(misses[best][:3])} is elsewhere"
        elif not scored[best]:
            yield f"a person of {person.score:.2f}, not {wanted.score:.2f}"
    for person in left:
        if person.score > found.threshold + expect.tolerance:
            yield f"a person of {person.score:.2f} who is not in it"


def _misplaced(wanted: PersonTable, person: Person, tolerance: float) -> list[str]:
    """The keypoints that are not where they should be."""
    places = {str(point.name): (point.x, point.y) for point in person.keypoints}
    return [
        name
        for name, point in wanted.keypoints.items()
        if name not in places or _distance(places[name], point) > tolerance
    ]


def _other_values(expect: ExpectTable, found: Found) -> Iterator[str]:
    there = {value.label: value.value for value in found.values or ()}
    for wanted in expect.values or ():
        label = publishable(wanted.label)
        if label not in there:
            yield f'no value "{label}"; it has {", ".join(there)}'
        elif _off(there[label], wanted.value, wanted.tolerance):
            yield (
                f"{label} {there[label]:.6g}, which is not within {wanted.tolerance:g} of "
                f"{wanted.value:.6g}"
            )


_LOOKS: Mapping[str, Callable[[ExpectTable, Found], Iterator[str]]] = {
    "words": _other_words,
    "detections": _other_objects,
    "regions": _other_regions,
    "people": _other_people,
    "values": _other_values,
}


def _off(number: float, wanted: float, tolerance: float) -> bool:
    """Also where it is no number."""
    return not abs(number - wanted) <= tolerance * (1 + 1e-9)


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    """By the coordinate that is furthest off."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _at(box: Sequence[float]) -> str:
    return f"at {' '.join(f'{edge:.2f}' for edge in box)}"


# ---- what is recorded ----------------------------------------------------------------------------


def spans(results: Sequence[Found]) -> dict[str, float]:
    """How far apart the values of each label are over all inputs; of values that are all the same,
    how large they are.
    """
    by_label: dict[str, list[float]] = {}
    for result in results:
        for value in result.values or ():
            by_label.setdefault(value.label, []).append(value.value)
    return {
        label: (max(values) - min(values)) or abs(values[0]) for label, values in by_label.items()
    }


def expectation(found: Found, tolerance: float, apart: Mapping[str, float]) -> ExpectTable:
    """What ``found`` is to be expected as: what is over the threshold. The tolerance of a value is
    such a share of how far values are ``apart``.
    """
    match found.kind:
        case "words":
            words = _over(found.words or (), found.threshold)
            kept = tuple(WordTable(word.label, _share(word.score)) for word in words)
            return ExpectTable(words=kept, tolerance=tolerance)
        case "detections":
            objects = tuple(
                ObjectTable(each.label, _share(each.score), _box(each.box))
                for each in _over(found.detections or (), found.threshold)
            )
            return ExpectTable(detections=objects, tolerance=tolerance)
        case "regions":
            regions = tuple(
                RegionTable(region.label, _share(region.fraction))
                for region in found.regions or ()
                if region.fraction >= _LEAST_FRACTION
            )
            return ExpectTable(regions=regions, tolerance=tolerance)
        case "people":
            people = tuple(map(_person, _over(found.people or (), found.threshold)))
            return ExpectTable(people=people, tolerance=tolerance)
        case "values":
            values = tuple(_value(value, tolerance, apart) for value in found.values or ())
            return ExpectTable(values=values)
    assert found.best is not None  # of a classification one class is always the best
    return ExpectTable(found.best.label, _share(found.best.score), tolerance=tolerance)


def _over(found: Sequence[Scored], threshold: float) -> list[Scored]:
    return [each for each in found if each.score > threshold]


def _person(person: Person) -> PersonTable:
    seen = [point for point in person.keypoints if point.score >= _LEAST_KEYPOINT]
    points = {str(point.name): (_share(point.x), _share(point.y)) for point in seen}
    return PersonTable(_share(person.score), points)


def _value(value: Value, tolerance: float, apart: Mapping[str, float]) -> ValueTable:
    number = float(f"{value.value:.6g}")
    span = apart.get(value.label) or abs(number) or 1.0
    return ValueTable(value.label, number, float(f"{tolerance * span:.2g}"))


def _share(number: float) -> float:
    return min(1.0, max(0.0, round(number, _DIGITS)))


def _box(box: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = map(_share, box)
    return x0, y0, x1, y1
