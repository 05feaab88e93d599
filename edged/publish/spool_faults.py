"""What can be wrong with the spool's file, in words: SQLite's errors and the system's."""

from __future__ import annotations

import sqlite3

from ..errors import EdgedError


class SpoolTrouble(EdgedError):
    """The file cannot be used for now; the message is the reason. Trying again may help."""


class SpoolDamaged(SpoolTrouble):
    """What is in the file is lost: a new one has to be begun."""


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it cannot be written (is the file system read-only?)",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or written (check its directory)",
    sqlite3.SQLITE_BUSY: "another process has it open (does another edged run?)",
    sqlite3.SQLITE_LOCKED: "another process has it open (does another edged run?)",
    sqlite3.SQLITE_IOERR: "the disk fails: input/output error",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
}


def trouble_of(error: sqlite3.Error | OSError) -> SpoolTrouble:
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        return SpoolTrouble(text[:1].lower() + text[1:])
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without details
    if code in _DAMAGED:
        return SpoolDamaged(f"it is damaged: {error}")
    return SpoolTrouble(_WORDS.get(code, str(error)))
