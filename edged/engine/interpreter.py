"""One model in one interpreter, used by one thread at a time.

A NumPy view of the interpreter's memory must not be alive while ``invoke`` runs (its tensors may
move, and the runtime refuses); so views are made for each use and never kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelError
from ..records.arrays import AnyArray
from ..records.models import Quantization, TensorSpec
from . import runtime as binding
from .runtime import NO_DELEGATE, Delegate


class Engine:
    """An interpreter with its tensors allocated.

    ``inputs`` and ``outputs`` are in the model's own order. ``feedback`` maps an input's position
    to the position of the output that is fed back into it before the next invocation.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        delegate: Delegate | None = None,
        remembers: bool = False,
        keeps_all: bool = False,
    ) -> None:
        """Load and allocate. Raises ModelError or DelegateError.

        The file stays mapped: nobody else may be able to write to it. A damaged one can end the
        process here; it is tried in a process of its own first (see ``probe``).

        ``remembers``: the model keeps variables from one invocation to the next (VAR_HANDLE). No
        runtime can set these back but by beginning anew, so such a model, a small one, is held in
        memory whole. It is run by the runtime's own kernels alone: XNNPACK's round otherwise, and
        what is remembered adds that up.

        ``keeps_all``: what every operator has made can be looked at afterwards (``tensor``); it
        takes more memory, and needs NO_DELEGATE, for a delegate keeps what it makes to itself.
        """
        self._threads = threads
        self._delegate = delegate
        self._keeps_all = keeps_all
        try:
            self._content = path.read_bytes() if remembers else None
            self._interpreter: Any = self._begun(path)
            self.inputs = tuple(map(_tensor_spec, self._interpreter.get_input_details()))
            self.outputs = self.shaped_outputs()
        except (ValueError, RuntimeError, OSError, TypeError) as error:
            raise ModelError(f"the runtime cannot load it: {one_line(error)}") from error
        self.feedback: Mapping[int, int] = {}
        self.failed = False
        """Whether the last invocation has failed."""
        self._batch = 1

    def _begun(self, path: Path | None) -> Any:
        """A new interpreter, of what is held in memory or else of the file."""
        without = self._delegate is not None and self._delegate.name == NO_DELEGATE
        delegates = []
        if self._delegate is not None and not without:
            delegates.append(binding.load_delegate(self._delegate))
        runtime = binding.runtime()
        options: dict[str, Any] = {}
        if without or self._content is not None:
            plain = runtime.module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            options["experimental_op_resolver_type"] = plain
        if self._content is not None:
            options["model_content"] = self._content
        else:
            options["model_path"] = str(path)
        if self._keeps_all:
            options["experimental_preserve_all_tensors"] = True
        interpreter = runtime.module.Interpreter(
            **options, num_threads=self._threads, experimental_delegates=delegates
        )
        interpreter.allocate_tensors()
        return interpreter

    def shaped_outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs as they are now: after an invocation dynamic shapes are known."""
        return tuple(map(_tensor_spec, self._interpreter.get_output_details()))

    def nodes(self) -> list[Mapping[str, Any]]:
        """The runtime's own list of what it runs, a delegate's nodes at its end: ``index``,
        ``op_name``, ``inputs`` and ``outputs`` (numbers of tensors).
        """
        nodes: list[Mapping[str, Any]] = self._interpreter._get_ops_details()
        return nodes

    def tensor(self, number: int) -> AnyArray:
        """A copy of any tensor, as stored, by its number in the file. Raises ModelError where it
        holds nothing.
        """
        try:
            stored: AnyArray = self._interpreter.get_tensor(number)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"tensor {number} holds nothing: {one_line(error)}") from error
        return stored

    def input_view(self, position: int = 0) -> AnyArray:
        """The input tensor's own memory, of the input's shape and dtype. Drop it before invoke."""
        view: AnyArray = self._interpreter.tensor(self.inputs[position].index)()
        return view

    def output_view(self, position: int) -> AnyArray:
        """An output tensor's own memory, as stored. Drop it before invoke."""
        view: AnyArray = self._interpreter.tensor(self.outputs[position].index)()
        return view

    @property
    def takes_batches(self) -> bool:
        """Whether the file leaves open how many its one input holds, and nothing else."""
        [first, *rest] = self.inputs[0].shape_signature or (0,)
        return len(self.inputs) == 1 and first == -1 and -1 not in rest

    def set_batch(self, count: int) -> None:
        """Let its one input hold so many; it costs 0.2 ms where that changes. Raises ModelError."""
        if count == self._batch:
            return
        tensor = self.inputs[0]
        try:
            self._interpreter.resize_tensor_input(tensor.index, [count, *tensor.shape[1:]])
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"the runtime cannot run {count} at once: {one_line(error)}"
            ) from error
        self._batch = count

    def invoke(self) -> None:
        """Run the model on what its inputs hold. Releases the GIL. Raises ModelError."""
        self.failed = True
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"the runtime cannot run it: {one_line(error)}") from error
        self.failed = False
        for position, source in self.feedback.items():
            np.copyto(self.input_view(position), self.output_view(source))

    def output(self, position: int) -> AnyArray:
        """A copy of an output: float32 where it is quantised or floating, else as stored."""
        return self._copy(self.outputs[position])

    def input(self, position: int = 0) -> AnyArray:
        """A copy of what an input was filled with, as ``output`` gives it. Before invoke."""
        return self._copy(self.inputs[position])

    def _copy(self, tensor: TensorSpec) -> AnyArray:
        stored: AnyArray = self._interpreter.get_tensor(tensor.index)
        return stored if tensor.dtype == "float32" else dequantize(stored, tensor.quantization)

    def reset_variables(self) -> None:
        """Let what the model itself remembers begin anew."""
        if self._content is not None:
            self._interpreter = self._begun(None)
        else:
            self._interpreter.reset_all_variables()  # an LSTM's state, but no VAR_HANDLE

    def reset_state(self) -> None:
        """Set the inputs that are fed back to zero (their zero point where quantised), and the
        model's own variables to what they are at the start.
        """
        self.reset_variables()
        for position in self.feedback:
            quantization = self.inputs[position].quantization
            self.input_view(position)[...] = quantization.zero_point if quantization else 0


def dequantize(stored: AnyArray, quantization: Quantization | None) -> AnyArray:
    """As float32; without quantisation, integers as they are."""
    if quantization is None:
        return stored.astype(np.float32, copy=False) if stored.dtype.kind == "f" else stored
    return quantization.real(stored)


def _tensor_spec(details: Mapping[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"])
    quantized = scale > 0 and np.issubdtype(dtype, np.integer)
    return TensorSpec(
        index=int(details["index"]),
        name=str(details["name"]),
        shape=tuple(int(n) for n in details["shape"]),
        shape_signature=tuple(int(n) for n in details["shape_signature"]),
        dtype=dtype.name,
        quantization=Quantization(float(scale), int(zero_point)) if quantized else None,
    )


def one_line(error: BaseException, limit: int = 160) -> str:
    """A runtime's error as one line of bounded length. It has no text where memory ran out."""
    text = " ".join(str(error).split()).rstrip(".") or "most likely it needs too much memory"
    return text if len(text) <= limit else text[: limit - 1] + "…"
