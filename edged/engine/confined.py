"""The inside of the sandbox: what a child process does to itself before it touches a model.

Only light modules are imported here: the child's start is part of how soon a good model serves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..errors import EdgedError
from .seccomp import deny_the_outside

CPU_LIMIT_S = 120
MEMORY_LIMIT_BYTES = 4 << 30
# Of what it may write: its answer, which holds a model's outputs where they are to be looked at.
ANSWER_LIMIT_BYTES = 64 << 20

_NICER = 10
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


class Answer(msgspec.Struct):
    """The last line that the child writes: what it found, or the reason why it could not."""

    found: msgspec.Raw = msgspec.Raw(b"null")
    reason: str = ""


class Channel:
    """Where the child tells how far it is, and answers. Nobody else can write there."""

    def __init__(self) -> None:
        """What native code prints goes where errors go from now on."""
        self._fd = os.dup(1)
        os.dup2(2, 1)

    def phase(self, word: str) -> None:
        self._write(word.encode() + b"\n")

    def answer(self, answer: Answer) -> None:
        self._write(msgspec.json.encode(answer))

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._fd, data) :]


def serve(task: Callable[[bytes, Channel], object], parent: int) -> None:
    """Do ``task`` with the request on standard input under all limits, answer, and end.

    ``parent`` is the process that the child must not outlive.
    """
    channel = Channel()
    memory = confine(parent)
    try:
        with open(0, "rb", closefd=False) as request:
            found = task(request.read(), channel)
        answer = Answer(msgspec.Raw(msgspec.json.encode(found)))
    except EdgedError as error:
        answer = Answer(reason=str(error))
    except MemoryError:
        answer = Answer(reason=f"it needs more than {memory / (1 << 30):.3g} GB of memory")
    channel.answer(answer)
    # No clean-up of a runtime that a bad model may have left in a bad state.
    os._exit(0)


def confine(parent: int) -> int:
    """Put this process under its limits; gives that of memory, in bytes. Raises OSError."""
    # Ctrl-C and systemd's SIGTERM are for the daemon, which ends this process itself.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we could tell the kernel
        os._exit(1)
    _step_back()
    # 1 GB is for the address space of Python and the runtime, most of which is never memory.
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = _limit(resource.RLIMIT_AS, min(MEMORY_LIMIT_BYTES, (1 << 30) + machine))
    # SIGXCPU comes at the first limit; a process that does not die of it is killed at the second.
    _limit(resource.RLIMIT_CPU, CPU_LIMIT_S, more=5)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, ANSWER_LIMIT_BYTES)
    # A core that goes to a program (systemd-coredump) is not held back by the limit on its size.
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel cannot rule out new privileges")
    deny_the_outside(libc)
    return memory


def _limit(kind: int, limit: int, more: int = 0) -> int:
    """Set a limit, and a hard one that is ``more``; gives it: a lower one that holds is kept."""
    allowed = resource.getrlimit(kind)[1]
    hard = limit + more if allowed == resource.RLIM_INFINITY else min(limit + more, allowed)
    resource.setrlimit(kind, (min(limit, hard), hard))
    return min(limit, hard)


def _step_back() -> None:
    """Serve the daemon first: the processor goes to it, and want of memory ends this process.

    Not SCHED_IDLE, under which a good model would time out beside busy pipelines. A service that
    is not allowed one of these does without.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError):
        os.nice(_NICER)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def parent_of_request() -> int:
    """The parent's process id, the child's one argument."""
    return int(sys.argv[1])
