"""What ``edged check`` says of a microphone: whether it hears anything, and nothing of what."""

from __future__ import annotations

import numpy as np
import pytest

from edged.check_sound import check_sound
from edged.errors import SourceError
from edged.report import Report
from edged.samples import Channel, Samples

RATE_HZ = 1000


class Recorder:
    """Gives the blocks it was made with, of 100 ms, and the last one for ever."""

    live = True

    def __init__(self, *blocks: float | list[float]) -> None:
        self.blocks = [np.resize(np.float32(block), (100, 1)) for block in blocks]
        self.given = 0
        self.closed = False

    def open(self) -> None:
        self.given = 0

    def read(self) -> Samples:
        block = self.blocks[min(self.given, len(self.blocks) - 1)]
        first, self.given = 100 * self.given, self.given + 1
        return Samples(first, block, RATE_HZ, (Channel("audio"),), 0, 0)

    def close(self) -> None:
        self.closed = True


def told(recorder: Recorder) -> list[str]:
    lines: list[str] = []
    check_sound(Report(lines.append), "ear", recorder)
    assert recorder.closed
    return lines


@pytest.mark.parametrize("level", [0, -1 / 32768])
def test_a_microphone_that_is_switched_off_is_noted(level: float) -> None:
    [line] = told(Recorder(level))

    assert line.startswith("note   sound    ear: the microphone gives only silence. Is it switched")


def test_a_click_at_the_beginning_is_no_sound() -> None:
    [line] = told(Recorder([0.5, -0.5], 0))

    assert "only silence" in line


def test_what_is_heard_is_told_by_its_level_alone() -> None:
    [line] = told(Recorder(0, 0, 0, 0, 0, 0, [0.01, -0.1], 0))

    assert line == "ok     sound    ear: the microphone hears something, -20 dB at the most"


def test_one_that_fails_is_wrong() -> None:
    class Failing(Recorder):
        def read(self) -> Samples:
            raise SourceError("It was pulled out.")

    assert told(Failing(0)) == ["wrong  sound    ear: It was pulled out."]
