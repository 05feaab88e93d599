"""Interpreters that are shared."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from household import SMALL_MODELS

from edged.engine.engines import MOST_WAITED_S, Engines
from edged.engine.interpreter import Engine
from edged.errors import ModelError

BOUND_S = 20.0
PATH = SMALL_MODELS / "classifier_uint8.tflite"


def load() -> Engine:
    return Engine(PATH, threads=1)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


class Borrowing:
    """It borrows in a thread of its own."""

    def __init__(self, engines: Engines) -> None:
        self.engine: Engine | None = None
        self._thread = threading.Thread(target=self._borrow, args=[engines], daemon=True)
        self._thread.start()

    def _borrow(self, engines: Engines) -> None:
        self.engine = engines.borrow()

    def wait(self) -> Engine:
        self._thread.join(BOUND_S)
        assert self.engine is not None
        return self.engine


def test_one_serves_all_while_nobody_waits() -> None:
    engines = Engines(load(), lambda: pytest.fail("another was loaded"))
    first = engines.borrow()
    engines.give_back(first)
    assert engines.borrow() is first


def test_who_waits_gets_what_is_given_back() -> None:
    engines = Engines(load(), lambda: pytest.fail("another was loaded"))
    first = engines.borrow()
    waiting = Borrowing(engines)
    engines.give_back(first)
    assert waiting.wait() is first


def test_another_is_loaded_when_one_does_not_come_back() -> None:
    engines = Engines(load(), load)
    hung = engines.borrow()
    began_s = time.monotonic()
    assert Borrowing(engines).wait() is not hung
    assert time.monotonic() - began_s >= MOST_WAITED_S


def test_waits_that_are_short_add_up() -> None:
    now_s = [1000.0]
    loaded: list[Engine] = []

    def another() -> Engine:
        loaded.append(load())
        return loaded[-1]

    engines = Engines(load(), another, lambda: now_s[0])
    for _ in range(11):
        first = engines.borrow()
        waiting = Borrowing(engines)
        # On a slow machine another one comes sooner, for the waits are real ones too.
        until(lambda: bool(engines._changed._waiters) or bool(loaded))  # type: ignore[attr-defined]
        now_s[0] += MOST_WAITED_S / 10
        engines.give_back(first)
        engines.give_back(waiting.wait())
    first = engines.borrow()
    assert Borrowing(engines).wait() is not first
    assert len(loaded) == 1


def test_waits_of_long_ago_do_not_count() -> None:
    now_s = [1000.0]
    engines = Engines(load(), lambda: pytest.fail("another was loaded"), lambda: now_s[0])
    for _ in range(20):
        first = engines.borrow()
        waiting = Borrowing(engines)
        until(lambda: bool(engines._changed._waiters))  # type: ignore[attr-defined]
        now_s[0] += MOST_WAITED_S / 3
        engines.give_back(first)
        engines.give_back(waiting.wait())
        now_s[0] += 10


def test_one_that_failed_is_not_lent_again_where_there_is_another() -> None:
    engines = Engines(load(), load)
    broken = engines.borrow()
    fail(broken)
    engines.give_back(broken)
    # The only one is; until another is there.
    until(lambda: not engines._loading)
    for _ in range(2):
        engine = engines.borrow()
        if engine is broken:
            fail(engine)
        else:
            engine.invoke()
        engines.give_back(engine)
    assert engines.borrow() is not broken


def fail(engine: Engine) -> None:
    view = engine.input_view()
    with pytest.raises(ModelError):
        engine.invoke()
    del view
    assert engine.failed


def test_none_more_is_told_where_there_is_no_memory(caplog: pytest.LogCaptureFixture) -> None:
    def another() -> Engine:
        raise ModelError("it needs too much memory")

    engines = Engines(load(), another)
    first = engines.borrow()
    waiting = Borrowing(engines)
    until(lambda: "no further interpreter: it needs too much memory" in caplog.text)
    engines.give_back(first)
    assert waiting.wait() is first


def test_one_that_nobody_shares_is_never_joined_by_another() -> None:
    assert not Engines(load()).shared
