"""What is found in the crops of a frame, with real small models."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from household import BLUE, GREEN, RED, House, load
from msgspec.structs import replace

from edged.cadence import Publish
from edged.crop_pipeline import CropCadence, CropPipeline, Looked, minimised, together
from edged.crops import CropRule, Sighting, weight
from edged.engine.geometry import Fit, Rect
from edged.filter import Filter
from edged.handoff import LatestSlot
from edged.loading import LoadOptions
from edged.minimise import Minimiser
from edged.model import Model
from edged.pipeline import Serving
from edged.presence.stage import Presence, Rules
from edged.records.frames import Box, Frame, PixelOrder
from edged.records.happenings import Counts, Happening
from edged.records.published import Record
from edged.records.results import ClassScore, CropOf, Detection, Findings, Person, Result
from edged.samples import Captured, Crop, Crops
from edged.service.metrics import PipelineStats
from edged.slots import Slots, Turn
from edged.trial import Expected

LABELS = ("red", "green", "blue")
RULE = CropRule("front", None, 0.0, 8, False, Minimiser(None, 1), waits=False, empty=True)
# A red, a green and a blue part, and one of each at the edges; the last is a single pixel.
PARTS: dict[Box, tuple[int, int, int]] = {
    (0.0, 0.0, 0.25, 0.5): RED,
    (0.5, 0.25, 0.75, 0.75): GREEN,
    (0.75, 0.5, 1.0, 1.0): BLUE,
    (63 / 64, 0.0, 1.0, 1 / 48): RED,
}
S = 1_000_000_000


def coloured(number: int = 0) -> Frame:
    pixels = np.zeros((48, 64, 3), np.uint8)
    for (x_min, y_min, x_max, y_max), colour in PARTS.items():
        rows = slice(round(y_min * 48), round(y_max * 48))
        pixels[rows, round(x_min * 64) : round(x_max * 64)] = colour
    return Frame(number, 0, 0, pixels, PixelOrder.RGB)


def objects(*labels: str, tracks: Sequence[int | None] = ()) -> tuple[Detection, ...]:
    return tuple(
        Detection(label, 0.9, box, track)
        for label, box, track in itertools.zip_longest(labels, list(PARTS)[: len(labels)], tracks)
    )


ALL = objects("a", "b", "c", "d")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@dataclass
class Run:
    """A pipeline that has run over frames in which these objects were found, to the end."""

    model: Model
    frames: Sequence[tuple[Detection, ...]]
    threshold: float = 0.5
    publish: Publish = Publish.EVERY
    tracked: bool = False
    minimiser: Minimiser | None = None
    presence: Presence | None = None
    expected: Expected | None = None
    rule: CropRule = RULE
    turn: Turn | None = None
    results: list[Result] = field(default_factory=list)
    faults: list[str | None] = field(default_factory=list)
    trials: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stats = PipelineStats(0)
        slot: LatestSlot[Captured] = LatestSlot(weight)
        slot.hold(len(self.frames))
        for number, found in enumerate(self.frames):
            slot.put(self.rule.crops(Sighting(coloured(number), found, number)))
        slot.close()
        name_of = self.model.reading.labels.name
        filter_ = Filter(name_of, threshold=self.threshold, allowed=None, max_results=25)
        pipeline = CropPipeline(
            "close",
            slot,
            CropCadence(self.publish, 1e6, tracked=self.tracked),
            self.stats,
            itertools.count(),
            presence=self.presence,
            minimiser=self.minimiser,
            publish=self.results.append,
            send=lambda: None,
            on_fault=self.faults.append,
            on_trial=lambda _tried, failure, _now: self.trials.append(failure),
            turn=self.turn or Slots(2).turn(1),
        )
        pipeline.swap(Serving("m", self.model, filter_, self.expected))
        pipeline.run()

    @property
    def said(self) -> list[tuple[int | None, str, str]]:
        """Of each result: the frame, the object, and the best class."""
        found = []
        for result in self.results:
            assert result.crop is not None
            best = result.findings[0]
            assert isinstance(best, ClassScore)
            found.append((result.crop.sequence, result.crop.label, best.label))
        return found


def classifier(
    house: House, name: str = "classifier_uint8", fit: Fit = Fit.STRETCH, batch: int = 1
) -> Model:
    house.model(name)
    house.labels(name, *LABELS)
    return load(house.models, name, LoadOptions(1, None, fit, batch=batch))


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("name", ["classifier_uint8", "classifier_int8", "classifier_float32"])
def test_each_object_is_looked_at_by_itself_and_has_a_result(
    house: House, name: str, fit: Fit
) -> None:
    run = Run(classifier(house, name, fit), [ALL], threshold=0.0)
    assert run.said == [(0, "a", "red"), (0, "b", "green"), (0, "c", "blue"), (0, "d", "red")]
    assert [result.sequence for result in run.results] == [0, 1, 2, 3]
    assert {result.captured_ns for result in run.results} == {0}
    assert [result.crop.box for result in run.results if result.crop] == list(PARTS)
    assert (run.stats.inferred, run.stats.published) == (4, 4)


def test_a_model_for_any_number_gets_all_objects_of_a_frame_at_once(house: House) -> None:
    model = classifier(house, "classifier_float32_dynamic_batch", batch=8)
    single = classifier(house, "classifier_float32")
    assert model.takes_batches
    assert not single.takes_batches
    turn = CountedTurn()
    frames = [ALL, ALL[:1], (), ALL[1:3], ALL]
    run = Run(model, frames, threshold=0.0, turn=turn)
    expected = Run(single, frames, threshold=0.0)
    assert run.said == expected.said
    for one, other in zip(run.results, expected.results, strict=True):
        for found, known in zip(one.findings, other.findings, strict=True):
            assert found.score == pytest.approx(known.score, abs=0.2)  # type: ignore[union-attr]
    assert turn.begun == len(frames)


class CountedTurn(Turn):
    def __init__(self) -> None:
        super().__init__(Slots(1), 1)
        self.begun = 0

    def begin(self, *arguments: object) -> None:
        self.begun += 1
        self._pool.lock.acquire()  # of a pool of its own, which nobody else asks
        self._pool.lock.release()

    def end(self) -> None:
        """Nobody waits."""


def test_each_object_is_a_turn_of_its_own(house: House) -> None:
    turn = CountedTurn()
    Run(classifier(house), [ALL, ALL[:1], ()], turn=turn)
    assert turn.begun == 4 + 1 + 1


def test_what_is_found_in_a_crop_is_told_where_it_lies_in_the_frame(house: House) -> None:
    house.model("detector_tf1")
    model = load(house.models, "detector_tf1")
    whole = Run(model, [objects("a")], threshold=0.0, rule=replace(RULE, margin=1.0))
    part = Run(model, [(Detection("b", 0.9, (0.5, 0.25, 0.75, 0.75)),)], threshold=0.0)
    (result,) = part.results
    assert result.findings
    for found in result.findings:
        assert isinstance(found, Detection)
        x_min, y_min, x_max, y_max = found.box
        assert 0.5 <= x_min < x_max <= 0.75
        assert 0.25 <= y_min < y_max <= 0.75
    bare = model.infer(Crops(coloured(), (crop_at(32, 12, 16, 24),)).pictures()[0])
    boxes = [
        (0.5 + x * 0.25, 0.25 + y * 0.5, 0.5 + u * 0.25, 0.25 + v * 0.5)
        for x, y, u, v in bare.decoded.boxes  # type: ignore[union-attr]
    ]
    told = [found.box for found in result.findings if isinstance(found, Detection)]
    for box in told:
        assert any(box == pytest.approx(known, abs=1e-6) for known in boxes)
    assert len(whole.results) == 1


def crop_at(x: int, y: int, width: int, height: int) -> Crop:
    return Crop(Rect(x, y, width, height), of("x"))


def of(label: str, track: int | None = None) -> CropOf:
    return CropOf("front", 0, label, 0.9, (0.0, 0.0, 0.5, 0.5), track)


def test_people_are_placed_in_the_frame(house: House) -> None:
    """Their score is how blue the picture is."""
    house.model("pose_people")
    model = load(house.models, "pose_people")
    (result,) = Run(model, [(Detection("c", 0.9, (0.75, 0.5, 1.0, 1.0)),)]).results
    assert len(result.findings) == 5
    for person in result.findings:
        assert isinstance(person, Person)
        for point in person.keypoints:
            assert 0.75 <= point.x <= 1
            assert 0.5 <= point.y <= 1


def test_latency_is_a_share_of_the_frames_but_for_wait_and_total(house: House) -> None:
    run = Run(classifier(house), [ALL])
    spent = run.results[0].latency_ms
    assert all(result.latency_ms == spent for result in run.results)
    stages = spent.wait + 4 * (spent.preprocess + spent.inference + spent.decode)
    assert spent.total == pytest.approx(stages, abs=0.01)


def test_a_fault_in_one_crop_costs_the_frame_and_is_told(house: House) -> None:
    name = "classifier_float32_nan_when_bright"
    model = classifier(house, name)
    white = Frame(0, 0, 0, np.full((48, 64, 3), 255, np.uint8), PixelOrder.RGB)
    dark = (Detection("b", 0.9, (0.3, 0.5, 0.4, 0.6)),)
    assert Run(model, [dark]).faults == []
    run = Run(model, [dark, dark])
    assert len(run.results) == 2
    crops = RULE.crops(Sighting(white, dark, 0))
    with pytest.raises(Exception, match="not finite"):
        CropPipeline.step(
            _bare(), crops, model, Filter(str, threshold=0, allowed=None, max_results=1)
        )


def _bare() -> CropPipeline:
    slot: LatestSlot[Captured] = LatestSlot(weight)
    return CropPipeline(
        "close",
        slot,
        CropCadence(Publish.EVERY, 1, tracked=False),
        PipelineStats(0),
        itertools.count(),
        publish=lambda result: None,
        send=lambda: None,
        on_fault=lambda reason: None,
        on_trial=lambda *trial: None,
        turn=CountedTurn(),
    )


def test_a_trial_goes_by_what_one_object_takes(house: House) -> None:
    """Frames with one object, then with many: that is no model that became slow."""
    frames = [ALL[:1]] * 5 + [ALL * 2] * 20
    run = Run(classifier(house), frames, expected=Expected(0.0, None))
    assert run.trials == []
    assert len(run.results) == 5 + 20 * 8


# ---- when it is told -----------------------------------------------------------------------------


def looked(*best: str, tracks: Sequence[int | None] = ()) -> list[Looked]:
    return [
        Looked(Crop(Rect(0, 0, 1, 1), of("bird", track)), (ClassScore(label, 0.9),))
        for label, track in itertools.zip_longest(best, list(tracks)[: len(best)])
    ]


def test_with_tracks_what_changes_is_told_of_each_object() -> None:
    cadence = CropCadence(Publish.CHANGE, 10, tracked=True)
    assert cadence.due_of(looked("wren", "kite", tracks=(1, 2)), 0) == [True, True]
    assert cadence.due_of(looked("kite", "wren", tracks=(2, 1)), S) == [False, False]
    assert cadence.due_of(looked("wren", "wren", "wren", tracks=(1, 2, None)), 2 * S) == [
        False,
        True,
        False,
    ]
    assert cadence.due_of(looked("wren", tracks=(3,)), 3 * S) == [True]
    # Each has a heartbeat of its own.
    assert cadence.due_of(looked("wren", "wren", tracks=(1, 2)), 10 * S) == [True, False]
    assert cadence.due_of([], 11 * S) == []


def test_no_more_tracks_are_remembered_than_a_thousand() -> None:
    cadence = CropCadence(Publish.CHANGE, 1e6, tracked=True)
    for track in range(1, 1002):
        assert cadence.due_of(looked("wren", tracks=(track,)), track) == [True]
    assert cadence.due_of(looked("wren", "wren", tracks=(2, 1001)), 2000) == [False, False]
    assert cadence.due_of(looked("wren", tracks=(1,)), 2001) == [True]


def test_without_tracks_all_objects_of_a_frame_are_told_when_their_classes_change() -> None:
    cadence = CropCadence(Publish.CHANGE, 10, tracked=False)
    assert cadence.due_of(looked("wren", "kite"), 0) == [True, True]
    assert cadence.due_of(looked("kite", "wren", "wren"), S) == [False] * 3
    assert cadence.due_of(looked("kite"), 2 * S) == [True]


def test_an_interval_is_that_of_frames() -> None:
    cadence = CropCadence(Publish.INTERVAL, 10, tracked=True)
    assert cadence.due_of(looked("wren", "kite", tracks=(1, 2)), 0) == [True, True]
    assert cadence.due_of(looked("crow", tracks=(3,)), 9 * S) == [False]
    assert cadence.due_of(looked("crow", tracks=(3,)), 10 * S) == [True]


def test_events_alone_are_no_results(house: House) -> None:
    assert Run(classifier(house), [ALL], publish=Publish.NEVER, tracked=True).results == []


def test_a_change_is_told_of_the_object_whose_class_changed(house: House) -> None:
    tracked = objects("a", "b", tracks=(1, 2))
    swapped = (replace_box(tracked[0], tracked[1].box), tracked[1])
    run = Run(classifier(house), [tracked, tracked, swapped], publish=Publish.CHANGE, tracked=True)
    assert run.said == [(0, "a", "red"), (0, "b", "green"), (2, "a", "green")]
    assert (run.stats.inferred, run.stats.published) == (6, 3)


def replace_box(detection: Detection, box: Box) -> Detection:
    return Detection(detection.label, detection.score, box, detection.track)


# ---- what is told --------------------------------------------------------------------------------


def test_a_label_of_which_there_are_too_few_in_the_frame_is_not_told() -> None:
    few = minimised(Minimiser(None, 2), looked("wren", "kite", "wren"))
    assert [each.findings for each in few] == [(ClassScore("wren", 0.9),)] * 2
    boxes = [
        Looked(crop_at(0, 0, 1, 1), (Detection(label, 0.9, (0.1, 0.1, 0.3, 0.3)),))
        for label in ("plate", "plate", "face")
    ]
    assert [len(each.findings) for each in minimised(Minimiser(None, 2), boxes)] == [1, 1, 0]
    people = [Looked(crop_at(0, 0, 1, 1), (Person(0.9, ()),))] * 2
    assert [len(each.findings) for each in minimised(Minimiser(None, 2), people)] == [1, 1]
    assert [len(each.findings) for each in minimised(Minimiser(None, 3), people)] == [0, 0]


def test_boxes_in_crops_are_coarse(house: House) -> None:
    house.model("detector_tf1")
    model = load(house.models, "detector_tf1")
    found = (Detection("b", 0.9, (0.5, 0.25, 0.75, 0.75)),)
    (result,) = Run(model, [found], threshold=0.0, minimiser=Minimiser(0.25, 1)).results
    boxes = np.array([each.box for each in result.findings if isinstance(each, Detection)])
    assert len(boxes)
    assert not np.any(boxes % 0.25)


def test_of_classes_the_best_of_each_object_counts() -> None:
    found: Findings = together([*looked("wren", "kite"), Looked(crop_at(0, 0, 1, 1), ())])
    assert found == (
        Detection("wren", 0.9, (0.0, 0.0, 0.5, 0.5)),
        Detection("kite", 0.9, (0.0, 0.0, 0.5, 0.5)),
    )


def test_events_and_counts_are_of_all_objects_of_a_frame_and_end_with_them(house: House) -> None:
    told: list[Record] = []
    rules = Rules((), (), 2, 2, 60, 600, False, True, Minimiser(None, 1))
    presence = Presence("close", rules, told.append)
    frames = [ALL] * 3 + [()] * 3
    run = Run(classifier(house), frames, presence=presence, publish=Publish.NEVER)
    events = [(each.label, each.type.value) for each in told if isinstance(each, Happening)]
    assert sorted(events[:3]) == [("blue", "started"), ("green", "started"), ("red", "started")]
    assert sorted(events[3:]) == [("blue", "ended"), ("green", "ended"), ("red", "ended")]
    counts = [each.objects for each in told if isinstance(each, Counts)]
    assert {"blue": 1, "green": 1, "red": 2} in counts
    assert counts[-1] == {}
    assert run.stats.inferred == 12
