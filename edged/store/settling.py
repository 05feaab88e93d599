"""When a model's files have stopped changing: pure logic, without a clock or a file of its own.

A model NAME is several files. Whatever happens to them is told here with the time and with what
``stat`` says of them; once all has been quiet for long enough, that is told once. How long that is
depends on what was seen last: a file that was closed, or moved there whole, is likely complete; one
that was only written to, or found changed without an event, may still be growing.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

import msgspec

SETTLE_S = 0.15  # of quiet after a file was closed or moved there
UNFINISHED_S = 1.0  # of quiet while a writer may be at it


class Change(enum.Enum):
    """What an event says of one file."""

    WRITTEN = "written"  # or made: more may follow, until it is closed
    CLOSED = "closed"  # by its writer
    REPLACED = "replaced"  # another file, or another link, is there, whole
    REMOVED = "removed"
    TOUCHED = "touched"  # its permissions, owner, times or number of names


class Outcome(enum.Enum):
    """What became of a model's files."""

    SETTLED = "settled"
    GONE = "gone"


class Stamp(msgspec.Struct, frozen=True):
    """What changes when a file does. ``ctime_ns`` cannot be set back, as the other time can."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int


# A model's files: the model itself first, then those beside it in an order of the caller's; None
# for one that is not there.
Fingerprint = tuple[Stamp | None, ...]


class _Files(msgspec.Struct):
    """Of one model. ``changed``: those that an event says are new, whatever the fingerprints say,
    for the times of some file systems (FAT) are as coarse as two seconds.
    """

    seen: Fingerprint = ()
    told: Fingerprint = ()
    changed: set[str] = msgspec.field(default_factory=set)
    writing: set[str] = msgspec.field(default_factory=set)
    due_s: float | None = None


class Settling:
    """Not thread-safe. All times are seconds of one clock that never goes back."""

    def __init__(self, settle_s: float = SETTLE_S, unfinished_s: float = UNFINISHED_S) -> None:
        self._settle_s = settle_s
        self._unfinished_s = unfinished_s
        self._files: dict[str, _Files] = {}

    @property
    def names(self) -> Collection[str]:
        """The models of which anything is there, or was when last seen."""
        return self._files.keys()

    @property
    def next_s(self) -> float | None:
        """When ``due`` will give something, if nothing happens before; None: never."""
        return min((f.due_s for f in self._files.values() if f.due_s is not None), default=None)

    def happened(
        self, name: str, file: str, change: Change, fingerprint: Fingerprint, now_s: float
    ) -> None:
        """An event on ``file``, one of the model's; ``fingerprint`` is taken after it."""
        files = self._files.setdefault(name, _Files())
        if change is Change.WRITTEN:
            files.writing.add(file)
        elif change is not Change.TOUCHED:
            files.writing.discard(file)
        if change in (Change.WRITTEN, Change.REPLACED):
            files.changed.add(file)
        elif change is Change.REMOVED:
            files.changed.discard(file)
        files.seen = fingerprint
        files.due_s = now_s + (self._unfinished_s if files.writing else self._settle_s)

    def found(self, name: str, fingerprint: Fingerprint, now_s: float, *, whole: bool) -> None:
        """The model was looked at without an event of its own.

        ``whole``: what is new there came all at once, as when a directory of links is turned round.
        """
        files = self._files.setdefault(name, _Files())
        if fingerprint == files.seen:
            return
        files.seen = fingerprint
        likely_complete = whole and not files.writing
        files.due_s = now_s + (self._settle_s if likely_complete else self._unfinished_s)

    def due(self, now_s: float) -> list[str]:
        """The models that have been quiet for long enough; ``settle`` is to be called for each."""
        return [
            name
            for name, files in self._files.items()
            if files.due_s is not None and files.due_s <= now_s
        ]

    def settle(self, name: str, fingerprint: Fingerprint, now_s: float) -> Outcome | None:
        """What is to be told of a model that is due and looks like this now.

        None: nothing, for it has changed unseen and is to be quiet again first, or is as it was
        when it was last told.
        """
        files = self._files[name]
        if fingerprint != files.seen:
            files.seen = fingerprint
            files.due_s = now_s + self._unfinished_s
            return None
        told, changed = files.told, bool(files.changed)
        files.told, files.due_s = fingerprint, None
        files.changed.clear()
        # A writer that was waited for in vain is not waited for again until it writes.
        files.writing.clear()
        if not any(fingerprint):
            del self._files[name]
        if not _model_there(fingerprint):
            return Outcome.GONE if _model_there(told) else None
        return Outcome.SETTLED if changed or fingerprint != told else None


def _model_there(fingerprint: Fingerprint) -> bool:
    return bool(fingerprint) and fingerprint[0] is not None
