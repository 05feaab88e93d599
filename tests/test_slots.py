"""Who may use the cores, and when."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from edged.slots import LEND_AFTER_NS, Slots, Turn

BOUND_S = 20.0
MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.ns = 10_000 * MS

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Asking:
    """One that asks in a thread of its own. ``log`` gets its name when it begins."""

    def __init__(self, turn: Turn, since_ns: int, name: str, log: list[str]) -> None:
        self.turn = turn
        self._begun = threading.Event()
        self._since_ns, self._name, self._log = since_ns, name, log
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        self.turn.begin(self._since_ns)
        self._log.append(self._name)
        self._begun.set()

    @property
    def begun(self) -> bool:
        return self._begun.is_set()

    def wait(self) -> None:
        assert self._begun.wait(BOUND_S)


@pytest.fixture
def ask() -> Callable[..., Asking]:
    """``ask(turn, since_ns)``: it has begun, or it waits, when this returns."""

    def asking(turn: Turn, since_ns: int, name: str = "", log: list[str] | None = None) -> Asking:
        made = Asking(turn, since_ns, name, [] if log is None else log)
        until(lambda: made.begun or turn in turn._pool._waiting)
        return made

    return asking


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def steps(turn: Turn, clock: Clock, took_ns: int, count: int = 20) -> None:
    """Steps, each with a long rest after it."""
    for _ in range(count):
        turn.begin(clock())
        clock.ns += took_ns
        turn.end()
        clock.ns += 100 * took_ns


def test_a_slot_that_is_free_is_given_at_once(clock: Clock) -> None:
    slots = Slots(2, clock)
    slots.turn(1).begin(clock())
    slots.turn(1).begin(clock())


def test_no_more_work_at_a_time_than_there_are_slots(
    clock: Clock, ask: Callable[..., Asking]
) -> None:
    slots = Slots(2, clock)
    first, second, third = (ask(slots.turn(1), clock()) for _ in range(3))
    assert (first.begun, second.begun, third.begun) == (True, True, False)
    second.turn.end()
    third.wait()


def test_what_is_left_to_do_is_done_before_a_wait_and_only_then() -> None:
    slots, done = Slots(1), threading.Event()
    holder, other = slots.turn(1), slots.turn(1)
    holder.begin(0, lambda: pytest.fail("it did not have to wait"))
    waiting = threading.Thread(target=lambda: other.begin(0, done.set), daemon=True)
    waiting.start()
    assert done.wait(BOUND_S)
    holder.end()
    waiting.join(BOUND_S)


def test_whose_frame_has_waited_for_longest_comes_first(
    clock: Clock, ask: Callable[..., Asking]
) -> None:
    slots, log = Slots(1, clock), list[str]()
    holder = slots.turn(1)
    holder.begin(clock())
    waiting = [ask(slots.turn(1), since, str(since), log) for since in (30, 10, 20)]
    holder.end()
    for each in (waiting[1], waiting[2], waiting[0]):
        each.wait()
        each.turn.end()
    assert log == ["10", "20", "30"]


def test_one_whose_frame_came_while_it_worked_waits_from_the_end_of_its_step_on(
    clock: Clock, ask: Callable[..., Asking]
) -> None:
    slots = Slots(1, clock)
    fast, holder = slots.turn(1), slots.turn(1)
    fast.begin(clock())
    clock.ns += 100 * MS
    fast.end()
    holder.begin(clock())
    again = ask(fast, clock() - 99 * MS)
    slow = ask(slots.turn(1), clock() - MS)
    holder.end()
    slow.wait()
    assert not again.begun
    slow.turn.end()
    again.wait()


def test_one_that_needs_two_slots_is_not_overtaken(
    clock: Clock, ask: Callable[..., Asking]
) -> None:
    slots = Slots(2, clock)
    one, other = slots.turn(1), slots.turn(1)
    one.begin(clock())
    other.begin(clock())
    wide = ask(slots.turn(2), 1)
    narrow = ask(slots.turn(1), 2)
    one.end()
    assert not wide.begun
    assert not narrow.begun
    other.end()
    wide.wait()
    assert not narrow.begun
    wide.turn.end()
    narrow.wait()


def test_more_threads_than_cores_take_all_slots() -> None:
    assert Slots(2).turn(8).slots == 2


@pytest.mark.parametrize("usual_ns", [0, 300 * MS])
def test_a_step_that_does_not_end_gives_way_and_is_counted_when_it_comes_back(
    clock: Clock, ask: Callable[..., Asking], usual_ns: int
) -> None:
    slots = Slots(1, clock)
    hung = slots.turn(1)
    if usual_ns:
        steps(hung, clock, usual_ns)
    hung.begin(clock())
    waiting = ask(slots.turn(1), clock())
    clock.ns += max(LEND_AFTER_NS, 10 * usual_ns)
    with slots.lock:
        slots.lend()
    assert not waiting.begun
    clock.ns += 1
    waiting.wait()
    hung.end()
    back = ask(hung, clock())
    assert not back.begun
    waiting.turn.end()
    back.wait()


def test_what_hung_once_is_not_usual(clock: Clock, ask: Callable[..., Asking]) -> None:
    slots = Slots(1, clock)
    hung = slots.turn(1)
    steps(hung, clock, 10 * MS)
    hung.begin(clock())
    clock.ns += 600_000 * MS
    hung.end()
    hung.begin(clock())
    waiting = ask(slots.turn(1), clock())
    clock.ns += 3 * LEND_AFTER_NS
    waiting.wait()


def test_what_is_brief_and_seldom_does_not_wait_behind_what_is_long(
    clock: Clock, ask: Callable[..., Asking]
) -> None:
    slots = Slots(1, clock)
    keyword, holder = slots.turn(1), slots.turn(1)
    steps(keyword, clock, MS // 3)
    holder.begin(clock())
    ask(slots.turn(1), 1)
    assert ask(keyword, clock()).begun


def test_only_one_at_a_time_goes_without_a_slot(clock: Clock, ask: Callable[..., Asking]) -> None:
    slots = Slots(1, clock)
    brief = [slots.turn(1) for _ in range(2)]
    for turn in brief:
        steps(turn, clock, MS // 3)
    slots.turn(1).begin(clock())
    first, second = (ask(turn, clock()) for turn in brief)
    assert (first.begun, second.begun) == (True, False)
    first.turn.end()
    second.wait()


@pytest.mark.parametrize(("took_ms", "rest_ms"), [(8, 800), (1, 2)], ids=["long", "busy"])
def test_what_is_long_or_busy_waits_like_all_others(
    clock: Clock, ask: Callable[..., Asking], took_ms: int, rest_ms: int
) -> None:
    slots = Slots(1, clock)
    turn = slots.turn(1)
    for _ in range(200):
        turn.begin(clock())
        clock.ns += took_ms * MS
        turn.end()
        clock.ns += rest_ms * MS
    slots.turn(1).begin(clock())
    assert not ask(turn, clock()).begun


def test_many_that_are_brief_go_without_a_slot_for_a_tenth_of_the_time_in_all(
    clock: Clock, ask: Callable[..., Asking]
) -> None:
    slots = Slots(1, clock)
    many = [slots.turn(1) for _ in range(100)]
    for turn in many:
        steps(turn, clock, 4 * MS)
    slots.turn(1).begin(clock())
    worked_ms = 0
    for turn in many:
        if not ask(turn, clock()).begun:
            break
        clock.ns += 4 * MS
        worked_ms += 4
        turn.end()
    assert worked_ms < 130  # 100 ms were saved, and a tenth of what went by was added


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_all_get_their_share_whatever_the_pace_of_their_sources(stop: threading.Event) -> None:
    """Each works on the clock of the machine, four of them with a frame that is always there."""
    slots, done = Slots(2), Counter[int]()

    def work(number: int) -> None:
        turn = slots.turn(1)
        while not stop.is_set():
            came_ns = time.monotonic_ns() if number < 4 else 0
            turn.begin(came_ns)
            stop.wait(0.006)
            done[number] += 1
            turn.end()

    threads = [threading.Thread(target=work, args=[number], daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: sum(done.values()) >= 400)
    stop.set()
    for thread in threads:
        thread.join(BOUND_S)
    mean = sum(done.values()) / len(threads)
    assert min(done.values()) > 0.9 * mean - 1
