"""A model tried in a process of its own, so that what it breaks is not the daemon.

Some files end the process that loads them (SIGSEGV with tflite-runtime), some well-formed models
the process that runs them (SIGABRT with either runtime). ``probe`` starts ``python -m
edged.engine.probe``, which loads, allocates and invokes on zeros and on noise under limits of
memory and time, and turns whatever happens there into a ``ModelError`` or a ``Probed``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import EdgedError, ModelError
from .runtime import Delegate

WALL_LIMIT_S = 60.0
_CPU_LIMIT_S = 120
_MEMORY_LIMIT_BYTES = 4 << 30
_NICER = 10
_DOING = {"load": "loaded", "invoke": "run"}


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe measured: one invocation's wall time in milliseconds."""

    invoke_ms: float


def probe(
    path: Path, *, threads: int, delegate: Delegate | None, wall_limit_s: float = WALL_LIMIT_S
) -> Probed:
    """Try the model file in a separate process. Raises ModelError with what went wrong there."""
    request = {"path": str(path), "threads": threads}
    if delegate is not None:
        request |= {"delegate": delegate.name, "options": dict(delegate.options)}
    command = [sys.executable, "-m", "edged.engine.probe", json.dumps(request)]
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
    answer = {}
    if done.returncode == 0 and lines:
        answer = json.loads(lines[-1])
    if "reason" in answer:
        raise ModelError(str(answer["reason"]))
    if "invoke_ms" in answer:
        return Probed(float(answer["invoke_ms"]))
    phase = _last_phase(done.stdout)
    if done.returncode == -signal.SIGXCPU:
        raise ModelError(f"it used more than {_CPU_LIMIT_S} s of processor time being tried")
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
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT_BYTES, _MEMORY_LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_LIMIT_S, _CPU_LIMIT_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _try_model(path: Path, threads: int, delegate: Delegate | None) -> float:
    """Load, allocate and invoke; the second invocation's milliseconds. Raises EdgedError."""
    import numpy as np

    from .interpreter import Engine

    print("load", flush=True)
    engine = Engine(path, threads=threads, delegate=delegate)
    print("invoke", flush=True)
    random = np.random.default_rng(0)
    elapsed_ms = 0.0
    for noise in (False, True):
        for position, tensor in enumerate(engine.inputs):
            dtype = np.dtype(tensor.dtype)
            if dtype.kind not in "iufb":
                raise ModelError(f"its input {tensor.name!r} holds {dtype.name}, not numbers")
            values = random.random(tensor.shape) if noise else np.zeros(tensor.shape)
            if noise and dtype in (np.uint8, np.int8):
                values *= np.iinfo(dtype).max
            engine.input_view(position)[...] = values.astype(dtype)
        start = time.perf_counter()
        engine.invoke()
        elapsed_ms = (time.perf_counter() - start) * 1e3
    return elapsed_ms


def main() -> None:
    request = json.loads(sys.argv[1])
    delegate = Delegate(request["delegate"], request["options"]) if "delegate" in request else None
    _limit_resources()
    try:
        answer: dict[str, object] = {
            "invoke_ms": _try_model(Path(request["path"]), request["threads"], delegate)
        }
    except EdgedError as error:
        answer = {"reason": str(error)}
    except MemoryError:
        answer = {"reason": f"it needs more than {_MEMORY_LIMIT_BYTES >> 30} GB of memory"}
    print(json.dumps(answer), flush=True)
    # No clean-up of a runtime that a bad model may have left in a bad state.
    os._exit(0)


if __name__ == "__main__":
    main()
