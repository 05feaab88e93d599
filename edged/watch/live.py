"""The live view: the board, drawn a few times a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TextIO

from . import words
from .board import Board
from .known import Event
from .payloads import Arrival
from .terminal import Terminal
from .textline import Frame
from .view import lines

BETWEEN_S = 0.5


class LiveView:
    """An ``Output``. When it ends, a line on the ordinary screen sums up."""

    def __init__(self, board: Board, title: str, out: TextIO, keys_fd: int) -> None:
        self._board = board
        self._title = title
        self._out = out
        self._terminal = Terminal(out, keys_fd)
        self._trouble: str | None = "connecting"
        self._since_s = self._next_s = time.monotonic()

    def begin(self) -> None:
        self._terminal.enter()

    def show(self, arrival: Arrival, events: Sequence[Event]) -> None:
        pass  # it is on the board

    def tell(self, trouble: str | None) -> None:
        self._trouble = trouble

    def note(self, text: str) -> None:
        now = datetime.now().astimezone()
        self._board.note(Event(now, "edged watch", words.safe(text, 500), True, True))

    def tick(self) -> bool:
        if self._terminal.stop_was_pressed():
            self._terminal.suspend()
        if self._terminal.quit_was_pressed():
            return False
        now_s = time.monotonic()
        size = self._terminal.size()
        if now_s >= self._next_s or size != self._terminal.painted_size:
            self._next_s = now_s + BETWEEN_S
            now = datetime.now().astimezone()
            frame = Frame(size.columns, size.lines, now_s, now, self._title, self._trouble)
            self._terminal.paint(lines(self._board, frame), size)
        return True

    def end(self) -> None:
        self._terminal.leave()
        counts = [pipeline.sequences for pipeline in self._board.pipelines]
        lasted = words.duration(time.monotonic() - self._since_s)
        missing = sum(each.missing for each in counts)
        twice = sum(each.twice for each in counts)
        self._out.write(
            f"{self._board.results:,} results in {lasted}, {missing:,} missing, {twice:,} twice\n"
        )
        self._out.flush()
