"""Puts a model into the watched directory: it and what belongs beside it, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from ..engine.tflite_file import read_model_file
from ..errors import EdgedError
from .atomic import DISK, Disk, new_beside
from .manifest import parse_manifest
from .models import SUFFIX
from .sidecar import parse_sidecar

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refuse_unreadable(name: str, data: bytes, beside: Mapping[str, bytes]) -> None:
    """Raises what reading the model from the watched directory would raise."""
    read_model_file(data)
    if (sidecar := beside.get(".toml")) is not None:
        parse_sidecar(sidecar, f"{name}.toml")
    if (manifest := beside.get(".json")) is not None:
        parse_manifest(manifest, f"{name}.json")


def install(
    path: Path,
    data: bytes,
    beside: Mapping[str, bytes],
    removed: Collection[str],
    disk: Disk = DISK,
    others: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Let ``path`` be the model ``data``, with files beside it (by ending), and without those
    whose endings are ``removed``. ``others`` go there, too, by their own names, which may have a
    directory in them.

    All bytes are safe on the disk before the first name changes, and the model's changes last: who
    watches the directory finds what belongs to it. Raises EdgedError.
    """
    stem = path.name.removesuffix(SUFFIX)
    files = {path.parent / name: bytes_ for name, bytes_ in others.items()}
    files |= {path.with_name(stem + ending): bytes_ for ending, bytes_ in beside.items()}
    files[path] = data
    gone = [path.with_name(stem + ending) for ending in removed]
    with _telling(path.parent), _alone(path.parent):
        for target in (*files, *gone):
            if target.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try:
            for target, content in files.items():
                if not target.parent.exists():
                    disk.mkdir(target.parent)
                disk.remove(new_beside(target))  # of a process that was killed
                disk.write_file(new_beside(target), content)
            for target in gone:
                with contextlib.suppress(FileNotFoundError):
                    disk.unlink(target)
            for target in files:
                disk.rename(new_beside(target), target)
            for directory in {target.parent for target in files}:
                disk.sync_directory(directory)
        finally:
            for target in files:
                with contextlib.suppress(OSError):
                    disk.remove(new_beside(target))


def make_directory(directory: Path) -> None:
    """Raises EdgedError where it is not there and cannot be made, or may not be written to."""
    with _telling(directory):
        directory.mkdir(parents=True, exist_ok=True)
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Two at once would write to the same new files."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise EdgedError(
            f"another edged is putting a model into {directory} at this moment. Try again"
        ) from error
    except OSError:
        pass  # a network file system without locks
    try:
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _telling(directory: Path) -> Iterator[None]:
    """The disk's errors as sentences."""
    try:
        yield
    except OSError as error:
        advice = (
            "Make room there"
            if error.errno in _NO_ROOM
            else "Run this as a user that may write there, such as with sudo"
        )
        raise EdgedError(
            f"cannot put the model into {directory}: {os.strerror(error.errno or errno.EIO)}. "
            f"{advice}; nothing there is half-written"
        ) from error
