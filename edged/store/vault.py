"""The private store: the models that serve or served, content-addressed, and what is known of them.

Whatever comes is written as a bundle's own directory before the ledger names it, and leaves the
ledger before its directory is removed. So whenever the power goes, ``open`` finds a right ledger,
whole bundles, and at most rubbish that nobody names.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ..errors import EdgedError
from ..log_fields import Event, about
from .atomic import DISK, Disk, new_beside
from .ledger import Ledger, Version, decode, encode
from .models import ModelFiles
from .shelf import Kept, Shelf, not_kept

log = logging.getLogger("edged.store")

DIED = "edged died during its trial"


class Vault(Shelf):
    """The daemon's own hand on the shelf; one process may have it open.

    ``keep`` and ``drop`` are called from the intake's thread, trials are told from the pipelines'.
    What each of these says is safe on the disk when it returns; where it raises EdgedError, what
    was known is known still, and it can be called again. Where nothing is new, nothing is written.
    """

    def __init__(
        self,
        state_dir: Path,
        keep_versions: int,
        *,
        disk: Disk = DISK,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(state_dir, disk)
        self._keep_versions = keep_versions
        self._now = now
        self._known = Ledger()
        self._lock_fd: int | None = None
        # A model's bytes take seconds to write to an SD card; trials do not wait for that.
        self._ledger_lock = threading.Lock()
        self._files_lock = threading.Lock()

    def open(self) -> None:
        """Finish or undo what a crash has left. Raises EdgedError, also while another has it open.

        A trial that was going on when its daemon died has failed; where no model is good, and this
        was the first time, it is tried again.
        """
        with self._telling():
            if not self.directory.is_dir():
                self.directory.mkdir(parents=True)
                self._disk.sync_directory(self.directory.parent)
            self._lock_out_others()
            self._disk.remove(new_beside(self.ledger_path))
            self._known = self._load()
            self._change(self._recovered)
            self._bundles.sweep(self._known.bundles())

    def close(self) -> None:
        """Let another process open it; may be called twice."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def ledger(self) -> Ledger:
        return self._known

    # ---- bundles -----------------------------------------------------------------------------

    def keep(self, files: ModelFiles, signed_version: int | None) -> Kept:
        """A private copy of a model and what lies beside it, under its hashes."""
        bundle = files.bundle
        came = Version(bundle, len(files.data), 0, self._now(), signed_version)
        with self._files_lock, self._telling():
            self._bundles.sweep(self._known.bundles() | {bundle})
            if not self._bundles.holds(files):
                self._bundles.write(files)
            for version in self.versions(files.name):
                if version.bundle != bundle:
                    self._disk.remove(self._permission(version.bundle))
            # What the user went back to stays where it was, so that there is a version before it.
            stays = self.is_allowed(bundle)
            self._change(lambda ledger: ledger.with_version(files.name, came, stays=stays))
        return Kept(bundle, self.path_of(bundle), signed_version)

    def drop(self, bundle: str) -> None:
        """Forget a bundle that was refused; one that is good or on trial anywhere stays."""
        with self._files_lock, self._telling():
            self._change(
                lambda ledger: ledger.keeping(ledger.bundles() - {bundle} | ledger.in_use())
            )
            self._bundles.sweep(self._known.bundles())

    # ---- trials ------------------------------------------------------------------------------

    def begin_trial(self, pipeline: str, model: str, bundle: str) -> None:
        """To be called before the swap: should the daemon die from now on, it was this bundle's
        fault. What is good already has no trial. Raises ModelError where it is not kept any more.
        """
        if bundle not in {version.bundle for version in self.versions(model)}:
            raise not_kept(f"{model} {bundle[:12]}")
        with self._telling():
            self._change(lambda ledger: self._pruned(ledger.on_trial(pipeline, model, bundle)))

    def pass_trial(self, pipeline: str, model: str, bundle: str) -> None:
        """It is the last known good one from now on."""
        with self._telling():
            self._change(lambda ledger: self._pruned(ledger.passed(pipeline, model, bundle)))

    def fail_trial(self, pipeline: str, model: str, bundle: str, reason: str) -> None:
        """It was rolled back; what was good before is good still."""
        with self._telling():
            self._change(
                lambda ledger: self._pruned(ledger.failed(pipeline, model, bundle, reason))
            )

    def abandon_trial(self, pipeline: str, model: str, bundle: str) -> None:
        """It ended without a verdict: the pipeline is stopped, or a newer model has come."""
        with self._telling():
            self._change(lambda ledger: ledger.abandoned(pipeline, model, bundle))

    # ---- the ledger --------------------------------------------------------------------------

    def _change(self, change: Callable[[Ledger], Ledger]) -> None:
        """Write first, then go by it: what is in memory is never ahead of the disk."""
        with self._ledger_lock:
            changed = change(self._known)
            if changed != self._known:
                self._disk.write_atomically(self.ledger_path, encode(changed))
                self._known = changed

    def _pruned(self, ledger: Ledger) -> Ledger:
        return ledger.pruned(self._keep_versions)

    def _load(self) -> Ledger:
        """What the last daemon knew; nothing where its ledger is damaged. Raises OSError."""
        try:
            return decode(self.ledger_path.read_bytes())
        except FileNotFoundError:
            return Ledger()
        except ValueError as error:
            why = str(error)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            why = os.strerror(errno.EIO)
        aside = self.ledger_path.with_name("ledger.damaged.json")
        self._disk.rename(self.ledger_path, aside)
        log.warning(
            "the memory of the model store is damaged (%s) and was moved to %s: "
            "no model is known good until it has passed a trial again",
            why,
            aside,
            extra=about(Event.STORE),
        )
        return Ledger()

    def _recovered(self, ledger: Ledger) -> Ledger:
        """Without what is not whole any more, and with the trials that were cut off as failed."""
        whole = {
            version.bundle
            for versions in ledger.models.values()
            for version in versions
            if self._bundles.is_whole(version.bundle, version.size_bytes)
        }
        for bundle in sorted(ledger.bundles() - whole):
            log.warning(
                "the kept model %s is damaged and was forgotten",
                bundle[:12],
                extra=about(Event.STORE),
            )
        ledger = ledger.keeping(whole)
        for pipeline, standings in ledger.pipelines.items():
            for model, standing in standings.items():
                if standing.trial is not None:
                    told = (pipeline, DIED, model, standing.trial[:12])
                    fields = about(Event.MODEL, pipeline, model)
                    log.warning("pipeline %s: %s: %s %s", *told, extra=fields)
                    ledger = ledger.cut_off(pipeline, model, DIED)
        return self._pruned(ledger)

    # ---- the directory -----------------------------------------------------------------------

    def _lock_out_others(self) -> None:
        if self._lock_fd is not None:
            return
        fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if not isinstance(error, BlockingIOError):
                raise
            raise EdgedError(
                f"another edged is using {self.directory}. Stop it first, or give this one a "
                "device.state_dir of its own"
            ) from error
        self._lock_fd = fd
