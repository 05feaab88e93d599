from __future__ import annotations

import numpy as np
import pytest

from edged.records.frames import Frame, PixelOrder, Size
from edged.sources import Source
from edged.sources.scene import SHOT_FRAMES, Scene, Truth
from edged.sources.synthetic import SyntheticSource

SIZE = Size(96, 64)


def opened(**options: object) -> SyntheticSource:
    source = SyntheticSource(size=SIZE, **options)  # type: ignore[arg-type]
    source.open(None)
    return source


def test_it_is_a_live_source() -> None:
    source: Source = SyntheticSource()
    assert source.live


def test_frames_are_rgb_of_the_size_asked_for_and_numbered_from_nought() -> None:
    source = opened()
    frames = [source.read() for _ in range(3)]
    assert [frame.number for frame in frames] == [0, 1, 2]
    for frame in frames:
        assert frame.pixels.shape == (64, 96, 3)
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.flags.c_contiguous
        assert frame.order is PixelOrder.RGB


def test_stamps_are_of_the_monotonic_clock_and_grow() -> None:
    source = opened()
    one, other = source.read(), source.read()
    assert one.captured_ns <= one.arrived_ns < other.captured_ns


def test_frames_show_the_scene_of_the_seed() -> None:
    scene, out = Scene(9, SIZE), np.empty((64, 96, 3), np.uint8)
    source = opened(seed=9)
    for number in range(3):
        scene.render(number, out)
        np.testing.assert_array_equal(source.read().pixels, out)


def test_each_frame_and_its_truth_are_told_once_and_in_order() -> None:
    told: list[tuple[Frame, list[Truth]]] = []
    source = opened(seed=9, on_frame=lambda frame, truths: told.append((frame, truths)))
    frames = [source.read() for _ in range(3)]
    scene = Scene(9, SIZE)
    assert [frame for frame, _ in told] == frames
    assert [truths for _, truths in told] == [scene.truth(number) for number in range(3)]


def test_a_frame_that_is_held_is_not_drawn_over() -> None:
    source = opened()
    held = source.read()
    before = held.pixels.copy()
    for _ in range(5):
        source.read()
    np.testing.assert_array_equal(held.pixels, before)


def test_a_buffer_that_nobody_holds_is_used_again() -> None:
    source = opened()
    addresses = {source.read().pixels.ctypes.data for _ in range(20)}
    assert len(addresses) <= 2


def test_it_goes_on_past_the_end_of_a_shot() -> None:
    source = opened()
    for _ in range(SHOT_FRAMES + 2):
        last = source.read()
    assert last.number == SHOT_FRAMES + 1


def test_opened_again_it_goes_on_counting() -> None:
    source = opened()
    source.read()
    source.close()
    source.open(Size(10, 10))
    assert source.read().number == 1


def test_it_may_be_closed_twice_and_without_being_opened() -> None:
    source = SyntheticSource(size=SIZE)
    source.close()
    source.open(None)
    source.close()
    source.close()


def test_reading_before_opening_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(RuntimeError, match="open"):
        SyntheticSource(size=SIZE).read()
