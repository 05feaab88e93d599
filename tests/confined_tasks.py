"""What the tests of the sandbox have its child do: ``main`` is called there."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from edged.engine.confined import Channel, parent_of_request, serve
from edged.errors import ModelError


def main() -> None:
    serve(_task, parent_of_request())


def _task(request: bytes, channel: Channel) -> Any:
    name, *rest = request.decode().split()
    return globals()[f"do_{name}"](channel, *rest)


def do_facts(_: Channel) -> dict[str, Any]:
    """How the process is confined, as it sees it itself."""
    status = dict(
        line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if line
    )
    limits = {
        "memory": resource.RLIMIT_AS,
        "cpu": resource.RLIMIT_CPU,
        "core": resource.RLIMIT_CORE,
        "files": resource.RLIMIT_FSIZE,
    }
    return {
        "status": {key: value.strip() for key, value in status.items()},
        "limits": {name: resource.getrlimit(limit)[0] for name, limit in limits.items()},
        "open": _open_descriptors(),
        "nice": os.nice(0),
        "oom_score_adj": Path("/proc/self/oom_score_adj").read_text().strip(),
        "group_of_its_own": os.getpgid(0) == os.getpid(),
    }


def _open_descriptors() -> list[int]:
    found = []
    for number in range(1024):
        with contextlib.suppress(OSError):
            os.fstat(number)
            found.append(number)
    return found


def do_socket(_: Channel, family: str) -> str:
    return _refusal(lambda: socket.socket(int(family), socket.SOCK_RAW).close())


def do_exec(_: Channel) -> str:
    return _refusal(lambda: os.execv("/bin/true", ["true"]))


def _refusal(act: Any) -> str:
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "allowed"


def do_print(_: Channel) -> str:
    """As native code does that writes to descriptor 1."""
    os.write(1, b'{"found": "forged"}\n')
    os.write(2, b"a warning\n")
    return "answered"


def do_ask_for_memory(_: Channel) -> int:
    return len(bytearray(64 << 30))


def do_compute(_: Channel) -> str:
    """For a second of processor time."""
    until_s = time.process_time() + 1
    while time.process_time() < until_s:
        pass
    return "done"


def do_compute_without_end(_: Channel) -> None:
    """Its limit of processor time is lowered, so that a test can wait for it."""
    assert resource.getrlimit(resource.RLIMIT_CPU) == (120, 125)
    resource.setrlimit(resource.RLIMIT_CPU, (1, 6))
    while True:
        pass


def do_write_without_end(_: Channel) -> None:
    while True:
        os.write(1, bytes(1 << 20))


def do_refuse(_: Channel) -> None:
    raise ModelError("it is\x1b not good")


def do_break(_: Channel) -> None:
    raise ZeroDivisionError("by nothing")


def do_exit(channel: Channel, status: str) -> None:
    channel.phase("invoke")
    sys.stderr.write("said last\n")
    sys.stderr.flush()
    os._exit(int(status))


def do_answer_nonsense(channel: Channel) -> None:
    channel.phase("invoke")
    channel.phase("\x00 nonsense {")
    os._exit(0)


def do_die(channel: Channel, name: str) -> None:
    channel.phase("invoke")
    os.kill(os.getpid(), signal.Signals[name])


def do_hang(channel: Channel, note: str) -> None:
    """Say who it is, leave a process behind, and never end."""
    channel.phase("invoke")
    left = os.fork()
    if left:
        part = Path(f"{note}.part")
        part.write_text(f"{os.getpid()} {left}")
        part.rename(note)
    while True:
        time.sleep(1)
