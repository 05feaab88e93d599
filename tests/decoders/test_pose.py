"""People and their keypoints, as MoveNet gives them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edged.decoders.outputs import Output
from edged.decoders.pose import PoseDecoder
from edged.decoders.task import Told
from edged.decoders.tasks import find_task
from edged.engine.geometry import Fit, Placement
from edged.errors import ModelError
from edged.filter import Filter
from edged.records.arrays import AnyArray
from edged.records.decoded import ScoredPeople
from edged.records.frames import Size
from edged.records.poses import KEYPOINTS, MOST_PEOPLE
from edged.records.results import Person

NOTHING = Told()


def output(*shape: int) -> Output:
    return Output(0, ("out",), shape, "float32", None, None, 0)


def people(decoded: ScoredPeople, **options: object) -> list[Person]:
    how = {"threshold": 0.3, "allowed": None, "max_results": 25} | options
    placement = how.pop("placement", Placement.of(Size(8, 8), Size(4, 4), Fit.STRETCH))
    keep = Filter(str, **how)  # type: ignore[arg-type]
    assert isinstance(placement, Placement)
    return [one for one in keep.apply(decoded, placement) if isinstance(one, Person)]


def single(*point: float) -> AnyArray:
    return np.tile(np.array(point, np.float32), (1, 1, 17, 1))


def rows(*scores: float) -> AnyArray:
    made = np.full((1, len(scores), 56), 0.25, np.float32)
    made[0, :, 55] = scores
    return made


def test_one_persons_score_is_the_mean_of_the_points() -> None:
    stored = single(0.25, 0.75, 0.5)
    stored[0, 0, 0] = (0.1, 0.2, 1.0)
    task = find_task([output(1, 1, 17, 3)], NOTHING)
    assert (task.name, task.threshold) == ("pose", 0.3)
    decoded = task.decoder.decode([stored])
    assert isinstance(decoded, ScoredPeople)
    (person,) = people(decoded)
    assert person.score == pytest.approx((16 * 0.5 + 1) / 17)
    assert [point.name for point in person.keypoints] == list(KEYPOINTS)
    nose, eye = person.keypoints[:2]
    assert (nose.x, nose.y, nose.score) == (pytest.approx(0.2), pytest.approx(0.1), 1.0)
    assert (eye.x, eye.y, eye.score) == (0.75, 0.25, 0.5)


def test_several_people_have_scores_of_their_own_and_the_best_comes_first() -> None:
    task = find_task([output(1, 6, 56)], NOTHING)
    decoded = task.decoder.decode([rows(0.1, 0.5, 0.9, 0.0, 0.29, 0.4)])
    assert isinstance(decoded, ScoredPeople)
    assert [one.score for one in people(decoded)] == pytest.approx([0.9, 0.5, 0.4])
    assert [one.score for one in people(decoded, max_results=1)] == pytest.approx([0.9])


def test_only_the_keypoints_that_may_leave_do() -> None:
    (person,) = people(PoseDecoder(0, False).decode([single(0, 0, 1)]), allowed=("left wrist",))
    assert [point.name for point in person.keypoints] == ["left wrist"]


def test_no_more_people_than_a_message_holds_are_told() -> None:
    decoded = PoseDecoder(0, True).decode([rows(*[0.9] * 30)])
    assert len(people(decoded)) == MOST_PEOPLE


def test_points_are_shares_of_the_frame_and_those_in_the_bars_lie_at_its_edge() -> None:
    wide = Placement.of(Size(200, 100), Size(100, 100), Fit.LETTERBOX)
    (person,) = people(PoseDecoder(0, False).decode([single(0.375, 0.6, 1)]), placement=wide)
    assert (person.keypoints[0].x, person.keypoints[0].y) == pytest.approx((0.6, 0.25))
    (person,) = people(PoseDecoder(0, False).decode([single(0.1, 0.6, 1)]), placement=wide)
    assert person.keypoints[0].y == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_are_an_error(bad: float) -> None:
    stored = single(0.5, bad, 0.5)
    with pytest.raises(ModelError, match="its keypoints are not finite numbers"):
        PoseDecoder(0, False).decode([stored])


@pytest.mark.parametrize("shape", [(0,), (1, 1, 16, 3), (1, 6, 55), (1, 2, 17, 3)])
def test_outputs_that_have_changed_are_an_error(shape: tuple[int, ...]) -> None:
    stored = np.full(shape, 0.5, np.float32)
    with pytest.raises(ModelError, match="not what they were"):
        PoseDecoder(1, False).decode([stored])
    if shape == (1, 6, 55):
        with pytest.raises(ModelError, match="not what they were"):
            PoseDecoder(0, True).decode([stored])


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
        st.sampled_from([(1, 1, 17, 3), (1, 6, 56), (1, 0, 56), (1, 1, 17, 2), (1, 2, 17, 3)]),
    ),
    st.booleans(),
    st.sampled_from(list(Fit)),
)
@settings(deadline=None)
def test_no_output_gives_a_point_outside_the_frame_or_anything_but_a_model_error(
    stored: AnyArray, several: bool, fit: Fit
) -> None:
    try:
        decoded = PoseDecoder(0, several).decode([stored])
    except ModelError:
        return
    placement = Placement.of(Size(64, 36), Size(8, 8), fit)
    for person in people(decoded, threshold=0.0, placement=placement):
        assert 0 <= person.score <= 1
        for point in person.keypoints:
            assert all(0 <= share <= 1 for share in (point.x, point.y, point.score))


@pytest.mark.parametrize("shapes", [[(1, 9, 9, 17), (1, 9, 9, 34)], [(1, 9, 9, 17)]])
def test_heatmaps_are_refused_with_the_reason(shapes: list[tuple[int, ...]]) -> None:
    outputs = [output(*shape) for shape in shapes]
    with pytest.raises(ModelError, match="heatmaps and offsets of a PoseNet"):
        find_task(outputs, Told(task="pose"))
    if len(outputs) == 2:
        with pytest.raises(ModelError, match="heatmaps and offsets of a PoseNet"):
            find_task(outputs, NOTHING)
    else:  # as well the scores of 17 classes
        with pytest.raises(ModelError, match=r'task = "segmentation", or task = "pose"'):
            find_task(outputs, NOTHING)


def test_a_pose_that_is_told_must_fit() -> None:
    for outputs in ([output(1, 5)], [output(1, 56, 8400)], [output(1, 1, 17, 3)] * 2):
        with pytest.raises(ModelError, match=r"^pose needs one output of MoveNet's"):
            find_task(outputs, Told(task="pose"))
