"""When a model's files have come to rest: with a clock that is moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from edged.store.settling import Change, Fingerprint, Outcome, Settling, Stamp

# Whole numbers, so that sums of times are exact.
SETTLE_S, UNFINISHED_S = 2, 8
MODEL, SIDECAR = "a.tflite", "a.toml"


def stamp(number: int) -> Stamp:
    return Stamp(device=1, inode=number, size_bytes=1, mtime_ns=0, ctime_ns=0)


@dataclass
class World:
    """The files of one model "a", a clock, and what was told of them."""

    settling: Settling = field(default_factory=lambda: Settling(SETTLE_S, UNFINISHED_S))
    now_s: float = 0
    files: dict[str, Stamp | None] = field(default_factory=lambda: {MODEL: None, SIDECAR: None})
    told: list[tuple[Outcome, Fingerprint]] = field(default_factory=list)
    on_told: Callable[[Outcome], None] = lambda _outcome: None
    stamps: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def fingerprint(self) -> Fingerprint:
        return self.files[MODEL], self.files[SIDECAR]

    def event(self, change: Change, file: str = MODEL) -> None:
        """Something happens to a file, and the kernel tells of it."""
        if change is Change.REMOVED:
            self.files[file] = None
        elif change is not Change.CLOSED:
            self.change_unseen(file)
        self.settling.happened("a", file, change, self.fingerprint, self.now_s)

    def change_unseen(self, file: str = MODEL) -> None:
        self.files[file] = stamp(next(self.stamps))

    def look(self, *, whole: bool = False) -> None:
        self.settling.found("a", self.fingerprint, self.now_s, whole=whole)

    def wait(self, seconds: float, *, prompt: bool = True) -> None:
        """Time passes; what is due is asked for at once, or only at the end."""
        end_s = self.now_s + seconds
        while prompt and (due_s := self.settling.next_s) is not None and due_s <= end_s:
            self.now_s = max(self.now_s, due_s)
            self._ask()
        self.now_s = end_s
        self._ask()

    def _ask(self) -> None:
        for name in self.settling.due(self.now_s):
            outcome = self.settling.settle(name, self.fingerprint, self.now_s)
            if outcome is not None:
                self.on_told(outcome)
                self.told.append((outcome, self.fingerprint))

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for outcome, _ in self.told]


def test_a_written_file_settles_a_short_time_after_it_was_closed() -> None:
    world = World()
    world.event(Change.WRITTEN)
    world.wait(1)
    world.event(Change.CLOSED)
    world.wait(SETTLE_S - 1)
    assert world.told == []
    world.wait(1)
    assert world.outcomes == [Outcome.SETTLED]


def test_a_file_that_is_held_open_settles_after_a_long_time() -> None:
    world = World()
    world.event(Change.WRITTEN)
    world.wait(UNFINISHED_S - 1)
    assert world.told == []
    world.wait(1)
    assert world.outcomes == [Outcome.SETTLED]


def test_closing_a_file_that_was_told_already_tells_nothing() -> None:
    world = World()
    world.event(Change.WRITTEN)
    world.wait(UNFINISHED_S)
    world.event(Change.CLOSED)
    world.wait(100)
    assert world.outcomes == [Outcome.SETTLED]


def test_a_file_beside_the_model_that_is_being_written_holds_it_up() -> None:
    world = World()
    world.event(Change.WRITTEN, SIDECAR)
    world.event(Change.REPLACED, MODEL)
    world.wait(UNFINISHED_S - 1)
    assert world.told == []
    world.event(Change.CLOSED, SIDECAR)
    world.wait(SETTLE_S)
    assert world.outcomes == [Outcome.SETTLED]


def test_model_and_sidecar_in_quick_succession_are_told_once() -> None:
    world = World()
    world.event(Change.REPLACED, MODEL)
    world.wait(1)
    world.event(Change.REPLACED, SIDECAR)
    world.wait(100)
    assert world.told == [(Outcome.SETTLED, world.fingerprint)]


def test_other_permissions_do_not_make_an_unfinished_file_complete() -> None:
    world = World()
    world.event(Change.WRITTEN)
    world.event(Change.TOUCHED)
    world.wait(UNFINISHED_S - 1)
    assert world.told == []


def test_what_is_found_in_whole_settles_sooner_than_what_may_be_growing() -> None:
    for whole, quiet_s in ((True, SETTLE_S), (False, UNFINISHED_S)):
        world = World()
        world.change_unseen()
        world.look(whole=whole)
        world.wait(quiet_s - 1)
        assert world.told == []
        world.wait(1)
        assert world.outcomes == [Outcome.SETTLED]


def test_a_file_that_keeps_growing_unseen_settles_when_it_has_stopped() -> None:
    world = World()
    for _ in range(5):
        world.change_unseen()
        world.look()
        world.wait(UNFINISHED_S - 1)
    assert world.told == []
    world.wait(1)
    assert world.told == [(Outcome.SETTLED, world.fingerprint)]


def test_a_change_behind_the_last_event_is_waited_out() -> None:
    world = World()
    world.event(Change.REPLACED)
    world.wait(1)
    world.change_unseen()
    world.wait(UNFINISHED_S)
    assert world.told == []
    world.wait(1)
    assert world.told == [(Outcome.SETTLED, world.fingerprint)]


def test_a_sidecar_that_came_and_went_unread_is_not_told() -> None:
    world = World()
    world.event(Change.REPLACED, MODEL)
    world.wait(SETTLE_S)
    world.event(Change.WRITTEN, SIDECAR)
    world.event(Change.REMOVED, SIDECAR)
    world.wait(100)
    assert world.outcomes == [Outcome.SETTLED]


def test_a_look_that_finds_nothing_new_holds_nothing_up() -> None:
    world = World()
    world.event(Change.REPLACED)
    world.wait(SETTLE_S - 1)
    world.look()
    world.wait(1)
    assert world.outcomes == [Outcome.SETTLED]


def test_a_file_that_is_held_open_for_ever_is_waited_for_once() -> None:
    world = World()
    world.event(Change.WRITTEN, SIDECAR)
    world.event(Change.REPLACED, MODEL)
    world.wait(UNFINISHED_S)
    world.event(Change.REPLACED, MODEL)
    world.wait(SETTLE_S)
    assert world.outcomes == [Outcome.SETTLED, Outcome.SETTLED]


def test_a_model_that_was_away_for_a_moment_is_not_gone() -> None:
    world = World()
    world.event(Change.REPLACED)
    world.wait(SETTLE_S)
    world.event(Change.REMOVED)
    world.wait(1)
    world.event(Change.REPLACED)
    world.wait(100)
    assert world.outcomes == [Outcome.SETTLED, Outcome.SETTLED]


def test_a_model_is_gone_once_whatever_stays_behind() -> None:
    world = World()
    world.event(Change.REPLACED, SIDECAR)
    world.wait(100)
    assert world.told == []
    world.event(Change.REPLACED, MODEL)
    world.wait(100)
    world.event(Change.REMOVED, MODEL)
    world.wait(100)
    world.event(Change.REMOVED, SIDECAR)
    world.wait(100)
    assert world.outcomes == [Outcome.SETTLED, Outcome.GONE]
    assert not world.settling.names


def test_a_new_file_is_told_where_times_are_too_coarse_to_show_it() -> None:
    world = World()
    world.event(Change.REPLACED)
    world.wait(SETTLE_S)
    world.settling.happened("a", MODEL, Change.REPLACED, world.fingerprint, world.now_s)
    world.wait(SETTLE_S)
    assert world.outcomes == [Outcome.SETTLED, Outcome.SETTLED]


def test_models_settle_each_by_itself() -> None:
    settling = Settling(SETTLE_S, UNFINISHED_S)
    settling.happened("a", "a.tflite", Change.REPLACED, (stamp(1),), 0)
    settling.happened("b", "b.tflite", Change.REPLACED, (stamp(2),), 1)
    assert settling.next_s == SETTLE_S
    assert settling.due(SETTLE_S) == ["a"]
    assert settling.settle("a", (stamp(1),), SETTLE_S) is Outcome.SETTLED
    assert settling.next_s == SETTLE_S + 1
    assert settling.due(SETTLE_S + 1) == ["b"]


# ---- whatever happens, in whatever order --------------------------------------------------------

files = st.sampled_from([MODEL, SIDECAR])
step = st.one_of(
    st.tuples(st.just("event"), st.sampled_from(Change), files),
    st.tuples(st.just("unseen"), files),
    st.tuples(st.just("look"), st.booleans()),
    st.tuples(st.just("wait"), st.integers(1, 10), st.booleans()),
)


class Judged(World):
    """A world that holds every telling against what has really happened."""

    def __init__(self) -> None:
        super().__init__(on_told=self._judge)
        self.changed_s: float = 0
        self.unfinished: dict[str, float] = {}  # when a file that no one has closed was written

    def event(self, change: Change, file: str = MODEL) -> None:
        if self.files[file] is None and change not in (Change.WRITTEN, Change.REPLACED):
            return
        if change is Change.WRITTEN:
            self.unfinished[file] = self.now_s
        elif change is not Change.TOUCHED:
            self.unfinished.pop(file, None)
        if change is not Change.CLOSED:
            self.changed_s = self.now_s
        super().event(change, file)

    def change_unseen(self, file: str = MODEL) -> None:
        self.changed_s = self.now_s
        super().change_unseen(file)

    def _judge(self, outcome: Outcome) -> None:
        assert self.now_s - self.changed_s >= SETTLE_S, "told before it was quiet"
        for written_s in self.unfinished.values():
            assert self.now_s - written_s >= UNFINISHED_S, "told while it was being written"
        self.unfinished.clear()
        assert (outcome is Outcome.SETTLED) == (self.files[MODEL] is not None)
        assert not self.told or self.told[-1] != (outcome, self.fingerprint), "told twice"
        if outcome is Outcome.GONE:
            assert self.told, "gone, and never told to be there"
            assert self.told[-1][0] is Outcome.SETTLED, "gone twice"


@settings(max_examples=300, deadline=None)
@given(st.lists(step, max_size=40))
def test_the_last_state_is_told_once_and_never_before_it_was_quiet(
    steps: list[tuple[str, object, object]],
) -> None:
    world = Judged()
    for kind, *arguments in steps:
        match kind, arguments:
            case "event", [Change() as change, str(file)]:
                world.event(change, file)
            case "unseen", [str(file)]:
                world.change_unseen(file)
            case "look", [bool(whole)]:
                world.look(whole=whole)
            case "wait", [int(seconds), bool(prompt)]:
                world.wait(seconds, prompt=prompt)
    for _ in range(3):
        world.look()
        world.wait(UNFINISHED_S)
    if world.files[MODEL] is not None:
        assert world.told[-1] == (Outcome.SETTLED, world.fingerprint)
    else:
        assert not world.told or world.told[-1][0] is Outcome.GONE
    told = len(world.told)
    world.look()
    world.wait(100)
    assert len(world.told) == told
    assert bool(world.settling.names) == any(world.fingerprint)
