"""The order of sending with a spool behind: pure, with a clock of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from spools import number_of, row

from edged.publish import Stored
from edged.publish.backlog import MOST_DONE, PATIENCE_S, ROWS_PER_S
from edged.publish.outbox import Outbox
from edged.publish.waiting import Parcel
from edged.records.results import Result

Make = Callable[..., Result]


class Desk:
    """An outbox, and a spool that is only a dictionary."""

    def __init__(self, rows: int = 0, capacity: int = 1000) -> None:
        self.now_s = 100.0
        self.outbox = Outbox(capacity, lambda: self.now_s)
        self.rows: dict[int, Stored] = {number + 1: row(number) for number in range(rows)}
        self.outbox.spool_opening()
        self.outbox.spool_opened(rows)
        self.outbox.rewind()

    def put(self, *results: Result) -> None:
        for result in results:
            self.outbox.put("edged/pi/front/result", result)

    def read(self) -> None:
        """What the spooling thread does where rows are wanted."""
        while (wanted := self.outbox.wanted()) is not None:
            rows = (each for each in self.rows.items() if each[0] > wanted.after)
            self.outbox.load(wanted, list(islice(rows, 30)))

    def write(self, after_s: float = 0.0) -> int:
        """And where there is something to write or to delete; how many were written."""
        due, done = self.outbox.due(after_s, 1000), self.outbox.done()
        written = []
        for waiting in due:
            number = max(self.rows, default=0) + 1
            content = waiting.content
            self.rows[number] = (
                content if isinstance(content, Stored) else row(content.sequence, boot="written")
            )
            written.append((waiting, number))
        for number in done:
            del self.rows[number]
        self.outbox.written(written, done, dropped=0)
        return len(written)

    def take(self) -> Parcel | None:
        """What the sender takes, also if it has to ask a second time."""
        taken = self.outbox.take()
        if taken is None and self.outbox.rows_wanted.is_set():
            self.read()
            taken = self.outbox.take()
        self.read()
        return taken

    def all(self) -> Iterator[Parcel]:
        """What can be taken without time going by."""
        return iter(self.take, None)

    def send(self, seconds: float, every_s: float = 0.01) -> list[int]:
        """What goes out, and is acknowledged, in so much time."""
        sent = []
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            for parcel in self.all():
                sent.append(sequence(parcel))
                self.outbox.settle(parcel.number)
            self.now_s += every_s
        return sent


def sequence(parcel: Parcel) -> int:
    if isinstance(parcel.content, Stored):
        return number_of(parcel.content)
    assert isinstance(parcel.content, Result)
    return parcel.content.sequence


def test_rows_go_in_order_and_before_what_waits_in_memory(a_result: Make) -> None:
    desk = Desk(rows=100)
    desk.put(*(a_result(number) for number in range(100, 110)))

    assert desk.send(1) == list(range(110))
    assert desk.outbox.metrics().depth == 0
    desk.write()
    assert desk.rows == {}


def test_rows_go_at_a_bounded_rate_and_what_is_in_memory_as_fast_as_the_broker_takes_it(
    a_result: Make,
) -> None:
    desk = Desk(rows=1000)

    assert ROWS_PER_S <= len(desk.send(1)) <= ROWS_PER_S + 20
    desk.send(10)
    desk.put(*(a_result(number) for number in range(1000, 2000)))
    assert len(desk.send(0.01)) == 1000


def test_the_pause_until_the_next_row_is_told() -> None:
    desk = Desk(rows=100)
    list(desk.all())

    assert 0 < desk.outbox.pause_s(1.0) <= 1 / ROWS_PER_S
    assert Desk().outbox.pause_s(1.0) == 1.0


def test_new_results_overtake_rows_only_when_these_take_too_long(a_result: Make) -> None:
    desk = Desk(rows=3000)
    sent: list[int] = []
    for second in range(20):
        desk.put(a_result(3000 + second))
        sent += desk.send(1)

    rows = [number for number in sent if number < 3000]
    assert rows == list(range(3000))
    assert [number for number in sent if number >= 3000] == list(range(3000, 3020))
    first = sent.index(3000)
    assert first == pytest.approx(PATIENCE_S * ROWS_PER_S, rel=0.1)
    assert sent[-1] == 3019


def test_a_fast_pipeline_and_the_rows_take_turns_on_a_slow_line(a_result: Make) -> None:
    desk = Desk(rows=2000)
    desk.send(PATIENCE_S + 0.1)
    desk.put(*(a_result(10_000 + number) for number in range(500)))

    taken = []
    for _ in range(200):
        desk.now_s += 0.01  # a line that takes 100 messages a second, and rows could go at 200
        parcel = desk.take()
        assert parcel is not None
        taken.append(sequence(parcel) >= 10_000)

    assert taken.count(True) == 100


def test_the_time_in_which_the_broker_takes_nothing_is_no_reason_to_overtake(
    a_result: Make,
) -> None:
    desk = Desk(rows=300)
    desk.put(a_result(300))
    first = desk.take()
    assert first is not None

    desk.now_s += 60  # nobody asks while the connection has no room

    assert [sequence(first), *desk.send(3)] == list(range(301))


def test_a_new_connection_has_patience_anew(a_result: Make) -> None:
    desk = Desk(rows=3000)
    desk.put(a_result(3000))
    assert 3000 in desk.send(PATIENCE_S + 1)

    desk.put(a_result(3001))
    desk.outbox.rewind()

    assert 3001 not in desk.send(PATIENCE_S - 1)


def test_what_is_on_its_way_is_sent_again_from_the_oldest_on_after_the_connection_broke(
    a_result: Make,
) -> None:
    desk = Desk(rows=40)
    on_their_way = [desk.take() for _ in range(5)]
    assert on_their_way[4] is not None
    assert on_their_way[1] is not None
    desk.outbox.settle(on_their_way[1].number)

    desk.outbox.rewind()

    assert desk.send(1) == [0, *range(2, 40)]


def test_what_waits_is_written_all_at_once_when_the_oldest_has_waited_long_enough(
    a_result: Make,
) -> None:
    desk = Desk()
    desk.put(a_result(0))
    desk.now_s += 0.4
    desk.put(a_result(1))
    assert desk.write(after_s=0.5) == 0

    desk.now_s += 0.1

    assert desk.write(after_s=0.5) == 2
    assert desk.outbox.metrics().in_memory == 0
    assert desk.outbox.metrics().depth == 2
    assert desk.write(after_s=0.0) == 0
    assert desk.send(1) == [0, 1]


def test_what_is_on_its_way_while_it_is_written_leaves_the_spool_when_it_is_acknowledged(
    a_result: Make,
) -> None:
    desk = Desk()
    desk.put(*map(a_result, range(4)))
    first, second = desk.take(), desk.take()
    assert first is not None
    assert second is not None
    assert desk.write() == 4
    assert sorted(desk.rows) == [1, 2, 3, 4]

    desk.outbox.settle(first.number)
    desk.write()
    assert sorted(desk.rows) == [2, 3, 4]
    assert desk.send(1) == [2, 3]
    desk.outbox.settle(second.number)
    desk.write()

    assert desk.rows == {}
    assert desk.outbox.empty()


def test_what_is_acknowledged_while_it_is_being_written_is_deleted_again(a_result: Make) -> None:
    desk = Desk()
    desk.put(a_result(0), a_result(1))
    parcel = desk.take()
    assert parcel is not None
    due = desk.outbox.due(0.0, 10)

    desk.outbox.settle(parcel.number)
    desk.rows = {1: row(0), 2: row(1)}
    desk.outbox.written(list(zip(due, (1, 2), strict=True)), frozenset(), dropped=0)

    assert desk.outbox.done() == {1}
    assert desk.outbox.metrics().depth == 1
    assert desk.send(1) == [1]


def test_a_live_result_that_is_spooled_on_its_way_is_not_read_and_sent_a_second_time(
    a_result: Make,
) -> None:
    desk = Desk(rows=2000)
    desk.send(PATIENCE_S + 0.1)
    desk.put(a_result(2000))
    live = next(parcel for parcel in desk.all() if sequence(parcel) == 2000)
    assert desk.write() == 1

    assert 2000 not in desk.send(10)
    assert desk.outbox.metrics().depth >= 1
    desk.outbox.settle(live.number)
    desk.write()
    assert 2001 not in desk.rows


def test_results_handed_over_while_the_spool_is_opened_let_its_rows_go_first(
    a_result: Make,
) -> None:
    desk = Desk()
    desk.outbox.spool_opening()
    desk.outbox.spool_away()
    desk.outbox.spool_opening()
    desk.put(a_result(7))
    desk.outbox.rewind()

    desk.outbox._backlog.available = False
    assert desk.take() is None
    desk.rows = {1: row(0)}
    desk.outbox.spool_opened(1)

    assert desk.send(1) == [0, 7]


def test_without_the_file_what_is_in_memory_goes_and_the_rows_when_it_is_back(
    a_result: Make,
) -> None:
    desk = Desk(rows=100)
    desk.put(a_result(100))

    desk.outbox.spool_away()
    assert desk.send(1) == [100]
    desk.outbox.spool_opened(100)

    assert desk.send(1) == list(range(100))


def test_rows_that_are_lost_are_counted_but_for_those_in_memory(a_result: Make) -> None:
    desk = Desk(rows=200)
    on_its_way = desk.take()
    assert on_its_way is not None
    desk.put(a_result(200))

    lost = desk.outbox.spool_lost()
    desk.rows = {}
    desk.outbox.spool_opened(0)

    metrics = desk.outbox.metrics()
    assert metrics.dropped == lost > 100
    assert metrics.depth + lost == 201
    in_memory = desk.send(1)
    assert in_memory == [*range(1, metrics.depth - 1), 200]
    desk.outbox.settle(on_its_way.number)
    assert desk.outbox.empty()
    assert desk.outbox.wait_settled(timeout_s=0)


def test_what_was_dropped_for_the_bounds_is_not_waited_for() -> None:
    desk = Desk(rows=10)
    for number in range(1, 5):
        del desk.rows[number]

    desk.outbox.written([], frozenset(), dropped=4)

    assert desk.outbox.metrics().dropped == 4
    assert desk.send(1) == list(range(4, 10))
    assert desk.outbox.empty()


def test_a_file_that_holds_fewer_rows_than_were_counted_holds_nobody_up(a_result: Make) -> None:
    desk = Desk(rows=10)
    desk.rows = {1: row(0)}
    desk.put(a_result(10))

    assert desk.send(1) == [0, 10]
    assert desk.outbox.empty()


def test_delivery_of_rows_waits_for_a_disk_that_takes_no_deletions() -> None:
    desk = Desk(rows=MOST_DONE + 1000)

    sent = len(desk.send(3 * MOST_DONE / ROWS_PER_S, every_s=0.04))

    assert MOST_DONE <= sent < MOST_DONE + 200
    desk.write()
    assert len(desk.send(60, every_s=0.04)) == MOST_DONE + 1000 - sent


def test_few_rows_are_held_in_memory() -> None:
    desk = Desk(rows=5000)
    desk.take()

    assert len(desk.outbox._backlog.loaded) < 100


def test_no_row_is_read_while_there_is_nobody_to_send_it_to() -> None:
    desk = Desk(rows=5000)

    desk.read()

    assert desk.outbox.cursor() == 0


def test_the_spool_is_opened_at_once() -> None:
    outbox = Outbox(10)
    outbox.spool_opening()
    assert outbox.rows_wanted.is_set()
