"""Events and counts of scenes that are written down."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from edged.minimise import Minimiser
from edged.presence.areas import Line, Zone
from edged.presence.stage import Presence, Rules
from edged.records.happenings import Counts, EventType, Happening
from edged.records.published import Record
from edged.records.results import Anomaly, ClassScore, Detection, Person

S = 1_000_000_000
DRIVEWAY = Zone("driveway", ((0, 0.5), (1, 0.5), (1, 1), (0, 1)), None, "bottom")
RULES = Rules((DRIVEWAY,), (), 2, 3, 60, 60, True, True, Minimiser(None, 1))


class Scene:
    """A presence, and what it has told."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.told: list[Record] = []
        self.presence = Presence("front", rules, self.told.append)
        self.at_s = 0.0

    def frames(self, count: int, *found: Detection | ClassScore | Anomaly | Person) -> None:
        for _ in range(count):
            self.presence.take(found, round(self.at_s * S))  # type: ignore[arg-type]
            self.at_s += 1

    @property
    def events(self) -> list[Happening]:
        return [each for each in self.told if isinstance(each, Happening)]

    @property
    def types(self) -> list[str]:
        return [each.type.value for each in self.events]

    @property
    def counts(self) -> Counts:
        return [each for each in self.told if isinstance(each, Counts)][-1]


def person(y: float = 0.8, track: int = 7, label: str = "person", score: float = 0.8) -> Detection:
    return Detection(label, score, (0.4, y - 0.3, 0.6, y), track)


def test_who_enters_a_zone_starts_an_event_that_ends_when_he_leaves_it() -> None:
    scene = Scene()
    scene.frames(3, person(0.3))
    scene.frames(4, person(0.8))
    scene.frames(1, person(0.9, score=0.9))
    scene.frames(5, person(0.3))
    started, ended = scene.events
    assert (started.type, ended.type) == (EventType.STARTED, EventType.ENDED)
    assert started.id == ended.id
    assert (started.label, started.zone, started.track) == ("person", "driveway", 7)
    assert (started.started_ns, ended.started_ns, ended.seen_ns) == (3 * S, 3 * S, 7 * S)
    assert (started.score, ended.score) == (0.8, 0.9)
    assert ended.box == (0.4, pytest.approx(0.6), 0.6, 0.9)
    assert scene.counts.zones["driveway"].inside == {}
    assert (scene.counts.zones["driveway"].entered, scene.counts.zones["driveway"].left) == (1, 1)


def test_one_frame_too_many_and_two_too_few_are_told_to_nobody() -> None:
    scene = Scene()
    scene.frames(1, person())
    scene.frames(1)
    scene.frames(3, person())
    scene.frames(2)
    scene.frames(2, person())
    assert scene.types == ["started"]
    assert scene.events[0].started_ns == 2 * S


def test_an_event_that_lasts_is_told_again() -> None:
    scene = Scene()
    scene.frames(130, person())
    assert scene.types == ["started", "updated", "updated"]
    assert scene.events[-1].seen_ns == 121 * S


def test_more_events_than_are_allowed_are_counted_but_not_told() -> None:
    scene = Scene(replace(RULES, per_minute=2))
    scene.frames(2, *(person(track=track) for track in range(1, 6)))
    assert scene.types == ["started", "started"]
    assert scene.counts.objects == {"person": 5}
    scene.presence.end(scene.at_s.__trunc__() * S)
    assert scene.types == ["started", "started", "ended", "ended"]


def test_all_ends_when_nobody_looks_for_long() -> None:
    scene = Scene()
    scene.frames(3, person())
    scene.presence.check(True, 10 * S)
    scene.presence.check(False, 39 * S)
    assert scene.types == ["started"]
    scene.presence.check(False, 41 * S)
    assert scene.types == ["started", "ended"]
    assert scene.events[-1].seen_ns == 2 * S
    assert scene.counts.objects == {}
    scene.frames(2, person())
    assert scene.types == ["started", "ended", "started"]


def test_without_zones_and_tracks_events_are_of_labels() -> None:
    scene = Scene(replace(RULES, zones=(), by_track=False))
    cat = ClassScore("cat", 0.7)
    scene.frames(3, cat)
    scene.frames(3)
    started, ended = scene.events
    assert (started.label, started.track, started.zone, started.box) == ("cat", None, None, None)
    assert ended.type is EventType.ENDED
    scene.frames(2, Anomaly(1.0, 2.0, True))
    assert scene.events[-1].label == "anomaly"
    assert scene.events[-1].score is None


def test_boxes_without_tracks_are_counted_when_they_stay_as_many() -> None:
    scene = Scene(replace(RULES, zones=(), by_track=False))
    two = (Detection("cat", 0.9, (0, 0, 1, 1)), Detection("cat", 0.8, (0, 0, 1, 1)))
    scene.frames(1, *two)
    scene.frames(1, two[0])
    scene.frames(1, *two)
    assert all(not each.objects for each in scene.told if isinstance(each, Counts))
    scene.frames(1, *two)
    assert scene.counts.objects == {"cat": 2}


def test_what_has_no_boxes_is_counted_too() -> None:
    scene = Scene(replace(RULES, zones=(), by_track=False))
    scene.frames(2, ClassScore("cat", 0.7), ClassScore("dog", 0.6))
    assert scene.counts.objects == {"cat": 1, "dog": 1}
    somebody = Person(0.8, ())
    scene.frames(2, somebody, somebody)
    assert scene.counts.objects == {"person": 2}
    scene.frames(2, Anomaly(0.1, 0.5, False))
    assert scene.counts.objects == {}


def test_fewer_than_the_least_number_are_told_nowhere() -> None:
    gate = Line("gate", (0.5, 1.0), (0.5, 0.0), None, "bottom")
    rules = replace(RULES, lines=(gate,), minimiser=Minimiser(0.5, 3))
    scene = Scene(rules)
    scene.frames(3, person(track=1), person(track=2))
    assert scene.events == []
    assert scene.counts.objects == {}
    scene.frames(3, *(person(track=track) for track in (1, 2, 3, 4)))
    (started,) = scene.events
    assert (started.track, started.box, started.score) == (None, None, None)
    assert scene.counts.zones["driveway"].inside == {"person": 4}
    assert scene.counts.zones["driveway"].entered == 3
    scene.frames(4, person(track=1))
    assert scene.types == ["started", "ended"]
    assert scene.counts.zones["driveway"].inside == {}


def test_boxes_of_events_are_coarse() -> None:
    scene = Scene(replace(RULES, minimiser=Minimiser(0.5, 1)))
    scene.frames(2, person())
    assert scene.events[0].box == (0.0, 0.5, 1.0, 1.0)


def test_counts_alone_are_told_where_that_is_asked_for() -> None:
    scene = Scene(replace(RULES, tells_events=False))
    scene.frames(3, person())
    scene.presence.end(9 * S)
    assert scene.events == []
    assert [each.objects for each in scene.told if isinstance(each, Counts)] == [
        {},
        {"person": 1},
        {},
    ]


def test_counts_are_told_when_they_change() -> None:
    scene = Scene()
    scene.frames(50, person())
    assert len([each for each in scene.told if isinstance(each, Counts)]) == 2
