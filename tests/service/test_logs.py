"""Log records as lines, for a person or for the journal."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from edged.service.logs import log_to_stderr

Written = Callable[[int], str]


@pytest.fixture
def stderr(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "stderr").open("w+") as file:
        yield file


@pytest.fixture
def written(stderr: TextIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """``written(level)``: what a few records come to on standard error."""
    logger = logging.getLogger("edged")
    before = logger.handlers[:], logger.level, logger.propagate

    def lines(level: int) -> str:
        monkeypatch.setattr(sys, "stderr", stderr)
        log_to_stderr(level)
        log = logging.getLogger("edged.test")
        log.debug("a detail")
        log.info("pipeline %s runs", "front")
        log.warning("hot")
        log.error("broken")
        stderr.seek(0)
        return stderr.read()

    yield lines
    logger.handlers[:], logger.level, logger.propagate = before


def test_a_person_gets_times_and_levels(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO    pipeline front runs\n"
        r"\d\d:\d\d:\d\d WARNING hot\n"
        r"\d\d:\d\d:\d\d ERROR   broken\n",
        written(logging.INFO),
    )


def test_the_journal_gets_priorities(
    stderr: TextIO, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = os.fstat(stderr.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
    assert written(logging.DEBUG) == ("<7>a detail\n<6>pipeline front runs\n<4>hot\n<3>broken\n")


@pytest.mark.parametrize("stream", ["1:2", "", "nonsense"])
def test_a_terminal_that_a_service_has_started_is_no_journal(
    written: Written, monkeypatch: pytest.MonkeyPatch, stream: str
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", stream)
    assert "<" not in written(logging.INFO)
