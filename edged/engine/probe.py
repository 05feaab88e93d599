"""A model tried in a process of its own, so that what it breaks is not the daemon.

Some files end the process that loads them (SIGSEGV with tflite-runtime), some well-formed models
the process that runs them (SIGABRT with either runtime). ``probe`` starts ``python -m
edged.engine.probe``, which loads, allocates and invokes on zeros and on noise under limits of
memory and time, and turns whatever happens there into a ``ModelError`` or a ``Probed``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import EdgedError, ModelError
from ..records import TensorSpec
from .runtime import Delegate

WALL_LIMIT_S = 60.0
_CPU_LIMIT_S = 120
_MEMORY_LIMIT_BYTES = 4 << 30
_NICER = 10
_PR_SET_PDEATHSIG = 1  # prctl(2)
_DOING = {"load": "loaded", "invoke": "run"}


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe found: tensors as the runtime has them, one invocation's milliseconds."""

    invoke_ms: float
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class _Request(msgspec.Struct):
    """The child's one argument."""

    path: str
    threads: int
    delegate: Delegate | None
    parent: int


class _Answer(msgspec.Struct):
    """The last line that the child writes: what it found, or the reason why it could not."""

    probed: Probed | None = None
    reason: str = ""


def probe(
    path: Path, *, threads: int, delegate: Delegate | None, wall_limit_s: float = WALL_LIMIT_S
) -> Probed:
    """Try the model file in a separate process. Raises ModelError with what went wrong there."""
    request = msgspec.json.encode(_Request(str(path), threads, delegate, os.getpid())).decode()
    command = [sys.executable, "-m", "edged.engine.probe", request]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=wall_limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        phase = _last_phase(error.stdout or b"")
        raise ModelError(
            f"it did not finish being {_DOING[phase]} within {wall_limit_s:g} s"
        ) from error
    return _verdict(done)


def _verdict(done: subprocess.CompletedProcess[bytes]) -> Probed:
    lines = done.stdout.splitlines()
    if done.returncode == 0 and lines:
        answer = msgspec.json.decode(lines[-1], type=_Answer)
        if answer.probed is None:
            raise ModelError(answer.reason)
        return answer.probed
    phase = _last_phase(done.stdout)
    if done.returncode == -signal.SIGXCPU:
        raise ModelError(f"it used more than {_CPU_LIMIT_S} s of processor time being tried")
    if done.returncode == -signal.SIGKILL:
        raise ModelError(
            f"the system killed it when it was {_DOING[phase]}, most likely for want of memory"
        )
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ModelError(f"the runtime crashes ({name}) when it is {_DOING[phase]}")
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise ModelError(
        f"trying it ended with exit status {done.returncode}: {said[-1] if said else 'no message'}"
    )


def _last_phase(output: bytes) -> str:
    phases = [word for word in output.decode(errors="replace").split() if word in _DOING]
    return phases[-1] if phases else "load"


# ---- the child ----------------------------------------------------------------------------------


def _limit_resources() -> None:
    import resource

    os.nice(_NICER)
    for kind, limit, hard in (
        (resource.RLIMIT_AS, _MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES),
        # At the soft limit comes SIGXCPU, which says why, and at the hard one SIGKILL.
        (resource.RLIMIT_CPU, _CPU_LIMIT_S, _CPU_LIMIT_S + 5),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        allowed = resource.getrlimit(kind)[1]
        if allowed != resource.RLIM_INFINITY:
            limit, hard = min(limit, allowed), min(hard, allowed)
        resource.setrlimit(kind, (limit, hard))


def _end_with(parent: int) -> None:
    """Die when the daemon does, and not of the Ctrl-C or SIGTERM that is meant for it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _try_model(request: _Request) -> Probed:
    """Load, allocate and invoke, timing the second invocation. Raises EdgedError."""
    import numpy as np

    from .interpreter import Engine

    print("load", flush=True)
    engine = Engine(Path(request.path), threads=request.threads, delegate=request.delegate)
    print("invoke", flush=True)
    random = np.random.default_rng(0)
    elapsed_ms = 0.0
    for noise in (False, True):
        for position, tensor in enumerate(engine.inputs):
            dtype = np.dtype(tensor.dtype)
            if dtype.kind not in "iufb":
                raise ModelError(f'its input "{tensor.name}" holds {dtype.name}, not numbers')
            values = random.random(tensor.shape) if noise else np.zeros(tensor.shape)
            if noise and dtype in (np.uint8, np.int8):
                values *= np.iinfo(dtype).max
            engine.input_view(position)[...] = values.astype(dtype)
        start = time.perf_counter()
        engine.invoke()
        elapsed_ms = (time.perf_counter() - start) * 1e3
    return Probed(elapsed_ms, engine.inputs, engine.shaped_outputs())


def main() -> None:
    request = msgspec.json.decode(sys.argv[1], type=_Request)
    _end_with(request.parent)
    _limit_resources()
    try:
        answer = _Answer(_try_model(request))
    except EdgedError as error:
        answer = _Answer(reason=str(error))
    except MemoryError:
        answer = _Answer(reason=f"it needs more than {_MEMORY_LIMIT_BYTES >> 30} GB of memory")
    print(msgspec.json.encode(answer).decode(), flush=True)
    # No clean-up of a runtime that a bad model may have left in a bad state.
    os._exit(0)


if __name__ == "__main__":
    main()
