"""Classes of pixels, from maps and from scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edged.decoders.outputs import Output
from edged.decoders.segmentation import SegmentationDecoder
from edged.decoders.task import Sure, Told
from edged.decoders.tasks import find_task, weigh
from edged.engine.geometry import Fit, Placement
from edged.errors import ModelError
from edged.filter import Filter
from edged.records.arrays import AnyArray
from edged.records.frames import Size
from edged.records.models import Quantization
from edged.records.results import Region

NOTHING = Told()
STEPS = Quantization(0.5, 3)


def output(
    shape: tuple[int, ...], dtype: str = "float32", steps: Quantization | None = None
) -> Output:
    return Output(0, ("out",), shape, dtype, steps, None, 0)


def classes(stored: AnyArray, count: int | None = None) -> AnyArray:
    return SegmentationDecoder(0, count).decode([stored]).classes


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "uint32"])
@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 2, 3, 1)])
def test_a_map_of_any_integers_is_taken_as_it_is(dtype: str, shape: tuple[int, ...]) -> None:
    stored = np.array([[0, 1, 2], [3, 4, 100]], dtype)
    np.testing.assert_array_equal(classes(stored.reshape(shape)), stored)
    task = find_task([output(shape, dtype)], NOTHING)
    assert (task.name, task.classes, task.stored) == ("segmentation", None, True)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32"])
def test_the_best_score_wins_in_the_type_that_is_stored(dtype: str) -> None:
    stored = np.array([[[[9, 1, 0], [1, 9, 0]], [[0, 1, 9], [3, 3, 3]]]], dtype)
    np.testing.assert_array_equal(classes(stored, 3), [[0, 1], [2, 0]])
    steps = None if dtype == "float32" else STEPS
    task = find_task([output((1, 40, 40, 3), dtype, steps)], NOTHING)
    assert (task.name, task.classes) == ("segmentation", 3)


def test_what_a_decoder_gives_is_no_view_of_the_models_memory() -> None:
    stored = np.zeros((1, 2, 2), np.uint16)
    found = classes(stored)
    stored[...] = 9
    assert not found.any()


@pytest.mark.parametrize(
    ("stored", "count"),
    [
        (np.full((1, 2, 2), -1, np.int64), None),
        (np.full((1, 2, 2), 70_000, np.int64), None),
        (np.zeros((1, 0, 2), np.int64), None),
        (np.zeros((1, 2, 2), np.float32), None),
        (np.zeros((4,), np.int64), None),
        (np.full((1, 2, 2, 3), np.nan, np.float32), 3),
        (np.full((1, 2, 2, 3), np.inf, np.float32), 3),
        (np.zeros((1, 2, 2, 4), np.float32), 3),
        (np.zeros((1, 0, 0, 3), np.float32), 3),
    ],
)
def test_what_is_no_picture_of_classes_is_an_error(stored: AnyArray, count: int | None) -> None:
    with pytest.raises(ModelError):
        classes(stored, count)
    with pytest.raises(ModelError):
        SegmentationDecoder(1, count).decode([stored])


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", "int64", "float32"])
@pytest.mark.parametrize("count", [2, 21, 128, 129, 300])
def test_of_scores_of_any_type_the_largest_wins_and_of_equals_the_first(
    dtype: str, count: int
) -> None:
    """What is not signed, too, where half of the numbers would be negative if it were."""
    rng = np.random.default_rng(count)
    limits = np.iinfo(dtype) if dtype != "float32" else np.iinfo("int16")
    few = rng.integers(limits.min, limits.max, 4, dtype=limits.dtype, endpoint=True)
    stored = rng.choice(few, (1, 9, 7, count)).astype(dtype)
    found = classes(stored, count)
    assert found.dtype == np.uint16
    assert found.tolist() == stored[0].argmax(axis=-1).tolist()


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int8, np.int32, np.int64, np.float32, np.float16, np.bool_]),
        hnp.array_shapes(max_dims=4, max_side=4),
    ),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from(list(Fit)),
)
@settings(deadline=None)
def test_no_output_gives_anything_but_shares_or_a_model_error(
    stored: AnyArray, count: int | None, fit: Fit
) -> None:
    try:
        decoded = SegmentationDecoder(0, count).decode([stored])
    except ModelError:
        return
    placement = Placement.of(Size(64, 36), Size(8, 8), fit)
    keep = Filter(str, threshold=0.0, allowed=None, max_results=25)
    found = [one for one in keep.apply(decoded, placement) if isinstance(one, Region)]
    assert all(0 < one.fraction <= 1 for one in found)
    assert sum(one.fraction for one in found) <= 1.000001


# ---- shares of the frame -------------------------------------------------------------------------


def regions(
    stored: AnyArray, frame: Size, fit: Fit, allowed: tuple[str, ...] | None = None
) -> list[tuple[str, float]]:
    decoded = SegmentationDecoder(0, None).decode([stored])
    keep = Filter(["sky", "sea", "sky"].__getitem__, threshold=0.1, allowed=allowed, max_results=9)
    found = keep.apply(decoded, Placement.of(frame, Size(8, 8), fit))
    return [(one.label, one.fraction) for one in found if isinstance(one, Region)]


def test_shares_are_of_the_frame_and_the_largest_comes_first() -> None:
    stored = np.zeros((1, 8, 8), np.uint8)
    stored[0, :6] = 1
    whole = Size(100, 100)
    assert regions(stored, whole, Fit.STRETCH) == [("sea", 0.75), ("sky", 0.25)]
    assert regions(stored, whole, Fit.STRETCH, ("sky",)) == [("sky", 0.25)]


def test_bars_do_not_count() -> None:
    """A wide frame lies in the rows 2 to 5; the bars around it are sea."""
    stored = np.ones((1, 8, 8), np.uint8)
    stored[0, 2:6] = 0
    stored[0, 2:6, :4] = 1
    assert regions(stored, Size(200, 100), Fit.LETTERBOX) == [("sky", 0.5), ("sea", 0.5)]
    coarse = np.ascontiguousarray(stored[:, ::2, ::2])
    assert regions(coarse, Size(200, 100), Fit.LETTERBOX) == [("sky", 0.5), ("sea", 0.5)]


def test_what_is_under_the_threshold_is_not_told_and_the_same_label_is_told_once() -> None:
    stored = np.zeros((1, 8, 8), np.uint8)
    stored[0, 4:] = 2
    stored[0, 0, :6] = 1
    assert regions(stored, Size(9, 9), Fit.STRETCH) == [("sky", 1 - 6 / 64)]


# ---- the reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        output((1, 40, 40)),  # one float a pixel: how deep, how likely
        output((1, 40, 40), "uint8", STEPS),
        output((1, 1, 40, 3)),
        output((2, 40, 40, 3)),
        output((1, 40, 40, 1000)),
    ],
)
def test_other_pictures_are_not_taken_for_classes(other: Output) -> None:
    assert not weigh([other], NOTHING)


def test_a_map_much_coarser_than_the_input_has_to_be_told() -> None:
    features = output((1, 7, 7, 32))
    assert not weigh([features], Told(input_shape=(1, 224, 224, 3)))
    told = Told(task="segmentation", input_shape=(1, 224, 224, 3))
    assert find_task([features], told).classes == 32


def test_a_map_by_arg_max_is_known_by_it() -> None:
    output_ = Output(0, ("out",), (1, 8, 8), "int64", None, "ARG_MAX", 0)
    (found,) = weigh([output_], NOTHING)
    assert (found.task, found.sure) == ("segmentation", Sure.OPERATOR)


def test_a_segmentation_that_is_told_must_fit() -> None:
    for outputs in ([output((1, 5))], [output((1, 8, 8, 3))] * 2, [output((1, 8, 8))]):
        with pytest.raises(ModelError, match=r"^segmentation needs one output, a map of whole"):
            find_task(outputs, Told(task="segmentation"))
