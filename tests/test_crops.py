"""Which objects become crops, and how they are handed over."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from household import PATIENCE_S
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edged.capture import CaptureState
from edged.crops import CropFeed, CropRule, Followed, Sighting, weight
from edged.engine.geometry import Fit, Placement, Rect
from edged.filter import Filter
from edged.handoff import Closed, LatestSlot
from edged.minimise import Minimiser
from edged.records.decoded import ScoredBoxes
from edged.records.frames import Box, Frame, PixelOrder, Size
from edged.records.health import HealthState
from edged.records.results import ClassScore, Detection
from edged.samples import Captured, Crops

RULE = CropRule(
    "front",
    labels=None,
    margin=0.0,
    most=8,
    tracked=False,
    telling=Minimiser(None, 1),
    waits=False,
    empty=False,
)
PIXELS = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
FRAME = Frame(0, 5, 6, PIXELS, PixelOrder.BGR)


def bird(box: Box = (0.25, 0.25, 0.5, 0.5), label: str = "bird") -> Detection:
    return Detection(label, 0.8, box, track=7)


def seen(*found: Detection, sequence: int | None = 3) -> Sighting:
    return Sighting(FRAME, found, sequence)


# ---- which ---------------------------------------------------------------------------------------


def test_a_crop_is_a_view_of_the_frame_and_told_as_the_other_pipeline_told_it() -> None:
    crops = RULE.crops(seen(bird()))
    assert (crops.captured_ns, crops.arrived_ns) == (5, 6)
    (crop,) = crops.crops
    assert crop.part == Rect(16, 12, 16, 12)
    assert crop.of.pipeline == "front"
    assert (crop.of.sequence, crop.of.label, crop.of.score) == (3, "bird", 0.8)
    assert (crop.of.box, crop.of.track) == ((0.25, 0.25, 0.5, 0.5), 7)
    (picture,) = crops.pictures()
    assert picture.order is PixelOrder.BGR
    assert picture.pixels.base is PIXELS.base
    np.testing.assert_array_equal(picture.pixels, PIXELS[12:24, 16:32])


def test_those_of_the_labels_are_cropped_and_the_best_of_them() -> None:
    rule = replace(RULE, labels=frozenset({"bird", "straße".casefold()}), most=3)
    found = [bird(label=label) for label in ("dog", "Bird", "STRASSE", "cat", "bird", "BIRD")]
    assert [crop.of.label for crop in rule.crops(seen(*found)).crops] == ["Bird", "STRASSE", "bird"]


def test_what_the_other_pipeline_does_not_tell_is_not_cropped() -> None:
    rule = replace(RULE, telling=Minimiser(None, 2))
    found = (bird(), bird(label="dog"), bird())
    assert [crop.of.label for crop in rule.crops(seen(*found)).crops] == ["bird", "bird"]


def test_a_box_is_cut_out_as_it_is_and_told_as_coarse_as_the_other_pipeline_tells_it() -> None:
    rule = replace(RULE, telling=Minimiser(0.5, 1))
    (crop,) = rule.crops(seen(bird((0.25, 0.25, 0.55, 0.5)))).crops
    assert crop.part == Rect(16, 12, 20, 12)
    assert crop.of.box == (0.0, 0.0, 1.0, 0.5)


def test_findings_without_boxes_have_no_crops() -> None:
    assert RULE.crops(Sighting(FRAME, (ClassScore("bird", 0.9),), 0)).crops == ()


@given(
    st.lists(
        st.tuples(st.floats(), st.floats(), st.floats(), st.floats(), st.floats(0, 1)), max_size=4
    ),
    st.sampled_from(Fit),
    st.integers(1, 70),
    st.integers(1, 70),
)
def test_whatever_boxes_a_model_gives_the_crops_are_within_the_frame(
    given_: list[tuple[float, ...]], fit: Fit, height: int, width: int
) -> None:
    frame = replace(FRAME, pixels=np.zeros((height, width, 3), np.uint8))
    boxes: list[Box] = [(x_min, y_min, x_max, y_max) for x_min, y_min, x_max, y_max, _ in given_]
    decoded = ScoredBoxes(boxes, [score for *_, score in given_], [0] * len(given_))
    filter_ = Filter(str, threshold=0.1, allowed=None, max_results=25)
    placement = Placement.of(Size(width, height), Size(32, 32), fit)
    crops = replace(RULE, margin=0.1).crops(
        Sighting(frame, filter_.apply(decoded, placement), None)
    )
    for crop, picture in zip(crops.crops, crops.pictures(), strict=True):
        assert picture.pixels.shape == (crop.part.height, crop.part.width, 3)
        assert 0 <= crop.part.x <= crop.part.x + crop.part.width <= width
        assert 0 <= crop.part.y <= crop.part.y + crop.part.height <= height


# ---- the hand-over -------------------------------------------------------------------------------


class Heard:
    """A feed, its slot, and what it has told."""

    def __init__(self, rule: CropRule = RULE) -> None:
        self.states: list[tuple[CaptureState, str | None]] = []
        self.slot: LatestSlot[Captured] = LatestSlot(weight)
        self.feed = CropFeed(rule, self.slot, lambda *state: self.states.append(state))

    def take(self) -> Crops:
        item = self.slot.take(0)
        assert isinstance(item, Crops)
        return item


def test_newer_crops_replace_those_that_wait_and_each_is_counted() -> None:
    heard = Heard()
    heard.feed.look(seen(bird(), bird(), sequence=0))
    heard.feed.look(seen(bird(), sequence=1))
    heard.feed.look(seen(bird(), bird(), bird(), sequence=2))
    assert (heard.feed.frames, heard.slot.dropped) == (6, 3)
    assert [crop.of.sequence for crop in heard.take().crops] == [2, 2, 2]


def test_a_frame_without_such_objects_takes_nothing_away() -> None:
    heard = Heard()
    heard.feed.look(seen(bird()))
    heard.feed.look(seen())
    assert len(heard.take().crops) == 1
    assert heard.slot.dropped == 0


def test_where_nothing_counts_too_it_is_handed_over() -> None:
    heard = Heard(replace(RULE, empty=True))
    heard.feed.look(seen())
    assert heard.take().crops == ()
    assert heard.feed.frames == 0


def test_where_every_frame_counts_the_giver_waits_until_the_crops_are_taken() -> None:
    heard = Heard(replace(RULE, waits=True))
    giver = threading.Thread(
        target=lambda: [heard.feed.look(seen(bird(), sequence=number)) for number in range(20)]
    )
    giver.start()
    taken = [heard.slot.take(PATIENCE_S) for _ in range(20)]
    giver.join(PATIENCE_S)
    assert not giver.is_alive()
    numbers = [each.crops[0].of.sequence for each in taken if isinstance(each, Crops)]
    assert numbers == list(range(20))
    assert heard.slot.dropped == 0


def test_a_giver_goes_on_when_there_will_be_no_model() -> None:
    heard = Heard(replace(RULE, waits=True))
    giver = threading.Thread(target=lambda: [heard.feed.look(seen(bird())) for _ in range(20)])
    giver.start()
    heard.feed.give_up()
    giver.join(PATIENCE_S)
    assert not giver.is_alive()
    heard.feed.retire()
    assert heard.feed.over
    assert heard.slot.dropped == heard.feed.frames == 20


def test_what_was_handed_over_last_is_still_looked_at() -> None:
    heard = Heard()
    heard.feed.look(seen(bird()))
    heard.feed.retire()
    assert not heard.feed.over
    assert len(heard.take().crops) == 1
    assert heard.feed.over
    heard.feed.look(seen(bird()))  # and later ones are not
    with pytest.raises(Closed):
        heard.slot.take(0)


# ---- how it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("followed", "state", "reason"),
    [
        (Followed(HealthState.RUNNING, None), CaptureState.RUNNING, None),
        (Followed(HealthState.DEGRADED, "inference fails: x"), CaptureState.RUNNING, None),
        (
            Followed(HealthState.SOURCE_LOST, "There is no camera."),
            CaptureState.LOST,
            "pipeline front, whose objects it looks at, has lost its source: There is no camera.",
        ),
        (
            Followed(HealthState.STOPPED, "disabled by a command"),
            CaptureState.LOST,
            "pipeline front, whose objects it looks at, is stopped: disabled by a command",
        ),
        (
            Followed(HealthState.RUNNING, 'asleep until pipeline ear finds "bird"'),
            CaptureState.ASLEEP,
            'pipeline front, whose objects it looks at, is asleep until pipeline ear finds "bird"',
        ),
        (
            Followed(HealthState.RUNNING, None, "it has no boxes"),
            CaptureState.LOST,
            "it has no boxes",
        ),
    ],
)
def test_it_is_as_the_pipeline_that_it_looks_at(
    followed: Followed, state: CaptureState, reason: str | None
) -> None:
    heard = Heard()
    heard.feed.follow(followed)
    assert heard.states == []  # not before there is a model
    heard.feed.start(None)
    heard.feed.follow(followed)
    assert heard.states == [(state, reason)]
    heard.feed.follow(Followed(HealthState.RUNNING, None))
    assert heard.states[-1] == (CaptureState.RUNNING, None)


def test_nothing_is_told_before_the_other_pipeline_is_known() -> None:
    heard = Heard()
    heard.feed.start(None)
    assert heard.states == []
