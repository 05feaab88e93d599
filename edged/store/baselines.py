"""What anomaly detectors have learnt to be usual, so that a restart does not learn a fault as such.

One small file in the state directory. Whoever wants a pipeline to learn again removes its entry, or
the file, while edged does not run.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from ..log_fields import Event, about
from .atomic import DISK, Disk

log = logging.getLogger("edged.baselines")

FILE_NAME = "anomaly.json"
# Of models that were swapped for others and may come back.
MOST_KEPT = 100


class Learnt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The threshold of a pipeline's model, and from how many errors it was learnt.

    ``model`` names all of the model's files as the private store does: with another normalisation
    its errors are others.
    """

    pipeline: str
    model: str
    threshold: Annotated[float, Meta(gt=0, le=1e38)]
    errors: Annotated[int, Meta(ge=1)]

    def is_of(self, pipeline: str, model: str) -> bool:
        return (self.pipeline, self.model) == (pipeline, model)


class Baselines:
    """``find`` and ``keep`` may be called from any thread and touch no disk; ``write`` does, and is
    called about once a second. A file that cannot be read or written is logged: what was in it is
    learnt anew.
    """

    def __init__(self, path: Path, disk: Disk = DISK) -> None:
        self._path = path
        self._disk = disk
        self._lock = threading.Lock()  # of those who keep something
        self._kept: tuple[Learnt, ...] = ()
        self._written: tuple[Learnt, ...] = ()
        self._failed = False

    def open(self) -> None:
        """Read the file."""
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=tuple[Learnt, ...])
            self._written = self._kept
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            log.warning(
                "%s cannot be read (%s): anomaly detectors learn anew what is usual",
                self._path,
                error,
                extra=about(Event.MODEL),
            )

    def find(self, pipeline: str, model: str) -> Learnt | None:
        """What was learnt for this very model in this pipeline."""
        return next((one for one in self._kept if one.is_of(pipeline, model)), None)

    def keep(self, learnt: Learnt) -> None:
        """From now on; the oldest go where there are too many."""
        with self._lock:
            others = [one for one in self._kept if not one.is_of(learnt.pipeline, learnt.model)]
            self._kept = (*others, learnt)[-MOST_KEPT:]

    def write(self) -> None:
        """Put on the disk what was learnt since; what fails is tried again the next time."""
        kept = self._kept
        if kept == self._written:
            return
        try:
            text = msgspec.json.format(msgspec.json.encode(kept), indent=2)
            self._disk.write_atomically(self._path, text + b"\n")
        except OSError as error:
            if not self._failed:
                log.warning(
                    "%s cannot be written (%s): until it can, anomaly detectors learn anew after "
                    "a restart",
                    self._path,
                    error,
                    extra=about(Event.MODEL),
                )
            self._failed = True
        else:
            self._written, self._failed = kept, False
