"""What the kernel tells of one directory (inotify), as changes of files.

``watchdog`` reads the events, in threads of its own. Only what says that something was changed is
asked for: reading a model wakes nobody.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from .settling import Change

# How long watchdog holds a move out of the directory back, and all events after it, lest the other
# half should come: by default half a second, in which a model that follows would wait.
InotifyMoveEventGrouper.delay = 0.02

_WANTED: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]
_MEANING = {
    FileAttribEvent.event_type: Change.TOUCHED,
    FileClosedEvent.event_type: Change.CLOSED,
    FileDeletedEvent.event_type: Change.REMOVED,
    FileModifiedEvent.event_type: Change.WRITTEN,
}


class FileEvents(FileSystemEventHandler):
    """Calls ``on_change(change, file name)`` from a thread of watchdog's, with a lock of its held:
    it must not call back into this object.
    """

    def __init__(self, on_change: Callable[[Change, str], None]) -> None:
        self._on_change = on_change
        self._observer: InotifyObserver | None = None
        self._watch: ObservedWatch | None = None
        self._path = ""  # what is watched, links followed
        self._watched: tuple[int, int] | None = None  # its device and inode; None: lost

    def follow(self, directory: Path) -> bool:
        """Tell of the directory that is there now; True where it is another than at the last call.

        Costs one ``stat`` where it is not. Raises FileNotFoundError or NotADirectoryError where
        there is no directory, another OSError where the kernel gives no events (its limits are
        reached).
        """
        status = directory.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
        identity = (status.st_dev, status.st_ino)
        if identity == self._watched:
            return False
        self._forget()
        if self._observer is None:
            # One that tells a move from elsewhere as a move: such a file is whole at once.
            observer = InotifyObserver(generate_full_events=True)
            observer.start()
            self._observer = observer
        # A link is followed here, for watchdog would watch the link.
        self._path = os.path.realpath(directory)
        # Before the first event can come: it may say that this directory is no more.
        self._watched = identity
        try:
            self._watch = self._observer.schedule(self, self._path, event_filter=_WANTED)
        except OSError:
            self._watched = None
            raise
        return True

    def close(self) -> None:
        """May be called twice."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        self._observer = self._watch = self._watched = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog."""
        path = os.fsdecode(event.src_path)
        if path == self._path:
            # The directory itself was deleted. The next one there may well get its inode.
            self._watched = None
            self._tell(Change.REMOVED, path)
        elif event.event_type == FileMovedEvent.event_type:
            # Either path is empty where the file came from elsewhere, or went there.
            self._tell(Change.REPLACED, os.fsdecode(event.dest_path))
            self._tell(Change.REMOVED, path)
        elif event.event_type == FileCreatedEvent.event_type:
            self._tell(Change.REPLACED if _is_link(path) else Change.WRITTEN, path)
        else:
            self._tell(_MEANING[event.event_type], path)

    def _tell(self, change: Change, path: str) -> None:
        if path:
            self._on_change(change, Path(path).name)

    def _forget(self) -> None:
        watch, self._watch, self._watched = self._watch, None, None
        if watch is not None and self._observer is not None:
            self._observer.unschedule(watch)


def _is_link(path: str) -> bool:
    """Whether a new file is one more name of something that is elsewhere: nobody will close it."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISLNK(status.st_mode) or status.st_nlink > 1
