from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edged.records.frames import Size
from edged.sources.backdrop import BACKDROPS
from edged.sources.scene import LABELS, SHOT_FRAMES, Scene, Truth

SIZE = Size(160, 120)
PAGE = (SIZE.height, SIZE.width, 3)


def picture(scene: Scene, number: int) -> npt.NDArray[np.uint8]:
    out = np.zeros(PAGE, np.uint8)
    scene.render(number, out)
    return out


def lone_shapes(minimum_visible: float = 1.0) -> list[tuple[Scene, int, Truth]]:
    """Frames that show one shape and nothing else."""
    lone = []
    for seed in range(12):
        scene = Scene(seed, SIZE)
        for number in range(0, 6 * SHOT_FRAMES, 30):
            truths = scene.truth(number)
            if len(truths) == 1 and truths[0].visible >= minimum_visible:
                lone.append((scene, number, truths[0]))
    return lone


@pytest.fixture(scope="module")
def many_truths() -> list[list[Truth]]:
    scene = Scene(5, SIZE)
    return [scene.truth(number) for number in range(0, 60 * SHOT_FRAMES, 23)]


def test_a_frame_follows_from_seed_and_number_in_whatever_order_it_is_asked_for() -> None:
    forwards, backwards = Scene(7, SIZE), Scene(7, SIZE)
    numbers = [0, 1, SHOT_FRAMES - 1, SHOT_FRAMES, 5 * SHOT_FRAMES + 3]
    one = {number: picture(forwards, number) for number in numbers}
    for number in reversed(numbers):
        np.testing.assert_array_equal(picture(backwards, number), one[number])
        assert backwards.truth(number) == forwards.truth(number)


def test_a_frame_owes_nothing_to_what_its_buffer_held_before() -> None:
    scene = Scene(7, SIZE)
    dirty = np.full(PAGE, 255, np.uint8)
    scene.render(4, dirty)
    np.testing.assert_array_equal(dirty, picture(scene, 4))


def test_another_seed_gives_another_scene() -> None:
    assert Scene(1, SIZE).truth(0) != Scene(2, SIZE).truth(0)
    assert not np.array_equal(picture(Scene(1, SIZE), 0), picture(Scene(2, SIZE), 0))


def test_drawing_and_asking_tell_the_same_truth() -> None:
    scene = Scene(3, SIZE)
    out = np.empty(PAGE, np.uint8)
    for number in (0, 45, 400):
        assert scene.render(number, out) == scene.truth(number)


def test_a_box_is_tight_round_the_pixels_that_its_shape_changes() -> None:
    lone = lone_shapes()
    assert {truth.label for _, _, truth in lone} == set(LABELS)
    for scene, number, truth in lone:
        shot = scene._shot_of(number)
        bare = shot.backdrop.copy()
        shot.noise.apply(number, bare)
        change = np.abs(picture(scene, number).astype(int) - bare).max(axis=2)
        changed = change > change.max() / 4  # not the fringe of smoothed edges
        columns, rows = np.flatnonzero(changed.any(axis=0)), np.flatnonzero(changed.any(axis=1))
        drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        told_px = np.array(truth.box) * ([SIZE.width, SIZE.height] * 2)
        assert np.abs(told_px - drawn).max() <= 2, (truth, drawn)


def test_boxes_and_visible_shares_stay_in_range(many_truths: list[list[Truth]]) -> None:
    for truths in many_truths:
        for truth in truths:
            assert 0.0 <= truth.visible <= 1.0
            x_min, y_min, x_max, y_max = truth.box
            assert 0.0 <= x_min <= x_max <= 1.0
            assert 0.0 <= y_min <= y_max <= 1.0


def test_a_shape_that_lies_wholly_inside_the_frame_before_the_others_is_wholly_visible(
    many_truths: list[list[Truth]],
) -> None:
    front = [truths[-1] for truths in many_truths if truths]
    inside = [t for t in front if min(t.box) > 0.01 and max(t.box) < 0.99]
    assert len(inside) > 20
    assert all(truth.visible == 1.0 for truth in inside)


def test_the_frames_edge_hides_a_part_of_a_shape(many_truths: list[list[Truth]]) -> None:
    front = [truths[-1] for truths in many_truths if truths]
    cut_off = [t for t in front if min(t.box) == 0.0 or max(t.box) == 1.0]
    assert min(truth.visible for truth in cut_off) < 0.6
    assert sum(truth.visible < 1.0 for truth in cut_off) > 0.8 * len(cut_off)


def test_shapes_hide_one_another_and_the_one_in_front_is_told_last(
    many_truths: list[list[Truth]],
) -> None:
    behind = [t for truths in many_truths for t in truths[:-1]]
    inside = [t for t in behind if min(t.box) > 0.01 and max(t.box) < 0.99]
    assert any(truth.visible < 0.5 for truth in inside)
    assert any(truth.visible == 1.0 for truth in inside)


def test_scenes_vary_in_number_and_kind_of_shapes(many_truths: list[list[Truth]]) -> None:
    assert {len(shown) for shown in many_truths} == set(range(7))
    assert {truth.label for shown in many_truths for truth in shown} == set(LABELS)


def test_shapes_move_smoothly_within_a_shot() -> None:
    scene = Scene(11, SIZE)
    for number in range(SHOT_FRAMES - 1):
        for before, after in zip(scene.truth(number), scene.truth(number + 1), strict=True):
            assert before.label == after.label
            assert np.abs(np.subtract(before.box, after.box)).max() < 0.06


def test_shapes_do_move() -> None:
    scene = Scene(11, SIZE)
    assert scene.truth(0) != scene.truth(10)


def test_noise_differs_from_frame_to_frame_and_keeps_the_mean() -> None:
    scene = next(s for s in (Scene(seed, SIZE) for seed in range(50)) if not s.truth(0))
    one, other = picture(scene, 0), picture(scene, 1)
    assert not np.array_equal(one, other)
    assert abs(float(one.mean()) - float(other.mean())) < 1.0


@pytest.mark.parametrize("draw", BACKDROPS, ids=lambda draw: draw.__name__)
def test_a_backdrop_fills_its_size_and_is_no_plain_surface(draw) -> None:  # type: ignore[no-untyped-def]
    drawn = draw(np.random.default_rng(1), Size(97, 61))
    assert drawn.shape == (61, 97, 3)
    assert drawn.dtype == np.uint8
    assert drawn.flags.c_contiguous
    assert float(drawn.std(axis=(0, 1)).max()) > 2
