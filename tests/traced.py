"""System calls of a process and all its children, as strace has written them down."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# Those that make, change, rename or remove something in the file system, and those by which a
# process can be reached. With a question mark: not every machine has all of them.
_OPENS = ("open", "openat", "openat2", "creat", "truncate", "memfd_create")
_NAMES = ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink")
_PLACES = ("unlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chmod", "fchmodat")
_REACHED = ("listen", "bind", "connect")
_CALLS = (*_OPENS, *_NAMES, *_PLACES, *_REACHED)
_WRITING = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
_LINE = re.compile(r"(?P<name>[a-z0-9_]+)\((?P<told>.*)\)\s+= (?P<came>-?\d+|\?).*")
# A path after the directory that it starts from: AT_FDCWD</home>, "file"; or alone.
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<start>[^>]*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Call:
    """``paths`` are absolute where the call told from where they start."""

    name: str
    paths: tuple[str, ...]
    line: str

    @property
    def writes(self) -> bool:
        """Whether it may make, change or remove what its paths name."""
        if self.name in _REACHED or self.name == "memfd_create":
            return False
        return not self.name.startswith("open") or bool(_WRITING.search(self.line))


def strace(directory: Path) -> list[str]:
    """The command that runs another one and traces it into files there; skips the test where
    there is no strace, or where it may not.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: scripts/test installs it")
    tried = subprocess.run(["strace", "-qq", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    directory.mkdir()
    # -D: the traced process is ours to signal. A file a thread (-ff): no call is cut in two.
    names = ",".join(f"?{name}" for name in _CALLS)
    command = ["strace", "-D", "-ff", "--seccomp-bpf", "-qq", "-y", "-s", "4096"]
    return [*command, "-e", f"trace={names}", "-e", "signal=none", "-o", str(directory / "calls")]


def calls(directory: Path, start: Path) -> Iterator[Call]:
    """All traced calls but those that an unfinished line hides; ``start``: where a relative path
    starts that comes without its directory.
    """
    for file in sorted(directory.iterdir()):
        for line in file.read_text(errors="replace").splitlines():
            found = _LINE.fullmatch(line)
            if found is None:
                assert "(" not in line or "<unfinished" in line or "resumed" in line, line
                continue
            paths = tuple(
                str(Path(match["start"] or start) / _unescaped(match["path"]))
                for match in _PATH.finditer(found["told"])
            )
            yield Call(found["name"], paths, line)


def _unescaped(text: str) -> str:
    return text.encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
