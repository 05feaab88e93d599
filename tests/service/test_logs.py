"""Log records as lines, for a person or for the journal."""

from __future__ import annotations

import ast
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

import edged
from edged.log_fields import Event, about
from edged.service.logs import start_logging

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
        start_logging(level, lambda: None)
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


# ---- records with fields, through systemd's binding ----------------------------------------------


class Binding:
    """Stands in for ``systemd.journal.send``."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, dict[str, object]]] = []
        self._error = error

    def __call__(self, message: str, **fields: object) -> None:
        if self._error is not None:
            raise self._error
        self.sent.append((message, fields))


Start = Callable[[Binding], None]


@pytest.fixture
def start(stderr: TextIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts logging in a process whose standard error is the journal's."""
    logger = logging.getLogger("edged")
    before = logger.handlers[:], logger.level, logger.propagate

    def started(binding: Binding) -> None:
        stat = os.fstat(stderr.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        monkeypatch.setattr(sys, "stderr", stderr)
        start_logging(logging.INFO, lambda: binding)

    yield started
    logger.handlers[:], logger.level, logger.propagate = before


def test_the_journal_gets_the_fields_and_where_a_record_was_made(
    start: Start, stderr: TextIO
) -> None:
    binding = Binding()
    start(binding)
    log = logging.getLogger("edged.test")
    log.warning("pipeline %s: hot", "front", extra=about(Event.GOVERNOR, "front", "coco-ssd"))
    [(message, fields)] = binding.sent
    assert message == "pipeline front: hot"
    assert fields.pop("CODE_LINE") == inspect.stack()[0].lineno - 3
    assert Path(str(fields.pop("CODE_FILE"))).name == "test_logs.py"
    assert fields == {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "edged",
        "LOGGER": "edged.test",
        "CODE_FUNC": "test_the_journal_gets_the_fields_and_where_a_record_was_made",
        "EVENT": "governor",
        "PIPELINE": "front",
        "MODEL": "coco-ssd",
    }
    stderr.seek(0)
    assert stderr.read() == ""  # nothing is told twice


def test_a_record_about_no_pipeline_has_no_such_field(start: Start) -> None:
    binding = Binding()
    start(binding)
    logging.getLogger("edged.test").info("stopping", extra=about(Event.STOP))
    assert binding.sent[0][1]["EVENT"] == "stop"
    assert not {"PIPELINE", "MODEL"} & binding.sent[0][1].keys()


def test_a_file_s_name_that_is_no_text_is_told_all_the_same(
    start: Start,
) -> None:
    binding = Binding()
    start(binding)
    logging.getLogger("edged.test").info("%s is skipped", "a\udcff.jpg")
    assert binding.sent[0][0] == "a?.jpg is skipped"


def test_what_the_binding_cannot_send_becomes_a_line(start: Start, stderr: TextIO) -> None:
    start(Binding(OSError("no journal")))
    logging.getLogger("edged.test").error("broken")
    stderr.seek(0)
    assert stderr.read() == "<3>broken\n"


def test_where_records_are_about_something_all_are() -> None:
    """Each call of a log has its ``extra``; those of commands and of debugging need none."""
    package = Path(edged.__file__).parent
    levels = {"info", "warning", "error", "exception", "log"}
    for path in package.rglob("*.py"):
        if "import Event" not in path.read_text():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and ast.unparse(node.func.value) == "log"
                and node.func.attr in levels
            ):
                extra = [keyword for keyword in node.keywords if keyword.arg == "extra"]
                assert extra, f"{path.relative_to(package)}:{node.lineno}"
