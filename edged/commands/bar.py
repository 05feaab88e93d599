"""How far a download is: one line that moves on a terminal, else a line now and then."""

from __future__ import annotations

from typing import TextIO

_STEP_PERCENT = 10
_STEP_BYTES = 10_000_000  # where nobody knows how many there will be


class Bar:
    """Called as ``store.fetch.Progress``."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._moves = out.isatty()
        self._told = -1
        self._in_line = False

    def __call__(self, have_bytes: int, total_bytes: int | None) -> None:
        if total_bytes:
            percent = 100 * have_bytes // total_bytes
            text = f"{percent:3} % of {total_bytes / 1e6:.1f} MB"
            step = percent if self._moves else percent // _STEP_PERCENT
        else:
            text = f"{have_bytes / 1e6:.1f} MB"
            step = have_bytes * (100 if self._moves else 1) // _STEP_BYTES
        if step == self._told:
            return
        self._told = step
        if self._moves:
            bar = "#" * (percent // 4) if total_bytes else ""
            self._out.write(f"\r  [{bar:<25}] {text}")
            self._in_line = True
        else:
            self._out.write(f"  {text}\n")
        self._out.flush()

    def end(self) -> None:
        """What is written next begins a line; may be called at any time."""
        if self._in_line:
            self._out.write("\n")
            self._in_line = False
