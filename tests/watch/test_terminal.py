"""The screen is painted by changed lines, and given back as it was. The terminal is a real one of
the kernel (a pty).
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest
from rich.text import Text

from edged.watch.terminal import Terminal

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J", "\x1b[?7h\x1b[?25h\x1b[?1049l"


class Pty:
    """``shown`` gives what was written to it since the last time."""

    def __init__(self) -> None:
        self.outer, self.inner = pty.openpty()
        self.out: TextIO = os.fdopen(os.dup(self.inner), "w")
        self.resize(80, 24)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.inner, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def shown(self) -> str:
        os.write(self.inner, b"\n")  # what comes before it is all that was written
        text = b""
        while not text.endswith(b"\r\n"):
            text += os.read(self.outer, 65536)
        return text.decode().removesuffix("\r\n")

    def close(self) -> None:
        self.out.close()
        os.close(self.inner)
        os.close(self.outer)


@pytest.fixture
def screen() -> Iterator[Pty]:
    made = Pty()
    yield made
    made.close()


def texts(*lines: str) -> list[Text]:
    return [Text(line) for line in lines]


def test_the_terminal_is_given_back_as_it_was(screen: Pty) -> None:
    terminal = Terminal(screen.out, screen.inner)
    terminal.enter()
    assert screen.shown() == ENTER
    terminal.leave()
    assert screen.shown() == LEAVE
    terminal.leave()
    assert screen.shown() == ""


def test_only_lines_that_changed_are_sent(screen: Pty) -> None:
    terminal = Terminal(screen.out, screen.inner)
    size = terminal.size()
    assert size == (80, 24)
    terminal.paint(texts("one", "two", "three"), size)
    whole = "\x1b[2J\x1b[1;1H\x1b[2Kone\x1b[2;1H\x1b[2Ktwo\x1b[3;1H\x1b[2Kthree"
    assert screen.shown() == whole
    terminal.paint(texts("one", "two", "three"), size)
    assert screen.shown() == ""
    terminal.paint(texts("one", "2", "three"), size)
    assert screen.shown() == "\x1b[2;1H\x1b[2K2"
    terminal.paint(texts("one"), size)
    assert screen.shown() == "\x1b[2;1H\x1b[2K\x1b[3;1H\x1b[2K"


def test_another_size_paints_all_of_it_again(screen: Pty) -> None:
    terminal = Terminal(screen.out, screen.inner)
    terminal.paint(texts("one"), terminal.size())
    screen.shown()
    screen.resize(40, 10)
    assert terminal.size() == (40, 10) != terminal.painted_size
    terminal.paint(texts("one"), terminal.size())
    assert screen.shown() == "\x1b[2J\x1b[1;1H\x1b[2Kone"


def test_a_terminal_that_does_not_tell_its_size_has_the_usual_one(screen: Pty) -> None:
    screen.resize(0, 0)
    assert Terminal(screen.out, screen.inner).size() == (80, 24)


def test_colours_are_sent_unless_no_color_is_set(
    screen: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = [Text("lost", "red")]
    Terminal(screen.out, screen.inner).paint(line, os.terminal_size((80, 24)))
    assert "\x1b[31mlost" in screen.shown()
    monkeypatch.setenv("NO_COLOR", "1")
    Terminal(screen.out, screen.inner).paint(line, os.terminal_size((80, 24)))
    assert screen.shown() == "\x1b[2J\x1b[1;1H\x1b[2Klost"
