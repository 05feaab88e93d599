"""The watched directory: tells when the files of a model have changed and come to rest.

However a file comes, the kernel's events tell of it at once. A slow look beside them finds what
they do not show: changes on network file systems, behind links that lead out of the directory, or
all of them where the kernel gives no events.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..log_fields import Event, about
from .settling import SETTLE_S, UNFINISHED_S, Change, Outcome, Settling
from .watched import SUFFIXES, fingerprint

if TYPE_CHECKING:
    from .file_events import FileEvents

log = logging.getLogger(__name__)

POLL_S = 2.0

_NO_DIRECTORY = (FileNotFoundError, NotADirectoryError)


def model_name(file: str) -> str | None:
    """Of which model a file is a part; None for hidden, temporary and other files."""
    if file.startswith(".") or not file.isprintable():
        return None
    suffix = next((s for s in reversed(SUFFIXES) if file.endswith(s)), None)
    return None if suffix is None else file.removesuffix(suffix)


class Watcher:
    """Calls ``on_settled(NAME)`` for each model that is there, and whenever NAME.tflite or a file
    beside it was changed and has come to rest; ``on_gone(NAME)`` when NAME.tflite is no more.

    Both come from the watcher's thread, and must only hand on.
    """

    def __init__(
        self,
        models_dir: Path,
        on_settled: Callable[[str], None],
        on_gone: Callable[[str], None],
        *,
        settle_s: float = SETTLE_S,
        unfinished_s: float = UNFINISHED_S,
        poll_s: float = POLL_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``settle_s``: the quiet time after a file was closed or moved there; ``unfinished_s``:
        while a writer may be at it; ``poll_s``: from one look to the next.
        """
        self._dir = models_dir
        self._tell = {Outcome.SETTLED: on_settled, Outcome.GONE: on_gone}
        self._poll_s = poll_s
        self._now_s = now_s
        self._events: FileEvents | None = None
        self._trouble: str | None = "not looked yet"  # as last logged; None: all is well
        # The rest is shared with the thread of the events, under the lock of ``_changed``.
        self._changed = threading.Condition()
        self._settling = Settling(settle_s, unfinished_s)
        self._look_s = now_s()  # when to look next
        self._turned = True  # something was turned round that models may be reached through
        self._stopping = False
        # A network file system may hang; the process must be able to end even so.
        self._thread = threading.Thread(target=self._run, name="watch-models", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs, as it does from ``start`` on."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Nothing is told after this. May be called twice, or without a start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # ---- the events' thread ----------------------------------------------------------------------

    def _on_change(self, change: Change, file: str) -> None:
        name = model_name(file)
        with self._changed:
            if name is not None:
                self._settling.happened(
                    name, file, change, fingerprint(self._dir, name), self._now_s()
                )
            elif change in (Change.REPLACED, Change.REMOVED):
                # Perhaps a link to a directory, and models are links through it.
                self._turned = True
                self._look_s = self._now_s()
            else:
                return
            self._changed.notify_all()

    # ---- the watcher's thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait():
                if self._now_s() >= self._look_s:
                    self._look()
                self._tell_settled()
        finally:
            if self._events is not None:
                self._events.close()

    def _wait(self) -> bool:
        """Until there is something to do; False when it is to stop."""
        with self._changed:
            while not self._stopping:
                due_s = self._settling.next_s
                wake_s = self._look_s if due_s is None else min(due_s, self._look_s)
                wait_s = wake_s - self._now_s()
                if wait_s <= 0:
                    return True
                self._changed.wait(wait_s)
        return False

    def _look(self) -> None:
        with self._changed:
            turned, self._turned = self._turned, False
            self._look_s = self._now_s() + self._poll_s
        trouble = None
        # A directory that was not there before is likely being filled right now.
        was_there = self._trouble is None
        try:
            # Without the lock: watchdog holds one of its own when it tells of a change.
            turned |= self._follow() and was_there
        except _NO_DIRECTORY:
            trouble = f"there is no directory {self._dir}: waiting for it"
        except OSError as error:
            trouble = (
                f"no file events for {self._dir} ({error.strerror}): "
                f"looking at it every {self._poll_s:g} s instead"
            )
        try:
            with self._changed:
                self._find(whole=turned)
        except OSError as error:
            trouble = trouble or f"cannot look into {self._dir}: {error.strerror}"
        self._log(trouble)

    def _follow(self) -> bool:
        """As of ``FileEvents``."""
        if self._events is None:
            from .file_events import FileEvents  # here, beside the rest of the daemon's start

            self._events = FileEvents(self._on_change)
        return self._events.follow(self._dir)

    def _find(self, *, whole: bool) -> None:
        """Compare all that is there with what was. Raises OSError."""
        try:
            files = [path.name for path in self._dir.iterdir()]
        except _NO_DIRECTORY:
            files = []
        names = {name for file in files if (name := model_name(file)) is not None}
        for name in names.union(self._settling.names):
            self._settling.found(name, fingerprint(self._dir, name), self._now_s(), whole=whole)

    def _tell_settled(self) -> None:
        with self._changed:
            now_s = self._now_s()
            outcomes = [
                (name, self._settling.settle(name, fingerprint(self._dir, name), now_s))
                for name in self._settling.due(now_s)
            ]
        for name, outcome in outcomes:
            if outcome is not None and not self._stopping:
                self._tell[outcome](name)

    def _log(self, trouble: str | None) -> None:
        """Tell when trouble begins and when it is over, not once a look."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            log.info("watching %s", self._dir, extra=about(Event.STORE))
        else:
            log.warning("%s", trouble, extra=about(Event.STORE))
