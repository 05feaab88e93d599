"""The spool's file: results in SQLite (WAL), in the order in which they were handed over.

Nothing here knows of threads or of the broker. One connection has the file for itself (exclusive
locking, which also spares the shared-memory file); a commit is on the disk when it returns.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from . import SpoolSettings, Stored
from .spool_faults import SpoolDamaged, SpoolTrouble, trouble_of

_APPLICATION_ID = 0x65646764  # "edgd": what the file is, in its header
_VERSION = 1
_PAGE_BYTES = 4096
_MOST_SLACK_BYTES = 4 * 1024 * 1024
_CACHE_KIB = 256
_SPARE_PAGES = 64  # a file of so few pages is left as it is, for the next outage
_EXPIRED_AT_ONCE = 1000
_TABLE = """
CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    pipeline TEXT NOT NULL,
    payload BLOB NOT NULL,
    boot TEXT NOT NULL,
    captured_ns INTEGER NOT NULL,
    captured_at_s INTEGER NOT NULL,
    clock_synced INTEGER NOT NULL
) STRICT
"""
_COLUMNS = "pipeline, payload, boot, captured_ns, captured_at_s, clock_synced"
# Any earlier boot ended before this one began, whatever its clock said.
_EXPIRED = """
DELETE FROM results WHERE id IN (SELECT id FROM results WHERE id > ? ORDER BY id LIMIT ?) AND CASE
    WHEN boot = ? THEN captured_ns < ?
    ELSE ? > 0 OR (clock_synced AND captured_at_s < ?)
END
"""


class TooOld(msgspec.Struct, frozen=True):
    """What has expired: of this boot, captured before ``before_ns`` (monotonic; negative: nothing
    can have); of others, before ``before_s`` (POSIX; None: the clock is not known to be right).
    """

    boot: str
    before_ns: int
    before_s: int | None


class Committed(msgspec.Struct, frozen=True):
    """The numbers of the rows that were written, and how many were dropped for which bound."""

    rows: tuple[int, ...]
    for_bytes: int
    for_age: int


class Spool:
    """``open``, any number of commits and reads, ``close``; and again. One thread only.

    All but ``__init__`` raise SpoolTrouble, and SpoolDamaged where the file is of no more use.
    """

    def __init__(self, settings: SpoolSettings) -> None:
        self.path = settings.path
        slack_bytes = min(settings.max_bytes // 4, _MOST_SLACK_BYTES)
        self.batch_bytes = slack_bytes // 8
        """The most that should be written in one commit."""
        self._wal_bytes = slack_bytes // 4
        self._most_pages = (settings.max_bytes - slack_bytes) // _PAGE_BYTES
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._next_row = 1
        self.rows = 0

    def open(self) -> None:
        """Open the file, or begin one; ``rows`` are in it then."""
        with self._telling():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path.parent, os.W_OK):  # SQLite would call it a failing disk
                raise SpoolTrouble("its directory cannot be written (read-only, or not edged's)")
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._db = sqlite3.connect(self.path, timeout=0, isolation_level=None)
            self._set_up(self._db)
            self._begin_or_check(self._db)
            self._inode = self.path.stat().st_ino
            self.rows, last = self._row("SELECT count(*), ifnull(max(id), 0) FROM results")
            self._next_row = last + 1

    def commit(
        self, results: Sequence[Stored], done: frozenset[int], too_old: TooOld | None, after: int
    ) -> Committed:
        """Write results and delete rows, all or nothing; then keep the bounds.

        ``too_old`` None: ages are not looked at. Rows up to ``after`` are not dropped.
        """
        with self._telling(), self._transaction() as db:
            if self.path.stat().st_ino != self._inode:
                raise SpoolDamaged("another file has taken its place")
            deleted = db.executemany("DELETE FROM results WHERE id = ?", ((row,) for row in done))
            left = self.rows - deleted.rowcount if done else self.rows
            rows = tuple(range(self._next_row, self._next_row + len(results)))
            db.executemany(
                f"INSERT INTO results (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((row, *_values(stored)) for row, stored in zip(rows, results, strict=True)),
            )
            for_age = self._expire(too_old, after) if too_old is not None else 0
            left += len(rows) - for_age
            for_bytes = self._make_room(left, after) if rows else 0
        self.rows = left - for_bytes
        self._next_row += len(rows)
        return Committed(rows, for_bytes, for_age)

    def read(self, after: int, most: int) -> list[tuple[int, Stored]]:
        """The rows after that number, the oldest first."""
        query = f"SELECT id, {_COLUMNS} FROM results WHERE id > ? ORDER BY id LIMIT ?"
        with self._telling():
            found = self._connection().execute(query, (after, most)).fetchall()
        return [(row, _stored(*values)) for row, *values in found]

    def give_back(self) -> None:
        """Where all is delivered: give the space back to the disk."""
        with self._telling():
            if not self.rows and self._number("PRAGMA page_count") > _SPARE_PAGES:
                db = self._connection()
                db.execute("VACUUM")  # of next to nothing, so it costs next to nothing
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def bytes_on_disk(self) -> int:
        """What the file and its log take; 0 where they cannot be seen."""
        total = 0
        for path in (self.path, self._beside("-wal")):
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def move_aside(self) -> Path:
        """Close a damaged file and give it another name; gives that. An older one goes."""
        self.close()
        aside = self._beside(".corrupt")
        with self._telling():
            with contextlib.suppress(FileNotFoundError):
                self.path.replace(aside)
            self._beside("-wal").unlink(missing_ok=True)
        return aside

    def close(self) -> None:
        """May be called twice; a file in trouble is let go of as it is."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(sqlite3.Error):
                db.close()

    # ---- opening ---------------------------------------------------------------------------------

    def _set_up(self, db: sqlite3.Connection) -> None:
        for pragma in (
            "locking_mode = EXCLUSIVE",
            "temp_store = MEMORY",  # no file but the spool's own
            f"cache_size = -{_CACHE_KIB}",
            f"page_size = {_PAGE_BYTES}",
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit a second is affordable, also with an fsync
            f"journal_size_limit = {self._wal_bytes}",
            f"wal_autocheckpoint = {max(1, self._wal_bytes // 2 // _PAGE_BYTES)}",
        ):
            db.execute(f"PRAGMA {pragma}").fetchall()

    def _begin_or_check(self, db: sqlite3.Connection) -> None:
        with self._transaction():  # finds out whether it can be written, without writing
            if not self._number("SELECT count(*) FROM sqlite_schema"):
                db.execute(_TABLE)
                db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {_VERSION}")
                return
        if self._number("PRAGMA application_id") != _APPLICATION_ID:
            raise SpoolDamaged("it is a database, but none of edged's")
        version = self._number("PRAGMA user_version")
        if version > _VERSION:
            raise SpoolTrouble(
                f"a newer edged wrote it (version {version}, here {_VERSION}); "
                "update edged, or move the file away"
            )
        [(verdict,), *_] = db.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise SpoolDamaged(f"it is damaged: {' '.join(str(verdict).split())}")
        try:
            db.execute(f"SELECT id, {_COLUMNS} FROM results LIMIT 0")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                raise
            raise SpoolDamaged(f"it is damaged: {error}") from error

    # ---- bounds ----------------------------------------------------------------------------------

    def _expire(self, too_old: TooOld, after: int) -> int:
        db, before_s = self._connection(), too_old.before_s
        values = (too_old.boot, too_old.before_ns, too_old.before_ns, before_s)
        dropped = 0
        while found := db.execute(_EXPIRED, (after, _EXPIRED_AT_ONCE, *values)).rowcount:
            dropped += found
        return dropped

    def _make_room(self, left: int, after: int) -> int:
        """Drop the oldest rows until the pages in use are within the bound; how many."""
        dropped = 0
        while (excess := self._pages_in_use() - self._most_pages) > 0:
            share = -(-excess * (left - dropped) // self._pages_in_use())
            query = "DELETE FROM results WHERE id IN "
            query += "(SELECT id FROM results WHERE id > ? ORDER BY id LIMIT ?)"
            found = self._connection().execute(query, (after, max(share, 1))).rowcount
            if not found:
                break
            dropped += found
        return dropped

    def _pages_in_use(self) -> int:
        return self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")

    # ---- SQLite ----------------------------------------------------------------------------------

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise SpoolTrouble("it is not open")
        return self._db

    def _row(self, query: str) -> tuple[int, ...]:
        found: tuple[int, ...] = self._connection().execute(query).fetchone()
        return found

    def _number(self, query: str) -> int:
        return self._row(query)[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise trouble_of(error) from error

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)


def _values(stored: Stored) -> tuple[str | bytes | int, ...]:
    return (
        stored.pipeline,
        stored.payload,
        stored.boot,
        stored.captured_ns,
        stored.captured_at_s,
        stored.clock_synced,
    )


def _stored(pipeline: str, payload: bytes, boot: str, *stamps: int) -> Stored:
    captured_ns, captured_at_s, clock_synced = stamps
    return Stored(pipeline, payload, boot, captured_ns, captured_at_s, bool(clock_synced))
