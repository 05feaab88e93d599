"""A model tried in a process of its own, so that what it breaks is not the daemon.

Some files end the process that loads them (SIGSEGV with tflite-runtime), some well-formed models
the process that runs them (SIGABRT with either runtime). ``probe`` has a confined child load,
allocate and invoke, and turns whatever happens there into a ``ModelError`` or a ``Probed``.

The child knows nothing of pictures, decoders or sidecars, and so starts fast. Whether outputs that
are not finite matter is for the model's decoder to say (see ``Probed.not_finite``); a known input
with a known result is tried later, by ``golden``.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.models import TensorSpec
from . import ahead
from .ahead import Request
from .confined import Channel, parent_of_request, serve
from .held_up import process_held_up_ns
from .interpreter import Engine, dequantize
from .runtime import Delegate
from .sandbox import WALL_LIMIT_S, Child

# The first invocation is not timed, the others are: as many as there are within the time.
_TIMED = 20
_TIMED_MS = 60.0
# A slow model is tried with fewer of these, but always with the first.
_SEEDS = (1, 2, 3)


class StoredArray(msgspec.Struct, frozen=True):
    """An array as it lies in a tensor."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, array: AnyArray) -> StoredArray:
        return cls(array.dtype.name, array.shape, array.tobytes())

    def array(self) -> AnyArray:
        array: AnyArray = np.frombuffer(self.data, self.dtype).reshape(self.shape)
        return array


class Probed(msgspec.Struct, frozen=True):
    """What the probe found: tensors as the runtime has them, and what an invocation takes.

    ``invoke_ms`` is the median, ``invoke_p90_ms`` what nine of ten stay under: as if the probe had
    not had to wait for the processor. ``peak_memory_bytes`` is of the whole child, Python and the
    runtime included (some 50 MB). ``not_finite`` holds the outputs, as stored and in the model's
    order, of each input that made any output NaN or infinite.
    """

    invoke_ms: float
    invoke_p90_ms: float
    peak_memory_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    not_finite: tuple[tuple[StoredArray, ...], ...] = ()

    def doubtful_outputs(self, as_stored: bool = False) -> Iterator[list[AnyArray]]:
        """``not_finite`` as a decoder takes them: dequantised unless ``as_stored``. It may be that
        none of them counts: the rows of an SSD behind its count are memory that nobody wrote.
        """
        for stored in self.not_finite:
            arrays = [output.array() for output in stored]
            yield (
                arrays
                if as_stored
                else [
                    dequantize(array, tensor.quantization)
                    for array, tensor in zip(arrays, self.outputs, strict=True)
                ]
            )


def probe(
    path: Path,
    *,
    threads: int,
    delegate: Delegate | None,
    remembers: bool = False,
    batch: int = 1,
    sha256: str = "",
    budget_ms: float | None = None,
    wall_limit_s: float = WALL_LIMIT_S,
    cancelled: threading.Event | None = None,
) -> Probed:
    """Try the model file in a separate process, which ends soon after ``cancelled`` is set.

    ``remembers`` is as of ``Engine``, ``batch`` as of ``Request``, ``budget_ms`` what the median
    invocation may take. Where the file's ``sha256`` is told, a probe of the same bytes that was
    begun ahead will do. Raises ModelError with what went wrong there, and ProbeCancelled.
    """
    request = Request(str(path), threads, delegate, remembers, batch)
    child = ahead.take(sha256, request)
    if child is None:
        child = Child(ahead.PROBE, msgspec.json.encode(request), wall_limit_s=wall_limit_s)
    probed = child.answer(Probed, cancelled)
    if budget_ms is not None and probed.invoke_ms > budget_ms:
        raise ModelError(f"it takes {probed.invoke_ms:.1f} ms, over its budget of {budget_ms:g} ms")
    return probed


# ---- the child ----------------------------------------------------------------------------------


def main() -> None:
    """Called in the child."""
    serve(_try_model, parent_of_request())


def _try_model(encoded: bytes, channel: Channel) -> Probed:
    """Load, allocate and invoke on several inputs. Raises EdgedError."""
    request = msgspec.json.decode(encoded, type=Request)
    channel.phase("load")
    engine = Engine(
        Path(request.path),
        threads=request.threads,
        delegate=request.delegate,
        remembers=request.remembers,
    )
    channel.phase("invoke")
    times_ms: list[float] = []
    not_finite = []
    for inputs in _trial_inputs(engine.inputs, lambda: sum(times_ms[1:]) < _TIMED_MS):
        for position, values in enumerate(inputs):
            engine.input_view(position)[...] = values
        times_ms.append(_invoke_ms(engine, request.threads))
        outputs = [engine.output_view(position) for position in range(len(engine.outputs))]
        if not all(np.isfinite(output).all() for output in outputs if output.dtype.kind == "f"):
            not_finite.append(tuple(map(StoredArray.of, outputs)))
        # No view may be alive when the engine is invoked again.
        del outputs
    while len(times_ms) <= _TIMED and sum(times_ms[1:]) < _TIMED_MS:
        times_ms.append(_invoke_ms(engine, request.threads))
    timed, outputs_of_one = times_ms[1:], engine.shaped_outputs()
    if request.batch > 1 and engine.takes_batches:
        _try_batch(engine, request.batch)
    return Probed(
        invoke_ms=float(np.median(timed)),
        invoke_p90_ms=float(np.percentile(timed, 90)),
        peak_memory_bytes=_peak_memory_bytes(),
        inputs=engine.inputs,
        outputs=outputs_of_one,
        not_finite=tuple(not_finite),
    )


def _try_batch(engine: Engine, count: int) -> None:
    """Raises ModelError where what it gives for several at once is not that of each."""
    engine.set_batch(count)
    engine.invoke()
    for output in engine.shaped_outputs():
        if output.shape[:1] != (count,):
            raise ModelError(
                f'its output "{output.name}" is {output.shown_shape} for a batch of {count}. '
                "Export it with a fixed shape and a batch of 1"
            )


def _trial_inputs(
    tensors: tuple[TensorSpec, ...], is_time: Callable[[], bool]
) -> Iterator[list[AnyArray]]:
    """Zeros, the largest numbers of integers, and noise, more of it while ``is_time``.

    Floating numbers have no largest that makes sense before the sidecar was read: theirs are noise
    of -1 to 1 and zeros.
    """
    kinds = [np.dtype(tensor.dtype) for tensor in tensors]
    for tensor, kind in zip(tensors, kinds, strict=True):
        if kind.kind not in "iufb":
            raise ModelError(f'its input "{tensor.name}" holds {kind.name}, not numbers')
    sized = list(zip([tensor.shape for tensor in tensors], kinds, strict=True))
    yield [np.zeros(shape, kind) for shape, kind in sized]
    if any(kind.itemsize == 1 for kind in kinds):
        yield [np.full(shape, _largest(kind), kind) for shape, kind in sized]
    for seed in _SEEDS:
        if seed != _SEEDS[0] and not is_time():
            return
        source = random.Random(seed)
        yield [_noise(source, shape, kind) for shape, kind in sized]


def _largest(kind: np.dtype[Any]) -> int:
    """255 or 127 for bytes; 0 for wider numbers, which are indices or states as often as pixels."""
    return int(np.iinfo(kind).max) if kind.kind in "iu" and kind.itemsize == 1 else 0


def _noise(source: random.Random, shape: tuple[int, ...], kind: np.dtype[Any]) -> AnyArray:
    """All values of bytes, -1 to 1 for floating numbers, 0 and 1 for others.

    Not by NumPy's generators, whose import would take longer than all else here.
    """
    values = np.frombuffer(source.randbytes(math.prod(shape)), np.uint8).reshape(shape)
    if kind.kind == "f":
        return (values / 127.5 - 1).astype(kind)
    if kind.itemsize == 1 and kind.kind in "iu":
        return values.view(kind)
    return (values & 1).astype(kind)


def _invoke_ms(engine: Engine, threads: int) -> float:
    """One invocation, less the time for which its threads, on average, waited for a processor.

    They share the work, so that what one does not do the others do.
    """
    held_up_ns = process_held_up_ns()
    start_ns = time.perf_counter_ns()
    engine.invoke()
    took_ns = time.perf_counter_ns() - start_ns
    held_up_ns = process_held_up_ns() - held_up_ns
    return max(took_ns - held_up_ns / threads, 0) / 1e6


def _peak_memory_bytes() -> int:
    """Of this process alone; ``getrusage`` counts the parent that it was forked from, too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return 0
