"""Which picture was read when, as the kernel tells it (inotify): what a source took in."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from watchdog.events import FileOpenedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.inotify import InotifyObserver

_PATIENCE_S = 20.0


class Readings(FileSystemEventHandler):
    """Of all files in one directory. ``open`` before the first one is read.

    A file that is read twice on end may count once: the kernel, and watchdog, tell what repeats
    itself only once. ``count``: how many that were, but for what is still on its way here.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mark = directory / "mark"
        self.count = 0
        self._read_s: list[float] = []
        self._marks = 0
        self._changed = threading.Condition()
        self._observer = InotifyObserver()

    def open(self) -> None:
        self._mark.touch()
        self._observer.schedule(self, str(self._directory), event_filter=[FileOpenedEvent])
        self._observer.start()

    def take(self) -> list[float]:
        """When (monotonic) something was read since this was asked last, in order."""
        with self._changed:
            marks = self._marks
            self._mark.read_bytes()  # events keep their order: its own comes after all others
            assert self._changed.wait_for(lambda: self._marks > marks, _PATIENCE_S)
            read_s, self._read_s = self._read_s, []
            return read_s

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()

    def on_opened(self, event: FileSystemEvent) -> None:
        with self._changed:
            if Path(str(event.src_path)) == self._mark:
                self._marks += 1
                self._changed.notify_all()
            elif not event.is_directory:
                self.count += 1
                self._read_s.append(time.monotonic())
