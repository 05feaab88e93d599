"""The kept models as anyone may look at them: ``edged model list`` beside a running daemon.

A ``Shelf`` writes nothing but the one permission that a user may give, and sees no half a state:
the ledger is replaced atomically, and a bundle is whole before the ledger names it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..errors import EdgedError, ModelError
from .atomic import DISK, Disk
from .bundles import Bundles
from .ledger import PLACE, Ledger, Version, decode
from .models import ModelFiles, read_model_files

_PERMISSION = "may-be-older"


class Kept(msgspec.Struct, frozen=True):
    """A kept bundle, its model file, and the version that its signature tells, if any."""

    bundle: str
    path: Path
    signed_version: int | None


class Shelf:
    """Below ``state_dir/store``: a directory for each bundle, and ``ledger.json``.

    Its methods may be called from any thread. They raise EdgedError where the disk fails.
    """

    def __init__(self, state_dir: Path, disk: Disk = DISK) -> None:
        self.ledger_path = state_dir / PLACE
        self.directory = self.ledger_path.parent
        self._disk = disk
        self._bundles = Bundles(self.directory, disk)

    # ---- what is known -----------------------------------------------------------------------

    def ledger(self) -> Ledger:
        """All that is known at this moment, of one piece."""
        try:
            return decode(self.ledger_path.read_bytes())
        except FileNotFoundError:
            return Ledger()
        except OSError as error:
            raise EdgedError(f"cannot read {self.ledger_path}: {error.strerror}") from error
        except ValueError as error:
            raise EdgedError(
                f"{self.ledger_path} is damaged ({error}). The daemon begins a new one when it "
                "starts; the models in its watched directory are taken again"
            ) from error

    def versions(self, name: str) -> tuple[Version, ...]:
        """The kept versions of a model, the newest first."""
        return self.ledger().versions(name)

    def good(self, pipeline: str, model: str) -> str | None:
        """The bundle that is last known good."""
        return self.ledger().standing(pipeline, model).good

    def trial(self, pipeline: str, model: str) -> str | None:
        """The bundle that is on trial."""
        return self.ledger().standing(pipeline, model).trial

    def failure(self, bundle: str, pipeline: str | None = None) -> str | None:
        """Why it failed its trial in that pipeline, or in any; None where it did not."""
        return self.ledger().failure(bundle, pipeline)

    # ---- what is kept ------------------------------------------------------------------------

    def path_of(self, bundle: str) -> Path:
        """The model's private copy."""
        return self._bundles.path_of(bundle)

    def find(self, bundle: str) -> Kept:
        """Raises ModelError where it is not kept (any more)."""
        for versions in self.ledger().models.values():
            for version in versions:
                if version.bundle == bundle:
                    return Kept(bundle, self.path_of(bundle), version.signed_version)
        raise not_kept(bundle[:12])

    def read(self, name: str, bundle: str) -> ModelFiles:
        """A kept model with what lay beside it, as they came under ``name``, proved by their
        hashes. Raises ModelError, ConfigError.
        """
        path = self.path_of(bundle)
        try:
            files = read_model_files(path, name)
        except EdgedError as error:
            if path.exists():
                raise
            raise not_kept(f"{name} {bundle[:12]}") from error
        if files.bundle == bundle:
            return files
        # Removed while it was read: a bundle loses its name before its files.
        if not path.exists():
            raise not_kept(f"{name} {bundle[:12]}")
        raise ModelError(
            f"the kept copy of {name} {bundle[:12]} is damaged: the disk may be failing. "
            "Copy it to the directory of models again"
        )

    # ---- the one thing that a user's own command may write ---------------------------------------

    def allow_older(self, bundle: str) -> None:
        """Let a kept bundle serve although its signed version is an older one: the user's will.

        It holds until another file of that model is taken.
        """
        if self.is_allowed(bundle):
            return
        marker = self._permission(bundle)
        if not marker.parent.is_dir():
            raise not_kept(bundle[:12])
        with self._telling():
            self._disk.write_file(marker, b"")
            self._disk.sync_directory(marker.parent)

    def is_allowed(self, bundle: str) -> bool:
        """Whether the user has said so."""
        return self._permission(bundle).exists()

    def _permission(self, bundle: str) -> Path:
        return self.path_of(bundle).with_name(_PERMISSION)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """The disk's errors as sentences."""
        try:
            yield
        except OSError as error:
            raise EdgedError(
                f"cannot write to {self.directory}: {os.strerror(error.errno or errno.EIO)}. "
                f"{_ADVICE.get(error.errno or 0, _OTHER_ADVICE)}"
            ) from error


def not_kept(what: str) -> ModelError:
    return ModelError(f"{what} is not kept any more. Copy it to the directory of models again")


_MAKE_ROOM = "Make room there, or keep fewer versions (models.keep_versions)"
_LET_WRITE = "Let the user that runs edged write there, or name another device.state_dir"
_OTHER_ADVICE = "Check the disk"
_ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: _MAKE_ROOM,
    errno.EACCES: _LET_WRITE,
    errno.EPERM: _LET_WRITE,
    errno.EROFS: _LET_WRITE,
    errno.ENOTDIR: _LET_WRITE,
}
