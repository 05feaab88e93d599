"""Where log records go: to a person as lines, to systemd's journal with their fields."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TextIO

# sd-daemon(3): a line may begin with its syslog priority.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}
_FIELDS = ("event", "pipeline", "model")

Send = Callable[..., None]
"""``systemd.journal.send``: a message, and its fields by keyword."""


class _Lines(logging.Formatter):
    """One line a record; for the journal with its priority, for a person with the time."""

    def __init__(self, for_journal: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._for_journal = for_journal

    def format(self, record: logging.LogRecord) -> str:
        if self._for_journal:
            self._style._fmt = f"<{_priority(record)}>%(message)s"
        return super().format(record)


class _Journal(logging.Handler):
    """Records with their fields; as lines to ``otherwise`` where the journal takes none."""

    def __init__(self, send: Send, otherwise: logging.Handler) -> None:
        super().__init__()
        self._send = send
        self._otherwise = otherwise

    def emit(self, record: logging.LogRecord) -> None:
        fields = {
            name.upper(): _printable(getattr(record, name))
            for name in _FIELDS
            if hasattr(record, name)
        }
        try:
            self._send(
                _printable(self.format(record)),
                PRIORITY=str(_priority(record)),
                SYSLOG_IDENTIFIER="edged",
                LOGGER=record.name,
                CODE_FILE=record.pathname,
                CODE_LINE=record.lineno,
                CODE_FUNC=record.funcName,
                **fields,
            )
        except Exception:
            # Whatever the binding raises: what went wrong must be told somewhere.
            self._otherwise.handle(record)


def journal() -> Send | None:
    """systemd's binding, an extra; None where it is not installed."""
    try:
        from systemd.journal import send
    except ImportError:
        return None
    found: Send = send
    return found


def start_logging(level: int, find_journal: Callable[[], Send | None] = journal) -> None:
    """Send edged's own records where standard error leads; once a process."""
    for_journal = _is_journal(sys.stderr)
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(for_journal))
    send = find_journal() if for_journal else None
    if send is not None:
        handler = _Journal(send, handler)
    logger = logging.getLogger("edged")
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


def _priority(record: logging.LogRecord) -> int:
    return _PRIORITIES.get(record.levelno, 3)


def _printable(text: str) -> str:
    """Valid Unicode: file names may hold lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


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
