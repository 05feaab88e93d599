from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice, repeat

import cv2
import numpy as np
import pytest

from edged.capture import LONGEST_PAUSE_S, STEADY_S, Capture, CaptureState, growing_pauses
from edged.errors import SourceError
from edged.gate import MotionGate, MotionRule
from edged.handoff import Closed, LatestSlot
from edged.records.frames import Frame, PixelOrder, Size
from edged.samples import Captured
from edged.sources import Gap, NotYet, Unreadable

BOUND_S = 5.0  # of every wait
MS = 1_000_000

RUNNING = (CaptureState.RUNNING, None)
ENDED = (CaptureState.ENDED, None)
Step = Frame | Exception | Callable[[], None] | None


def frame(number: int, captured_ns: int = 0) -> Frame:
    return Frame(number, captured_ns, captured_ns, np.zeros((1, 1, 3), np.uint8), PixelOrder.BGR)


class ScriptedSource:
    """Plays one script for each ``open``: gives frames, raises, calls; then the recording ends."""

    def __init__(self, *scripts: list[Step], live: bool = False) -> None:
        self.live = live
        self.wants: list[Size | None] = []
        self.closed = threading.Semaphore(0)
        self._scripts = iter(scripts)
        self._script: Iterator[Step] = iter(())

    def open(self, want: Size | None) -> None:
        self.wants.append(want)
        self._script = iter(next(self._scripts, []))

    def read(self) -> Frame | None:
        for step in self._script:
            if isinstance(step, Exception):
                raise step
            if not callable(step):
                return step
            step()
        return None

    def close(self) -> None:
        self.closed.release()


class States:
    """What was told, and a bounded wait for it."""

    def __init__(self) -> None:
        self.told: list[tuple[CaptureState, str | None]] = []
        self._changed = threading.Condition()

    def __call__(self, state: CaptureState, reason: str | None) -> None:
        with self._changed:
            self.told.append((state, reason))
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, BOUND_S), self.told


@pytest.fixture
def states() -> States:
    return States()


@pytest.fixture
def slot() -> LatestSlot[Frame]:
    return LatestSlot()


@pytest.fixture
def capture_of(
    slot: LatestSlot[Frame], states: States
) -> Iterator[Callable[[ScriptedSource], Capture]]:
    made = []

    def make(
        source: ScriptedSource,
        realtime: bool = False,
        fps: float | None = None,
        gate: MotionGate | None = None,
    ) -> Capture:
        made.append(
            Capture(
                "front",
                source,
                slot,
                fps=fps,
                realtime=realtime,
                on_state=states,
                gate=gate,
                pauses=lambda: repeat(0.0),
            )
        )
        return made[-1]

    yield make
    for capture in made:
        assert capture.stop(BOUND_S)


Make = Callable[..., Capture]


def numbers(slot: LatestSlot[Frame]) -> list[int]:
    """Take until the slot is closed and empty."""
    taken = []
    try:
        while (item := slot.take(BOUND_S)) is not None:
            taken.append(item.number)
    except Closed:
        return taken
    raise AssertionError(f"the slot was not closed in time; taken: {taken}")


def test_every_frame_of_a_recording_is_handed_on_and_then_the_slot_closes(
    capture_of: Make, slot: LatestSlot[Frame], states: States
) -> None:
    capture = capture_of(ScriptedSource([frame(n) for n in range(20)]))

    capture.start(None)

    assert numbers(slot) == list(range(20))
    assert slot.dropped == 0
    assert capture.frames == 20
    assert states.told == [RUNNING, ENDED]


def test_in_real_time_the_newest_frame_wins(
    capture_of: Make, slot: LatestSlot[Frame], states: States
) -> None:
    capture = capture_of(ScriptedSource([frame(n) for n in range(20)]), realtime=True)

    capture.start(None)
    states.wait_for(2)

    assert numbers(slot) == [19]
    assert slot.dropped == 19


def test_what_the_gate_keeps_back_is_counted_and_not_dropped(
    capture_of: Make, slot: LatestSlot[Frame]
) -> None:
    light = np.full((1, 1, 3), 255, np.uint8)
    frames: list[Step] = [frame(n) for n in range(8)]
    frames[5] = Frame(5, 0, 0, light, PixelOrder.BGR)
    still = MotionGate(MotionRule(contrast=6, share=0.0005, hold_s=0, heartbeat_s=3600))
    capture = capture_of(ScriptedSource(frames), gate=still)

    capture.start(None)

    assert numbers(slot) == [0, 5, 6]
    assert (capture.frames, capture.gated, slot.dropped) == (8, 5, 0)


def test_a_source_that_is_opened_again_is_looked_at_again(
    capture_of: Make, slot: LatestSlot[Frame]
) -> None:
    still = MotionGate(MotionRule(contrast=6, share=0.0005, hold_s=0, heartbeat_s=3600))
    source = ScriptedSource([frame(0), frame(1), SourceError("It is gone.")], [frame(2), frame(3)])

    capture_of(source, gate=still).start(None)

    assert numbers(slot) == [0, 2]


def test_the_wish_for_a_size_reaches_the_source(capture_of: Make, slot: LatestSlot[Frame]) -> None:
    source = ScriptedSource([frame(0)])

    capture_of(source).start(Size(300, 300))
    numbers(slot)

    assert source.wants == [Size(300, 300)]


def test_a_source_that_fails_is_closed_and_opened_again(
    capture_of: Make, slot: LatestSlot[Frame], states: States
) -> None:
    source = ScriptedSource(
        [frame(0), SourceError("The cable is out.")],
        [SourceError("The cable is out.")],
        [frame(1)],
    )

    capture_of(source).start(None)

    assert numbers(slot) == [0, 1]
    assert states.told == [RUNNING, (CaptureState.LOST, "The cable is out."), RUNNING, ENDED]
    assert all(source.closed.acquire(blocking=False) for _ in range(3))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(19, "No such device"), "OSError: [Errno 19] No such device"),
        (cv2.error("assertion\n failed"), "error: assertion failed"),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
    ],
)
def test_an_unexpected_error_counts_as_a_failed_source(
    capture_of: Make,
    slot: LatestSlot[Frame],
    states: States,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    reason: str,
) -> None:
    caplog.set_level(logging.DEBUG, "edged.capture")

    capture_of(ScriptedSource([error], [frame(1)])).start(None)

    assert numbers(slot) == [1]
    assert states.told[0][0] is CaptureState.LOST
    assert states.told[0][1] == f"The source failed: {reason}"
    assert caplog.records[0].exc_info is not None


def test_pauses_grow_while_a_source_fails_and_start_anew_when_it_is_steady(
    slot: LatestSlot[Frame], states: States, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[tuple[int, int]] = []
    attempts = 0

    def pauses() -> Iterator[float]:
        nonlocal attempts
        attempts += 1
        for step in range(100):
            taken.append((attempts, step))
            yield 0.0

    now_s = 0.0

    def later() -> None:
        nonlocal now_s
        now_s += STEADY_S

    fail = SourceError("gone")
    # A frame right after a failure proves nothing; one that comes after a while does.
    scripts: list[list[Step]] = [[fail], [frame(0), fail], [later, frame(1), fail], [fail]]
    capture = Capture(
        "front",
        ScriptedSource(*scripts, [frame(2)]),
        slot,
        fps=None,
        realtime=False,
        on_state=states,
        pauses=pauses,
        now_ns=lambda: round(now_s * 1000) * MS,
    )
    caplog.set_level(logging.INFO, "edged.capture")

    capture.start(None)

    assert numbers(slot) == [0, 1, 2]
    assert taken == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert caplog.messages == ["front: its source had failed 2 times"]
    assert capture.stop(BOUND_S)


def test_pauses_double_up_to_a_minute_with_jitter() -> None:
    pauses = list(islice(growing_pauses(), 8))

    for pause_s, longest in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert longest * 0.75 <= pause_s <= longest <= LONGEST_PAUSE_S


def test_an_unreadable_picture_is_told_counted_and_passed_over(
    capture_of: Make,
    slot: LatestSlot[Frame],
    states: States,
    caplog: pytest.LogCaptureFixture,
) -> None:
    script: list[Step] = [frame(0), Unreadable("b.jpg is skipped: cut short."), frame(1)]
    capture = capture_of(ScriptedSource(script))

    capture.start(None)

    assert numbers(slot) == [0, 1]
    assert capture.skipped == 1
    assert capture.frames == 2
    assert caplog.messages == ["front: b.jpg is skipped: cut short."]
    assert states.told == [RUNNING, ENDED]


def test_many_unreadable_pictures_are_told_once_and_counted(
    capture_of: Make, slot: LatestSlot[Frame], caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[Step] = [Unreadable(f"{number}.jpg is skipped.") for number in range(500)]
    capture = capture_of(ScriptedSource([*broken, frame(0)]))
    capture.start(None)
    assert numbers(slot) == [0]
    assert capture.skipped == 500
    assert capture.stop(BOUND_S)
    assert caplog.messages == [
        "front: 0.jpg is skipped.",
        "front: 499 more were skipped like that",
    ]


def test_gaps_are_counted_and_the_first_is_told(
    capture_of: Make, slot: LatestSlot[Frame], states: States, caplog: pytest.LogCaptureFixture
) -> None:
    gaps: list[Step] = [Gap(f"{number} samples lost.") for number in (3, 4, 5)]
    capture = capture_of(ScriptedSource([frame(0), *gaps, frame(1)]))
    capture.start(None)
    assert numbers(slot) == [0, 1]
    assert (capture.gaps, capture.skipped, capture.frames) == (3, 0, 2)
    assert states.told == [RUNNING, ENDED]
    assert capture.stop(BOUND_S)
    assert caplog.messages == ["front: 3 samples lost.", "front: 2 more gaps came after that"]


def test_a_source_whose_first_window_takes_long_is_running(
    capture_of: Make, slot: LatestSlot[Frame], states: States
) -> None:
    go_on = threading.Event()

    def wait() -> None:
        assert go_on.wait(BOUND_S)

    capture_of(ScriptedSource([NotYet(), wait, frame(0)])).start(None)
    states.wait_for(1)
    assert states.told == [RUNNING]
    go_on.set()
    assert numbers(slot) == [0]


def test_another_wish_opens_the_source_anew_without_closing_it_and_tells_nothing(
    capture_of: Make, slot: LatestSlot[Frame], states: States
) -> None:
    asked = threading.Event()

    def wait() -> None:
        assert asked.wait(BOUND_S)

    source = ScriptedSource([frame(0), wait, frame(1)], [frame(2)])
    capture = capture_of(source)

    capture.start(Size(300, 300))
    assert slot.take(BOUND_S) is not None
    capture.reopen(Size(224, 224))
    asked.set()

    assert numbers(slot) == [1, 2]
    assert source.wants == [Size(300, 300), Size(224, 224)]
    assert source.closed.acquire(timeout=BOUND_S)  # at the end, and only then
    assert not source.closed.acquire(blocking=False)
    assert states.told == [RUNNING, ENDED]


def test_stop_ends_a_wait_for_the_taker(capture_of: Make, slot: LatestSlot[Frame]) -> None:
    source = ScriptedSource([frame(0), frame(1), frame(2)])
    capture = capture_of(source)
    capture.start(None)

    assert capture.stop(BOUND_S)
    assert source.closed.acquire(timeout=BOUND_S)
    assert len(numbers(slot)) <= 1


def test_stop_ends_a_long_pause_and_tells_nothing_more(
    slot: LatestSlot[Frame], states: States
) -> None:
    capture = Capture(
        "front",
        ScriptedSource([SourceError("gone")]),
        slot,
        fps=None,
        realtime=True,
        on_state=states,
        pauses=lambda: repeat(3600.0),
    )
    capture.start(None)
    states.wait_for(1)

    assert capture.stop(BOUND_S)
    assert states.told == [(CaptureState.LOST, "gone")]


def test_stop_ends_a_wait_for_a_frame_that_is_due_later(
    capture_of: Make, slot: LatestSlot[Frame], states: States
) -> None:
    far_ns = 10**18 * 9  # of the monotonic clock
    capture = capture_of(ScriptedSource([frame(0, captured_ns=far_ns)]))
    capture.start(None)
    states.wait_for(1)

    assert capture.stop(BOUND_S)
    assert numbers(slot) == []


def test_stop_before_start_closes_the_slot(capture_of: Make, slot: LatestSlot[Frame]) -> None:
    assert capture_of(ScriptedSource()).stop()
    assert numbers(slot) == []


def test_a_source_stuck_in_its_driver_does_not_hold_up_the_end(
    capture_of: Make, slot: LatestSlot[Frame]
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert leave.wait(BOUND_S)

    capture = capture_of(ScriptedSource([hang]))
    capture.start(None)
    assert entered.wait(BOUND_S)

    assert not capture.stop(timeout_s=0.0)
    assert all(t.daemon for t in threading.enumerate() if t.name == "capture-front")
    leave.set()
    assert capture.stop(BOUND_S)


def test_a_stall_is_told_once_and_a_frame_ends_it(slot: LatestSlot[Frame], states: States) -> None:
    now_ns = 0
    entered, leave = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert leave.wait(BOUND_S)

    capture = Capture(
        "front",
        ScriptedSource([frame(0), hang, frame(1)]),
        slot,
        fps=None,
        realtime=True,
        on_state=states,
        now_ns=lambda: now_ns,
    )
    capture.start(None)
    assert entered.wait(BOUND_S)

    now_ns = 4900 * MS
    capture.check()
    assert states.told == [RUNNING]
    now_ns = 5100 * MS
    capture.check()
    now_ns = 6000 * MS
    capture.check()
    stalled = (CaptureState.LOST, "The source gave no frame for 5 s.")
    assert states.told == [RUNNING, stalled]

    leave.set()
    states.wait_for(4)
    assert states.told == [RUNNING, stalled, RUNNING, ENDED]
    assert capture.stop(BOUND_S)


def test_a_slow_taker_is_no_stall(states: States) -> None:
    now_ns = 0
    waiting = threading.Event()

    class Watched(LatestSlot[Frame]):
        def put_wait(self, item: Frame) -> None:
            if item.number == 1:
                waiting.set()
            super().put_wait(item)

    slot = Watched()
    source = ScriptedSource([frame(0), frame(1)])
    capture = Capture(
        "front", source, slot, fps=None, realtime=False, on_state=states, now_ns=lambda: now_ns
    )
    capture.start(None)
    assert waiting.wait(BOUND_S)

    now_ns = 60_000 * MS
    capture.check()

    assert states.told == [RUNNING]
    assert capture.stop(BOUND_S)


def test_a_stall_does_not_hide_why_a_source_is_lost(
    slot: LatestSlot[Frame], states: States
) -> None:
    now_ns = 0
    entered, leave = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert leave.wait(BOUND_S)

    capture = Capture(
        "front",
        ScriptedSource([SourceError("gone")], [hang]),
        slot,
        fps=None,
        realtime=True,
        on_state=states,
        pauses=lambda: repeat(0.0),
        now_ns=lambda: now_ns,
    )
    capture.start(None)
    assert entered.wait(BOUND_S)

    now_ns = 60_000 * MS
    capture.check()

    assert states.told == [(CaptureState.LOST, "gone")]
    leave.set()
    assert capture.stop(BOUND_S)


def test_a_frame_that_is_held_back_arrives_when_it_is_due(
    slot: LatestSlot[Frame], states: States
) -> None:
    source = ScriptedSource([frame(n) for n in range(3)])
    capture = Capture(
        "front", source, slot, fps=500, realtime=False, on_state=states, now_ns=lambda: 0
    )
    began = time.monotonic()

    capture.start(None)
    taken = [slot.take(BOUND_S) for _ in range(3)]

    assert time.monotonic() - began >= 0.004
    assert [(each.captured_ns, each.arrived_ns) for each in taken if each is not None] == [
        (0, 0),
        (2 * MS, 2 * MS),
        (4 * MS, 4 * MS),
    ]
    assert capture.stop(BOUND_S)


# ---- slowed down by the governor -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "busy_ms", "fps", "handed_on"),
    [
        (1, 0, None, 100),
        (0.5, 0, None, 50),  # of what a camera of 100 Hz gives
        (0.25, 0, None, 25),
        (0.75, 0, None, 75),
        (0.5, 40, None, 12),  # of the 25 a second that the model can take
        (0.5, 0, 20, 10),  # of the rate asked for
    ],
)
def test_a_share_of_what_would_be_inferred_is_handed_on(
    slot: LatestSlot[Frame],
    states: States,
    share: float,
    busy_ms: int,
    fps: float | None,
    handed_on: int,
) -> None:
    now_ns = 0
    counts = [0]

    def tick() -> None:
        nonlocal now_ns
        now_ns += 10 * MS

    def slow(to: float) -> Callable[[], None]:
        def step() -> None:
            counts.append(capture.frames)
            capture.slow_to(to, busy_ms * MS)

        return step

    def second(start: int) -> list[Step]:
        return [
            step
            for number in range(start, start + 100)
            for step in (tick, frame(number, (number + 1) * 10 * MS))
        ]

    script = [*second(0), slow(share), *second(100), slow(share), *second(200), slow(1)]
    capture = Capture(
        "front",
        ScriptedSource([*script, *second(300)], live=True),
        slot,
        fps=fps,
        realtime=True,
        on_state=states,
        now_ns=lambda: now_ns,
    )
    capture.start(None)
    states.wait_for(2)
    counts.append(capture.frames)
    first, slowed, still_slowed, again = (b - a for a, b in itertools.pairwise(counts))
    # A frame at the edge counts for this second or the next; a rest under way is kept to.
    assert first == pytest.approx(fps or 100, abs=2)
    assert slowed == pytest.approx(handed_on, abs=2)
    assert still_slowed == pytest.approx(handed_on, abs=2)
    assert again == pytest.approx(fps or 100, abs=10)
    assert capture.stop(BOUND_S)


def test_a_recording_of_which_every_frame_is_inferred_waits_for_its_share(
    slot: LatestSlot[Frame], states: States
) -> None:
    capture = Capture("front", ScriptedSource(), slot, fps=None, realtime=False, on_state=states)
    capture.slow_to(0.5, 40 * MS)
    assert [capture._pace.due_ns(0) for _ in range(3)] == [0, 80 * MS, 160 * MS]
    capture.slow_to(1, 40 * MS)
    assert capture._pace.due_ns(500 * MS) == 500 * MS


@pytest.mark.parametrize(("realtime", "expected"), [(False, [0, 1, 2]), (True, [])])
def test_frames_that_are_sure_to_be_taken_are_prepared_and_no_others(
    slot: LatestSlot[Frame], states: States, realtime: bool, expected: list[int]
) -> None:
    prepared: list[int] = []
    waiting: list[bool] = []

    def prepare(item: Captured) -> None:
        prepared.append(item.number)
        waiting.append(item.number in [frame.number for frame in slot._items])

    capture = Capture(
        "front",
        ScriptedSource([frame(0), frame(1), frame(2)]),
        slot,
        fps=None,
        realtime=realtime,
        on_state=states,
        prepare=prepare,
    )
    capture.start(None)
    assert numbers(slot)[-1] == 2
    assert prepared == expected
    assert not any(waiting)
    assert capture.stop(BOUND_S)


def test_what_a_slow_source_gives_is_measured_over_as_long_as_it_takes(
    slot: LatestSlot[Frame], states: States
) -> None:
    now_s = 0
    capture = Capture(
        "front",
        ScriptedSource(live=True),
        slot,
        fps=None,
        realtime=True,
        on_state=states,
        now_ns=lambda: now_s * 1000 * MS,
    )
    for _ in range(10):
        now_s += 1
        capture.slow_to(0.5, 0)
    capture._given = 2
    capture.slow_to(0.5, 0)
    assert capture._pace._interval_ns == 2 * 5000 * MS
