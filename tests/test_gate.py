"""Which frames the gate lets pass: scenes of a few seconds, at 15 frames a second."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.gate import LONGEST_SIDE, MotionGate, MotionRule, grid_size
from edged.records.arrays import UInt8Array
from edged.records.frames import Frame, PixelOrder, Size

RATE_HZ = 15
RULE = MotionRule(contrast=6, share=0.0005, hold_s=2, heartbeat_s=10)
BRIEF = MotionRule(contrast=6, share=0.0005, hold_s=0, heartbeat_s=3600)
FRAME = Size(640, 360)


def backdrop(size: Size = FRAME) -> UInt8Array:
    coarse = np.random.default_rng(1).integers(40, 200, (18, 32, 3), np.uint8)
    wanted = (size.width, size.height)
    return np.asarray(cv2.resize(coarse, wanted, interpolation=cv2.INTER_CUBIC), np.uint8)


def camera(scenes: Iterable[UInt8Array], sigma: float = 5, blur: float = 0) -> list[UInt8Array]:
    """What a camera with noise makes of them; ``blur``: over how many pixels the noise hangs
    together, as it does behind a camera's own processing.
    """
    noises, rng = [], np.random.default_rng(2)
    for _ in range(3):
        noise = rng.normal(size=(FRAME.height, FRAME.width, 3)).astype(np.float32)
        if blur:
            noise = cv2.GaussianBlur(noise, (0, 0), blur)
            noise /= noise.std()
        noises.append(noise * sigma)
    return [
        np.clip(scene + np.roll(noises[n % 3], n * 17, 0), 0, 255).astype(np.uint8)
        for n, scene in enumerate(scenes)
    ]


def with_object(
    scene: UInt8Array, x: int, contrast: int | Sequence[int] = 60, side: int = 32
) -> UInt8Array:
    """A square that is lighter (or of another colour) than what it covers; x of its left edge."""
    shown = scene.astype(np.int16)
    shown[150 : 150 + side, max(0, x) : x + side] += np.array(contrast, np.int16)
    return np.clip(shown, 0, 255).astype(np.uint8)


def passed(
    pictures: Iterable[UInt8Array],
    gate: MotionGate | None = None,
    order: PixelOrder = PixelOrder.BGR,
    first: int = 0,
) -> list[int]:
    """The numbers of those that a gate lets pass; ``first``: the number of the first of them."""
    gate = gate or MotionGate(RULE)
    found = []
    for number, pixels in enumerate(pictures, first):
        at_ns = number * 1_000_000_000 // RATE_HZ
        if gate.lets_pass(Frame(number, at_ns, at_ns, pixels, order)):
            found.append(number)
    return found


def settled(*pictures: UInt8Array, rule: MotionRule = BRIEF) -> MotionGate:
    gate = MotionGate(rule)
    passed([*pictures], gate)
    return gate


@pytest.mark.parametrize(("sigma", "blur"), [(0, 0), (5, 0), (9, 0), (5, 1)])
def test_of_a_scene_that_stands_still_only_the_heartbeat_passes(sigma: float, blur: float) -> None:
    still = camera([backdrop()] * 40, sigma, blur)
    held, beat = round(RULE.hold_s * RATE_HZ), round(RULE.heartbeat_s * RATE_HZ)

    found = passed(still[n % len(still)] for n in range(2 * beat + held))

    assert found == [*range(held), held - 1 + beat, held - 1 + 2 * beat]


@pytest.mark.parametrize("contrast", [20, -20, 60, (60, 0, 0), (0, -21, 41)])
def test_every_frame_with_something_that_moves_passes(contrast: int | tuple[int, ...]) -> None:
    scene = backdrop()
    moving = camera([scene, *(with_object(scene, x, contrast) for x in range(0, 640, 40))])

    assert passed(moving, MotionGate(BRIEF)) == list(range(len(moving)))


def test_a_small_dim_object_that_comes_is_seen() -> None:
    scene = backdrop()
    quiet = camera([scene, with_object(scene, 250, 20, side=16)], sigma=3)

    assert passed(quiet, MotionGate(BRIEF)) == [0, 1]


def test_what_moves_too_slowly_to_tell_two_frames_apart_adds_up() -> None:
    scene = backdrop()
    slow = camera([with_object(scene, 200 + n // 8) for n in range(90)])  # 2 pixels a second

    found = passed(slow, MotionGate(BRIEF))

    assert len(found) >= 3
    gaps = np.diff(found)
    assert gaps.min() > 1  # so two frames in a row are not told apart
    assert gaps.max() <= 2 * RATE_HZ


def test_what_stops_is_looked_at_for_a_while_longer() -> None:
    scene = backdrop()
    places = [0, *range(0, 600, 60), *[540] * 60]
    gate = MotionGate(RULE)
    passed(camera([scene] * 60), gate)

    found = passed(camera(with_object(scene, x) for x in places), gate, first=60)

    stopped = 60 + 10
    assert found == list(range(60, stopped + round(RULE.hold_s * RATE_HZ)))


def test_a_sudden_change_of_light_passes_and_then_settles() -> None:
    scene = backdrop()
    darker = (scene * 0.4).astype(np.uint8)

    assert passed(camera([scene] * 5 + [darker] * 10), MotionGate(BRIEF)) == [0, 5]


def test_a_slow_change_of_light_is_no_motion_between_two_heartbeats() -> None:
    dawn = [backdrop() // 2 + np.uint8(n // 60) for n in range(240)]  # a level every 4 s
    rule = MotionRule(contrast=6, share=0.0005, hold_s=0, heartbeat_s=4)

    assert passed(dawn, MotionGate(rule)) == [0, 60, 120, 180]


def test_another_size_passes() -> None:
    gate = settled(backdrop(), backdrop())

    assert passed([backdrop(Size(640, 480))] * 2, gate) == [0]
    assert passed([backdrop()] * 2, gate) == [0]


def test_after_a_reset_the_next_frame_passes() -> None:
    gate = settled(backdrop())
    assert passed([backdrop()], gate) == []

    gate.reset()

    assert passed([backdrop()] * 2, gate) == [0]


def test_while_all_are_wanted_all_pass() -> None:
    wanted = True
    gate = MotionGate(BRIEF, lambda: wanted)
    still = [backdrop()] * 5
    assert passed(still, gate) == [0, 1, 2, 3, 4]

    wanted = False

    assert passed(still, gate) == []


def test_grey_frames_are_compared_too() -> None:
    grey = [np.ascontiguousarray(backdrop()[..., 0]), np.zeros((360, 640), np.uint8)]

    found = passed([grey[0], grey[0], grey[1]], MotionGate(BRIEF), PixelOrder.GRAY)

    assert found == [0, 2]


def test_the_share_and_the_contrast_say_what_counts() -> None:
    scene = np.full((360, 640, 3), 100, np.uint8)
    half = scene.copy()
    half[:, :320] += 50

    def moves(share: float, contrast: int) -> bool:
        rule = MotionRule(contrast=contrast, share=share, hold_s=0, heartbeat_s=3600)
        return passed([half], settled(scene, rule=rule)) == [0]

    assert moves(0.45, 50)
    assert not moves(0.55, 50)
    assert not moves(0.45, 51)
    assert not moves(1, 1)


@pytest.mark.parametrize(
    ("frame", "grid"),
    [
        (Size(1280, 720), Size(160, 90)),
        (Size(720, 1280), Size(90, 160)),
        (Size(1279, 721), Size(160, 90)),
        (Size(96, 96), Size(96, 96)),
        (Size(8192, 16), Size(160, 1)),
        (Size(1, 1), Size(1, 1)),
    ],
)
def test_the_grid_keeps_the_proportions_and_enlarges_nothing(frame: Size, grid: Size) -> None:
    assert grid_size(frame) == grid


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 2 * LONGEST_SIDE),
    st.integers(1, 2 * LONGEST_SIDE),
    st.sampled_from(PixelOrder),
)
def test_any_size_and_order_is_looked_at(width: int, height: int, order: PixelOrder) -> None:
    shape = (height, width) if order is PixelOrder.GRAY else (height, width, 3)
    black, white = np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)

    assert passed([black, black, white, white], MotionGate(BRIEF), order) == [0, 2]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 255), max_size=60))
def test_nothing_is_left_out_that_differs_from_what_was_let_through(levels: list[int]) -> None:
    rule = MotionRule(contrast=10, share=0, hold_s=0, heartbeat_s=3600)
    last = None
    pictures = [np.full((9, 16, 3), level, np.uint8) for level in levels]
    found = set(passed(pictures, MotionGate(rule)))
    for number, level in enumerate(levels):
        if number in found:
            last = level
        else:
            assert last is not None
            assert abs(level - last) < rule.contrast


def test_a_frame_takes_no_new_memory() -> None:
    scene = backdrop()
    gate = settled(scene)
    pictures = [scene, with_object(scene, 150)] * 10
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        assert len(passed(pictures, gate)) >= 19
        assert tracemalloc.get_traced_memory()[1] - before < 8192
    finally:
        tracemalloc.stop()
