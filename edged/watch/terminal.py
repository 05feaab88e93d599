"""The screen: the terminal's second one, painted by the lines that changed, and at the end the
first one again, with the cursor and the echo of keys as they were.

Few bytes a second matter over ssh: a line that did not change is not sent again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
from collections.abc import Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # second screen, no cursor, no wrapping, empty
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"


class Terminal:
    """``enter``, ``paint`` as often as you like, ``leave`` (which may be called twice)."""

    def __init__(self, out: TextIO, keys_fd: int) -> None:
        """``out`` is a terminal; ``keys_fd`` is what keys are read from, where it is one."""
        self._out = out
        self._keys_fd = keys_fd
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._painted: list[str] = []
        self.painted_size: os.terminal_size | None = None
        self._entered = False
        self._before: list[Any] | None = None
        self._reads_keys = False
        self._stop_pressed = False
        self._stop_before: Any = None

    def size(self) -> os.terminal_size:
        """As it is now; 80x24 where the terminal does not tell."""
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(self._out.fileno())
            if size.columns and size.lines:
                return size
        return os.terminal_size((80, 24))

    def enter(self) -> None:
        self._take_keys()
        self._entered = True
        self.painted_size = None
        self._stop_before = signal.signal(signal.SIGTSTP, self._on_stop)
        self._write(_ENTER)

    def paint(self, lines: Sequence[Text], size: os.terminal_size) -> None:
        """Show lines that were made for this size."""
        text = ""
        if size != self.painted_size:
            self._painted, self.painted_size = [], size
            text = "\x1b[2J"
        rendered = [self._rendered(line) for line in lines]
        rendered += [""] * (len(self._painted) - len(rendered))
        for row, line in enumerate(rendered):
            if row >= len(self._painted) or line != self._painted[row]:
                text += f"\x1b[{row + 1};1H\x1b[2K{line}"
        self._painted = rendered
        if text:
            self._write(text)

    def leave(self) -> None:
        if not self._entered:
            return
        self._entered = False
        signal.signal(signal.SIGTSTP, self._stop_before)
        with contextlib.suppress(OSError):  # the terminal may be gone
            self._write(_LEAVE)
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._keys_fd, termios.TCSAFLUSH, self._before)
            self._before = None

    def stop_was_pressed(self) -> bool:
        """Ctrl-Z: ``suspend`` is due."""
        return self._stop_pressed

    def suspend(self) -> None:
        """Give the terminal back, stop, and take it again when we are continued."""
        self._stop_pressed = False
        self.leave()
        os.kill(os.getpid(), signal.SIGTSTP)
        self.enter()

    def quit_was_pressed(self) -> bool:
        while self._reads_keys and select.select([self._keys_fd], [], [], 0)[0]:
            keys = os.read(self._keys_fd, 256)
            self._reads_keys = bool(keys)
            if b"q" in keys.lower():
                return True
        return False

    def _take_keys(self) -> None:
        """No echo, and each key at once; not where the keys are another program's."""
        self._reads_keys = False
        with contextlib.suppress(OSError, termios.error):
            if os.tcgetpgrp(self._keys_fd) != os.getpgrp():
                return
            self._before = termios.tcgetattr(self._keys_fd)
            changed = termios.tcgetattr(self._keys_fd)
            changed[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(self._keys_fd, termios.TCSANOW, changed)
            self._reads_keys = True

    def _on_stop(self, _: int, __: object) -> None:
        self._stop_pressed = True

    def _rendered(self, line: Text) -> str:
        with self._console.capture() as captured:
            self._console.print(line, end="", soft_wrap=True)
        return captured.get()

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
