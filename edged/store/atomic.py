"""Files that outlast a power cut: whole and where they belong, or not there at all.

A rename alone is not enough: what was not synced may come back empty, or under its old name.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def new_beside(path: Path) -> Path:
    """Where the bytes that will replace a file are written first."""
    return path.with_name(f".new-{path.name}")


class Disk:
    """Every call that changes what is on the disk.

    The first part are the system's own calls; tests put in others that fail, or end the process,
    at a given one. The second part is made of them. All raise OSError.
    """

    def create(self, path: Path) -> int:
        """A file descriptor to write to a file that is not there yet."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def write(self, fd: int, data: memoryview) -> int:
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, old: Path, new: Path) -> None:
        os.replace(old, new)  # noqa: PTH105 (the others here are calls of os, too)

    def mkdir(self, path: Path) -> None:
        path.mkdir(mode=0o755)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def rmdir(self, path: Path) -> None:
        path.rmdir()

    # ---- made of these ---------------------------------------------------------------------------

    def write_file(self, path: Path, data: bytes) -> None:
        """A new file, its bytes safe on the disk; its name is once the directory is synced."""
        fd = self.create(path)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self.write(fd, rest) :]
            self.fsync(fd)
        finally:
            os.close(fd)

    def sync_directory(self, path: Path) -> None:
        """What is called how in a directory, safe on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.fsync(fd)
        finally:
            os.close(fd)

    def write_atomically(self, path: Path, data: bytes) -> None:
        """Replace a file: readers see the old bytes or the new ones, also after a power cut."""
        part = new_beside(path)
        self.remove(part)
        try:
            self.write_file(part, data)
            self.rename(part, path)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(part)
            raise
        self.sync_directory(path.parent)

    def remove(self, path: Path) -> None:
        """A file, or a directory of files; nothing where there is none."""
        if path.is_dir() and not path.is_symlink():
            for file in path.iterdir():
                self.unlink(file)
            self.rmdir(path)
        elif path.exists() or path.is_symlink():
            self.unlink(path)


DISK = Disk()
