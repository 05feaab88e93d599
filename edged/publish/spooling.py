"""The thread that keeps the spool: it writes what waits, deletes what is delivered, reads what is
to be sent, and goes on in memory while the file is in trouble.
"""

from __future__ import annotations

import logging
import threading
import time

from ..errors import MessageExpired, MessageRefused
from ..log_fields import Event, about
from . import Context, SpoolSettings, Stored
from .messages import store
from .outbox import Outbox
from .refusals import Refusals
from .spool import Committed, Spool, TooOld
from .spool_faults import SpoolDamaged, SpoolTrouble
from .waiting import Waiting
from .wake import Wake

COMMIT_S = 1.0  # at most one commit in so many seconds
_PROMPT_S = 0.5  # a broker that acknowledges within it spares the disk
_LOOK_S = 0.5
_AGES_EVERY_S = 60.0
_MOST_WRITTEN = 4000
_MOST_READ = 100
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 60.0

log = logging.getLogger("edged.publish")


class Spooling:
    """``start`` once, ``close``. No other thread ever waits for the disk.

    What a kill -9 or a power cut may lose is what came since the last commit, about a second.
    """

    def __init__(
        self,
        settings: SpoolSettings,
        outbox: Outbox,
        context: Context,
        refusals: Refusals,
        wake: Wake,
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._context = context
        self._refusals = refusals
        self._wake = wake
        self._spool = Spool(settings)
        self._open = False
        self._closing = threading.Event()
        self._open_at_s = self._anew_at_s = self._commit_at_s = self._ages_at_s = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._dropping = False
        self.bytes = 0
        self.on_disk = True
        self.trouble: str | None = None
        """Why results that wait stay in memory; None: all is well."""
        self._thread = threading.Thread(target=self._run, name="edged-spool", daemon=True)

    def start(self) -> None:
        self._outbox.spool_opening()
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """Write what was not delivered, if the time suffices, and close the file."""
        self._closing.set()
        self._outbox.rows_wanted.set()
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))

    # ---- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            if not self._closing.is_set():
                self._outbox.rows_wanted.wait(self._wait_s())
            closing = self._closing.is_set()
            try:
                self._look(closing)
            except SpoolDamaged as damage:
                self._begin_anew(damage)
            except SpoolTrouble as trouble:
                self._go_without(trouble)
            except Exception as mistake:  # of ours: results go on, in memory
                log.exception("The spool failed", extra=about(Event.SPOOL))
                self._go_without(SpoolTrouble(f"{type(mistake).__name__}: {mistake}"))
            self.bytes = self._spool.bytes_on_disk()
            # A file that turns out to be damaged at the very end: what waits goes into a new one.
            if closing and (self._open or time.monotonic() < self._open_at_s):
                self._spool.close()
                return

    def _wait_s(self) -> float:
        """Commits come ``COMMIT_S`` after one another, and not up to ``_LOOK_S`` later."""
        left_s = self._commit_at_s - time.monotonic()
        return left_s if 0 < left_s < _LOOK_S else _LOOK_S

    def _look(self, closing: bool) -> None:
        """Do what there is to do now. Raises SpoolTrouble where the file is not to be used on."""
        if not self._open:
            if time.monotonic() < self._open_at_s and not closing:
                self._outbox.rows_wanted.clear()
                return
            self._spool.open()
            self._open = True
            self._outbox.spool_opened(self._spool.rows)
            self._wake.set()
        if closing:
            while self._write(0.0):
                pass
            return
        if (wanted := self._outbox.wanted()) is not None:
            self._outbox.load(wanted, self._spool.read(wanted.after, _MOST_READ))
            self._wake.set()
        if time.monotonic() >= self._commit_at_s:
            self._try_to_write()

    def _try_to_write(self) -> None:
        """Where it fails the rows can still be read, and space on the disk may come back."""
        try:
            self._write(_PROMPT_S)
            self._spool.give_back()
        except SpoolDamaged:
            raise
        except SpoolTrouble as trouble:
            self._tell_trouble(trouble)
            self._commit_at_s = time.monotonic() + self._longer_pause_s()

    def _write(self, after_s: float) -> bool:
        """One commit, if there is anything to write or to delete; whether results were written."""
        now_s = time.monotonic()
        waiting, stored = self._encoded(self._outbox.due(after_s, _MOST_WRITTEN))
        done = self._outbox.done()
        too_old = None
        if self._spool.rows and now_s >= self._ages_at_s:
            too_old = self._too_old()
            self._ages_at_s = now_s + _AGES_EVERY_S
        if stored or done or too_old is not None:
            committed = self._spool.commit(stored, done, too_old, self._outbox.cursor())
            self.bytes = self._spool.bytes_on_disk()
            rows = list(zip(waiting, committed.rows, strict=True))
            dropped = committed.for_bytes + committed.for_age
            self._outbox.written(rows, done, dropped)
            self._wake.set()
            self._tell_dropped(committed)
            self._commit_at_s = now_s + COMMIT_S
        elif self.trouble is not None:
            return False  # nobody knows yet whether it could be written again
        self._tell_well()
        return bool(stored)

    def _encoded(self, due: list[Waiting]) -> tuple[list[Waiting], list[Stored]]:
        """What is written at once: as much as one commit should hold."""
        waiting: list[Waiting] = []
        rows: list[Stored] = []
        left_bytes = self._spool.batch_bytes
        for each in due:
            try:
                row = self._stored(each)
            except MessageRefused as error:
                self._outbox.give_up(each, expired=isinstance(error, MessageExpired))
                self._refusals.tell(each.name, str(error))
                continue
            left_bytes -= len(row.payload)
            if rows and left_bytes < 0:
                break
            waiting.append(each)
            rows.append(row)
        return waiting, rows

    def _stored(self, waiting: Waiting) -> Stored:
        if isinstance(waiting.content, Stored):  # it was in a file that is lost
            return waiting.content
        return store(waiting.content, self._context, self._settings.boot)

    def _too_old(self) -> TooOld:
        clock, age_s = self._context.clock, self._settings.max_age_s
        now_ns = clock.monotonic_ns()
        now_s = clock.utc_of(now_ns).timestamp()
        return TooOld(
            self._settings.boot,
            before_ns=int(now_ns - age_s * 1e9),
            before_s=int(now_s - age_s) if clock.synced() else None,
        )

    # ---- trouble ---------------------------------------------------------------------------------

    def _begin_anew(self, damage: SpoolDamaged) -> None:
        """Move the file aside; a new one is opened at once, if it is not the second in a minute."""
        self._open = False
        lost = self._outbox.spool_lost()
        try:
            aside = self._spool.move_aside()
        except SpoolTrouble as trouble:
            self._go_without(trouble)
            return
        log.error(
            "The spool %s cannot be read: %s. It was moved to %s, with %d results; a new one is "
            "begun.",
            *(self._settings.path, str(damage), aside.name, lost),
            extra=about(Event.SPOOL),
        )
        now_s = time.monotonic()
        self._open_at_s = now_s if now_s >= self._anew_at_s else self._anew_at_s
        self._anew_at_s = now_s + _LONGEST_PAUSE_S
        self._outbox.rows_wanted.set()

    def _go_without(self, trouble: SpoolTrouble) -> None:
        self._open = False
        self._spool.close()
        self._outbox.spool_away()
        self._wake.set()
        self._tell_trouble(trouble)
        self._open_at_s = time.monotonic() + self._longer_pause_s()

    def _longer_pause_s(self) -> float:
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return pause_s

    def _tell_trouble(self, trouble: SpoolTrouble) -> None:
        before, self.trouble = self.trouble, str(trouble)
        self.on_disk = False
        if self.trouble != before:
            log.error(
                "The spool %s cannot be used: %s. Results that wait for the broker stay in memory "
                "until it can.",
                # As text: a record that is kept would keep the statement that failed, and the file.
                *(self._settings.path, self.trouble),
                extra=about(Event.SPOOL),
            )

    def _tell_well(self) -> None:
        before, self.trouble = self.trouble, None
        self.on_disk = True
        self._pause_s = _FIRST_PAUSE_S
        if before is not None:
            fields = about(Event.SPOOL)
            log.info("The spool %s can be used again", self._settings.path, extra=fields)

    def _tell_dropped(self, committed: Committed) -> None:
        """Once for each time that the bounds are reached."""
        if committed.for_bytes and not self._dropping:
            what = "The spool is full (spool.max_bytes)"
            text = "%s: the oldest results make room for new ones and are lost"
            log.warning(text, what, extra=about(Event.SPOOL))
        if committed.for_age and not self._dropping:
            what = "Results in the spool have become too old (spool.max_age_s)"
            log.warning("%s: they are dropped", what, extra=about(Event.SPOOL))
        self._dropping = bool(self._spool.rows) and (
            self._dropping or committed.for_bytes > 0 or committed.for_age > 0
        )
