"""Log records as lines on standard error, where systemd's journal or a person reads them."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

# sd-daemon(3): a line may begin with its syslog priority.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class _Lines(logging.Formatter):
    """One line a record; for the journal with its priority, for a person with the time."""

    def __init__(self, for_journal: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        if self._for_journal:
            self._style._fmt = f"<{_PRIORITIES.get(record.levelno, 3)}>%(message)s"
        return super().format(record)


def log_to_stderr(level: int) -> None:
    """Send edged's own records to standard error; once a process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(_is_journal(sys.stderr)))
    logger = logging.getLogger("edged")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


def _is_journal(stream: TextIO) -> bool:
    """Whether a stream leads to the journal and not, as in a desktop's terminal, elsewhere.

    Source: systemd.exec(5), JOURNAL_STREAM, which is inherited by all that a service starts.
    """
    try:
        device, inode = map(int, os.environ["JOURNAL_STREAM"].split(":"))
        stat = os.fstat(stream.fileno())
    except (KeyError, ValueError, OSError):
        return False
    return (stat.st_dev, stat.st_ino) == (device, inode)
