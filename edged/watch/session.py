"""From the feed to the board and the output, until there is an end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

import msgspec

from ..errors import EdgedError
from .board import Board
from .feed import Feed, Link, Notice
from .outputs import Output
from .payloads import Arrival

_TICK_S = 0.1


class Limits(msgspec.Struct, frozen=True):
    """When to end: after so many seconds, or so many results. None: not."""

    seconds: float | None = None
    results: int | None = None


class Session:
    """``run`` once."""

    def __init__(self, feed: Feed, board: Board, output: Output, limits: Limits) -> None:
        self._feed = feed
        self._board = board
        self._output = output
        self._limits = limits
        self._connected_once = False
        self._trouble = "the broker has not answered yet"
        self._dropped = 0

    def run(self, stopped: Callable[[], bool]) -> None:
        """Until a limit is reached, the user ends it, or ``stopped`` says so.

        Raises EdgedError where the broker does not let us in or, in the time that was given, was
        not reached or did not give as many results as were asked for.
        """
        limits, began_s = self._limits, time.monotonic()
        self._feed.start()
        try:
            self._output.begin()
            while not stopped() and self._output.tick():
                self._take()
                if limits.results is not None and self._board.results >= limits.results:
                    return
                if limits.seconds is not None and time.monotonic() - began_s >= limits.seconds:
                    self._judge(limits.seconds)
                    return
        finally:
            self._output.end()
            self._feed.close()

    def _take(self) -> None:
        news = self._feed.take(_TICK_S)
        if self._feed.dropped != self._dropped:
            if not self._dropped:
                self._output.note("messages come faster than they can be shown; some go by unseen")
            self._dropped = self._feed.dropped
            self._board.interrupt()
        match news:
            case Arrival():
                self._output.show(news, self._board.take(news))
            case Notice():
                self._output.note(news.text)
            case Link(trouble=None):
                self._connected_once = True
                self._output.tell(None)
            case Link():
                self._take_trouble(news)

    def _take_trouble(self, link: Link) -> None:
        self._board.interrupt()
        self._trouble = str(link.trouble)
        if link.hopeless and not self._connected_once:
            raise EdgedError(f"no connection to {self._feed.broker}: {self._trouble}")
        self._output.tell(f"{self._trouble}; trying again")

    def _judge(self, seconds: float) -> None:
        if not self._connected_once:
            raise EdgedError(f"no connection to {self._feed.broker}: {self._trouble}")
        wanted, came = self._limits.results, self._board.results
        if wanted is not None:
            raise EdgedError(f"{came} results came in {seconds:g} s, and not {wanted}")


@contextlib.contextmanager
def until_signalled() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came. The first ends in good order, the second at once."""
    came = False

    def handle(number: int, _: object) -> None:
        nonlocal came
        came = True
        signal.signal(number, signal.SIG_DFL)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield lambda: came
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
