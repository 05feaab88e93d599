"""Runs a function in a short-lived process of its own, and makes a sentence of how that ended.

The child confines itself (see ``confined``) before it reads its request. What happens in it, be it
a crash, a hang or nonsense, is a ``ModelError`` here. It gets three files in memory and no other
descriptor; it is one process group, which is killed as a whole; it does not outlive its parent.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ..errors import ModelError, ProbeCancelled
from .confined import ANSWER_LIMIT_BYTES, CPU_LIMIT_S, Answer
from .held_up import held_up_by, waits_of

WALL_LIMIT_S = 60.0

_DOING = {"load": "loaded", "invoke": "run"}
_SAID_LIMIT_BYTES = 4096
_SENTENCE_LIMIT = 500  # characters
# How soon a cancelled child is noticed; an event cannot be waited for beside a process.
_LOOK_S = 0.02
_START = "import sys; sys.path[:] = {path!r}; from {module} import main; main()"

T = TypeVar("T")


def run_confined(
    module: str,
    request: bytes,
    kind: type[T],
    *,
    wall_limit_s: float = WALL_LIMIT_S,
    cancelled: threading.Event | None = None,
) -> T:
    """Let ``main()`` of ``module`` answer ``request`` in a child; gives its answer as a ``kind``.

    Returns soon after ``cancelled`` is set. Raises ModelError, ProbeCancelled.
    """
    return Child(module, request, wall_limit_s=wall_limit_s).answer(kind, cancelled)


class Child:
    """A child that is at its work; its ``answer`` is asked for once, or it is ended by ``drop``.

    ``given``: descriptors that it has under the same numbers. ``wall_limit_s`` does not count the
    time that it waits for a processor.
    """

    def __init__(
        self,
        module: str,
        request: bytes,
        *,
        wall_limit_s: float = WALL_LIMIT_S,
        given: Sequence[int] = (),
    ) -> None:
        """Raises ModelError."""
        self._wall_limit_s = wall_limit_s
        self._deadline_s = time.monotonic() + wall_limit_s
        # In memory and not pipes: nobody has to read while the child writes, and its limit holds.
        self._files = [os.memfd_create(name) for name in ("request", "answer", "said")]
        try:
            write_all(self._files[0], request)
            os.lseek(self._files[0], 0, os.SEEK_SET)
            self._process = _start(module, self._files, given)
            # At once: soon it will let nobody look at it any more.
            self._files.append(waits_of(self._process.pid))
        except BaseException:
            self._close()
            raise

    def answer(self, kind: type[T], cancelled: threading.Event | None = None) -> T:
        """Wait for it; see ``run_confined``."""
        try:
            ended = _watch(self._process, self._deadline_s, self._files[3], cancelled)
            answer = _content(self._files[1], ANSWER_LIMIT_BYTES)
            if not ended:
                if cancelled is not None and cancelled.is_set():
                    raise ProbeCancelled("it was given up before it was tried")
                phase = _DOING[_last_phase(answer)]
                limit = f"{self._wall_limit_s:g} s"
                raise ModelError(f"it did not finish being {phase} within {limit}")
            said = _content(self._files[2], _SAID_LIMIT_BYTES)
            return _verdict(self._process.returncode, answer, said, kind)
        finally:
            self._close()

    def drop(self) -> None:
        """End it: nobody wants its answer."""
        _end(self._process)
        self._close()

    def _close(self) -> None:
        for file in self._files:
            os.close(file)


def _start(module: str, files: Sequence[int], given: Sequence[int]) -> subprocess.Popen[bytes]:
    """The child, with the parent's own path for imports: looking for it anew takes time."""
    code = _START.format(path=[part for part in sys.path if part], module=module)
    command = [sys.executable, "-I", "-S", "-B", "-c", code, str(os.getpid())]
    request, answer, said = files
    try:
        return subprocess.Popen(
            command,
            stdin=request,
            stdout=answer,
            stderr=said,
            pass_fds=given,
            # NumPy would start a thread a core, none of which would have anything to do.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            # Not a session: the kernel's autogroups would give it a share as large as ours.
            process_group=0,
        )
    except OSError as error:
        raise ModelError(f"no process can be started to try it: {error.strerror}") from error


def _watch(
    child: subprocess.Popen[bytes], deadline: float, waits: int, cancelled: threading.Event | None
) -> bool:
    """Wait for the end of the child, which is gone afterwards; False if it was killed for it.

    The deadline is put off by the time that the child has waited for a processor: it gives way to
    all else, and on a busy device a good model must not be refused.
    """
    ended = False
    end = os.pidfd_open(child.pid)
    try:
        poll = select.poll()
        poll.register(end, select.POLLIN)
        while not (cancelled is not None and cancelled.is_set()):
            now_s = time.monotonic()
            if now_s >= deadline and now_s >= deadline + held_up_by(waits) / 1e9:
                break
            if poll.poll(_LOOK_S * 1000):
                ended = True
                break
    finally:
        os.close(end)
        _end(child)
    return ended


def _end(child: subprocess.Popen[bytes]) -> None:
    """Before its number is free again, with whatever it may have started."""
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _verdict(status: int, answer: bytes, said: bytes, kind: type[T]) -> T:
    doing = _DOING[_last_phase(answer)]
    if status == 0:
        try:
            told = msgspec.json.decode(answer.splitlines()[-1], type=Answer)
            if told.reason:
                raise ModelError(_printable(told.reason))
            return msgspec.json.decode(told.found, type=kind)
        except (IndexError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ModelError(f"its process ended without an answer when it was {doing}") from error
    if status == -signal.SIGXCPU:
        raise ModelError(f"it used more than {CPU_LIMIT_S} s of processor time being tried")
    if status == -signal.SIGKILL:
        raise ModelError(
            f"its process was killed when it was {doing}, most likely because it needs more memory "
            "than the machine has left"
        )
    if status < 0:
        raise ModelError(f"the runtime crashes ({_name_of(-status)}) when it is {doing}")
    last = _printable(said.decode(errors="replace").strip().rpartition("\n")[2]) or "no message"
    raise ModelError(f"trying it ended with exit status {status}: {last}")


def _printable(text: str) -> str:
    """A sentence that may be published: the child is not to be trusted with what it says."""
    return "".join(c for c in text[:_SENTENCE_LIMIT] if c.isprintable())


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals
        return f"signal {number}"


def _last_phase(answer: bytes) -> str:
    lines = answer[:1000].decode(errors="replace").splitlines()
    phases = [line for line in lines if line in _DOING]
    return phases[-1] if phases else "load"


def _content(file: int, limit_bytes: int) -> bytes:
    """The last of what is in the file, at most ``limit_bytes``."""
    size = os.fstat(file).st_size
    return os.pread(file, limit_bytes, max(0, size - limit_bytes))


def write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
