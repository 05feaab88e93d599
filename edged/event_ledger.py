"""Events on their way out: numbered, and remembered on the disk while they last.

Whoever was told that something began is told that it ended, also where this process is killed in
between. So an event is in the file before it is handed to the publisher, in the words of its end as
far as that is known, and leaves the file when its end is delivered or in the spool. What the file
still holds at a start has ended when it was last told of.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from .errors import MessageRefused
from .handoff import Closed
from .log_fields import Event, about
from .publish import Context, Stored
from .publish.messages import in_this_run, store
from .records.happenings import EventType, Happening
from .records.published import Record
from .store.atomic import DISK, Disk

log = logging.getLogger("edged.event_ledger")

FILE_NAME = "events.json"
WRITE_S = 1.0  # at most one write in so many seconds, to spare the SD card
MOST_KEPT = 2000


class Outlet(Protocol):
    """What the ledger needs of the publisher."""

    def publish(self, record: Record) -> None:
        """Hand a record over. Raises Closed."""

    def publish_kept(self, stored: Stored) -> None:
        """Hand over an event that a run before has kept. Raises Closed."""

    def kept_before_s(self) -> float:
        """What was handed over before this time outlasts a kill."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event's end, as it would be told."""

    id: str
    pipeline: str
    payload: str
    boot: str
    captured_ns: int
    captured_at_s: int
    clock_synced: bool


class EventLedger:
    """``open`` and ``start`` once; ``put`` from any thread; ``close``, and ``finish`` when the
    publisher is closed too.
    """

    def __init__(
        self,
        path: Path,
        context: Context,
        boot: str,
        outlet: Outlet,
        *,
        disk: Disk = DISK,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``boot``: this boot's id, for times that are put right within it."""
        self._path = path
        self._context = context
        self._boot = boot
        self._outlet = outlet
        self._disk = disk
        self._now_s = now_s
        self._coming: queue.SimpleQueue[Happening | threading.Event | None] = queue.SimpleQueue()
        self._sequences: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._kept: dict[str, _Kept] = {}
        self._ended_s: dict[str, float] = {}  # when their end was handed over
        self._written: tuple[_Kept, ...] = ()
        self._written_s = -WRITE_S
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="edged-events", daemon=True)

    def open(self) -> None:
        """Tell the end of what a run before had told the beginning of."""
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=tuple[_Kept, ...])
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            text = "%s cannot be read (%s): some events of the run before may never end"
            log.warning(text, self._path, error, extra=about(Event.STORE))
            return
        self._written = kept
        for each in kept:
            self._kept[each.id] = each
            self._ended_s[each.id] = self._now_s()
            try:
                number = next(self._sequences[each.pipeline])
                self._outlet.publish_kept(in_this_run(_stored(each), number, self._context))
            except MessageRefused as error:
                log.warning("%s: %s", self._path, error, extra=about(Event.STORE))

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def put(self, record: Happening) -> None:
        """Never waits."""
        self._coming.put(record)

    def flush(self) -> None:
        """Wait until what has come so far is handed over."""
        handed_over = threading.Event()
        self._coming.put(handed_over)
        while self.alive and not handed_over.wait(WRITE_S):
            pass

    def close(self, timeout_s: float) -> None:
        """Hand over what has come so far. May be called twice."""
        self._coming.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def finish(self) -> None:
        """Forget what the closed publisher has delivered or spooled."""
        if not self._thread.is_alive():
            self._forget()
            self._write()

    # ---- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            batch, asked = self._batch()
            if batch:
                self._take(batch)
            self._forget()
            if self._now_s() - self._written_s >= WRITE_S:
                self._write()
            if isinstance(asked, threading.Event):
                asked.set()
            elif asked:
                return

    def _batch(self) -> tuple[list[Happening], threading.Event | bool]:
        """What has come, and who waits for it to be handed over; True: that was all. What comes
        within ``WRITE_S`` of the last write comes together.
        """
        batch: list[Happening] = []
        wait_s = WRITE_S
        while True:
            try:
                record = self._coming.get(timeout=max(0.0, wait_s))
            except queue.Empty:
                return batch, False
            if record is None:
                return batch, True
            if isinstance(record, threading.Event):
                return batch, record
            batch.append(record)
            wait_s = self._written_s + WRITE_S - self._now_s()

    def _take(self, batch: list[Happening]) -> None:
        numbered = [
            replace(record, sequence=next(self._sequences[record.pipeline])) for record in batch
        ]
        for record in numbered:
            with suppress(MessageRefused):  # the publisher will tell
                end = store(replace(record, type=EventType.ENDED), self._context, self._boot)
                self._kept[record.id] = _kept(record.id, end)
        self._write()
        for record in numbered:
            with suppress(Closed):
                self._outlet.publish(record)
            if record.type is EventType.ENDED:
                self._ended_s[record.id] = self._now_s()

    def _forget(self) -> None:
        before_s = self._outlet.kept_before_s() if self._ended_s else 0.0
        done = [each for each, at_s in self._ended_s.items() if at_s < before_s]
        done += list(self._ended_s)[: max(0, len(self._kept) - MOST_KEPT)]
        for each in done:
            self._ended_s.pop(each, None)
            self._kept.pop(each, None)

    def _write(self) -> None:
        kept = tuple(self._kept.values())
        if kept == self._written:
            return
        self._written_s = self._now_s()
        try:
            self._disk.write_atomically(self._path, msgspec.json.encode(kept))
        except OSError as error:
            if not self._failed:
                text = "%s cannot be written (%s): until it can, a kill costs the ends of events"
                log.warning(text, self._path, error, extra=about(Event.STORE))
            self._failed = True
        else:
            self._written, self._failed = kept, False


def _kept(name: str, end: Stored) -> _Kept:
    stamps = (end.boot, end.captured_ns, end.captured_at_s, end.clock_synced)
    return _Kept(name, end.pipeline, end.payload.decode(), *stamps)


def _stored(kept: _Kept) -> Stored:
    stamps = (kept.boot, kept.captured_ns, kept.captured_at_s, kept.clock_synced)
    return Stored(kept.pipeline, kept.payload.encode(), *stamps)
