"""What is logged of a thread that stands still, by a clock that the test moves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest
from patience import PATIENCE_S

from edged.log_fields import Event
from edged.standstill import LONG_S, Standstill


class Worker:
    """A thread that takes two steps, each until it is let go."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.standstill = Standstill("the worker", Event.MODEL, lambda: self.now_s)
        self.began, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def await_step(self) -> None:
        assert self.began.acquire(timeout=PATIENCE_S)

    def end_step(self) -> None:
        self.go_on.release()

    def _run(self) -> None:
        for _ in range(2):
            self.standstill.begin()
            self._stand_in_a_driver()
            self.standstill.end()

    def _stand_in_a_driver(self) -> None:
        self.began.release()
        self.go_on.acquire(timeout=PATIENCE_S)


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.go_on.release(2)
    made.thread.join(PATIENCE_S)
    assert not made.thread.is_alive()


def test_a_step_that_takes_its_time_is_not_told(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.await_step()
    worker.now_s += LONG_S - 1
    worker.standstill.check()
    worker.end_step()
    worker.await_step()
    worker.now_s += LONG_S - 1  # longer than that with the step before
    worker.standstill.check()
    assert caplog.records == []


def test_where_it_stands_is_told_once_a_step(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    for steps in (1, 2):
        worker.await_step()
        worker.now_s += LONG_S
        worker.standstill.check()
        worker.standstill.check()
        assert len(caplog.records) == steps
        worker.end_step()
    record = caplog.records[0]
    begins = "the worker has been at one step for 120 s; this is where it stands:\n  File "
    assert (record.levelno, record.getMessage()[: len(begins)]) == (logging.WARNING, begins)
    assert "in _stand_in_a_driver\n    self.go_on.acquire(" in record.getMessage()


def test_a_thread_that_waits_for_something_to_do_is_not_told(
    worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    worker.go_on.release(2)
    worker.thread.join(PATIENCE_S)
    worker.now_s += 10 * LONG_S
    worker.standstill.check()
    assert caplog.records == []
