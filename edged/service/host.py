"""What a machine says of the service and its user, for ``edged check``; tests bring fakes."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

_TIMEOUT_S = 10.0
_UNIT = "edged.service"
_ASKED = ("LoadState", "ActiveState", "Result", "User", "UnitFileState", "StatusText", "NRestarts")


def run_command(command: Sequence[str]) -> str | None:
    """What a command prints; None where it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout


class Account(msgspec.Struct, frozen=True):
    """A user, by numbers and by the names of its groups."""

    name: str
    uid: int
    gids: frozenset[int]
    groups: frozenset[str]

    def may(self, path: Path, bits: int) -> bool:
        """Whether an existing path may be read (4), written (2), entered (1). Raises OSError.

        Of another user only the path's mode is looked at, not access control lists.
        """
        stat = path.stat()
        if self.uid == os.geteuid():
            return os.access(path, bits)
        if self.uid == 0:
            return True
        shift = 6 if stat.st_uid == self.uid else 3 if stat.st_gid in self.gids else 0
        return stat.st_mode >> shift & bits == bits


def account(name: str | None = None) -> Account | None:
    """A user by name, or this process's own; None where there is no such user."""
    try:
        user = pwd.getpwnam(name) if name else pwd.getpwuid(os.geteuid())
    except KeyError:
        return None
    own = {*os.getgroups(), os.getegid()}
    gids = set(os.getgrouplist(user.pw_name, user.pw_gid)) if name else own
    groups = set()
    for gid in gids:
        try:
            groups.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue
    return Account(user.pw_name, user.pw_uid, frozenset(gids), frozenset(groups))


class Unit(msgspec.Struct, frozen=True):
    """The service as systemd has it (``systemctl show``)."""

    active: str  # "active", "activating", "failed", "inactive", ...
    result: str  # "success", "exit-code", "watchdog", "start-limit-hit", ...
    user: str
    enabled: bool
    status: str
    restarts: int


class Host(msgspec.Struct, frozen=True):
    """Where ``check`` looks: files below ``root``, commands, and who a user is."""

    root: Path = Path("/")
    run: Callable[[Sequence[str]], str | None] = run_command
    account: Callable[[str | None], Account | None] = account

    def unit(self) -> Unit | None:
        """None where systemd does not run or has no such unit."""
        if not (self.root / "run/systemd/system").is_dir():
            return None
        said = self.run(["systemctl", "show", _UNIT, f"--property={','.join(_ASKED)}"])
        shown = dict(line.partition("=")[::2] for line in (said or "").splitlines())
        if shown.get("LoadState") != "loaded":
            return None
        return Unit(
            active=shown.get("ActiveState", ""),
            result=shown.get("Result", ""),
            user=shown.get("User", "") or "root",
            enabled=shown.get("UnitFileState", "") == "enabled",
            status=shown.get("StatusText", ""),
            restarts=int(shown.get("NRestarts") or 0),
        )

    def user_of_lock(self, directory: Path) -> int | None:
        """The process that holds a directory's lock (flock), by /proc/locks; None: nobody does.

        Read and not tried: a daemon that starts this very moment must not find it taken.
        """
        try:
            inode = str(directory.stat().st_ino)
            lines = (self.root / "proc/locks").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            fields = line.split()
            if len(fields) < 6 or fields[1] != "FLOCK" or fields[5].split(":")[-1] != inode:
                continue
            command = self.root / "proc" / fields[4] / "cmdline"
            try:
                # Numbers of files are unique on one file system only.
                if b"edged" in command.read_bytes():
                    return int(fields[4])
            except OSError:
                continue
        return None

    def cameras(self) -> list[str]:
        """Video devices with their names, as ``/dev/video0 (HD Webcam)``."""
        found = []
        for device in sorted(self.root.glob("dev/video*")):
            try:
                name = (self.root / f"sys/class/video4linux/{device.name}/name").read_text()
            except OSError:
                name = ""
            found.append(f"/dev/{device.name}" + (f" ({name.strip()})" if name.strip() else ""))
        return found
