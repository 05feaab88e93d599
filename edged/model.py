"""A model that can serve: preprocessing, engine and decoder in one. The unit that is swapped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from .decoders import Decoder
from .engine.geometry import Fit, Placement
from .engine.interpreter import Engine
from .inputs import WindowInput
from .reading import Reading
from .records import AnyArray, Decoded, ModelSpec, Size
from .samples import Captured, Want, Window

Item = TypeVar("Item", contravariant=True)


class Filler(Protocol[Item]):
    """Brings what a source gives into the model's input. One thread uses it."""

    def want(self, frame_size: Size | None) -> Want:
        """What to ask of the source; ``frame_size``: of frames that it can scale at no cost."""

    def fits(self, item: Captured) -> bool:
        """Whether it is what was asked for: while models are swapped it may be the other's."""

    def fill(self, item: Item, view: AnyArray) -> Placement | None:
        """Write ``item`` into ``view``, the input tensor's memory; where a frame came to lie there.

        Raises ModelError, NotFinite.
        """


def nothing() -> None:
    """What is done meanwhile where nobody waits."""


@dataclass(frozen=True, slots=True)
class Inference:
    """What one frame or window came to, and what that took.

    ``placement`` is None for a window.
    """

    decoded: Decoded
    placement: Placement | None
    preprocess_ns: int
    invoke_ns: int


class Model:
    """One thread uses a model, and closes it by letting go of it.

    It invokes once for what comes in. What is fed back goes on from window to window as long as
    these join, and begins anew where samples are missing in between. One that hears a stream
    (``waiting`` over 1) has an ``infer`` of its own, which may invoke more often.
    """

    waiting = 1
    """How many frames or windows may wait for it; with 1 the newest wins."""

    def __init__(self, spec: ModelSpec, engine: Engine, reading: Reading, fit: Fit) -> None:
        """Raises ModelError where the engine's input is not as the reading has it."""
        self.spec = spec
        self.ref = spec.ref
        self.reading = reading
        self._engine = engine
        self._position = reading.input.position
        # That of a model which hears a stream is filled by its own ``infer``.
        filler = reading.input.filler(engine.inputs[self._position], fit)
        self._filler = cast(Filler[Any], filler)
        self._decoder: Decoder = reading.task.decoder
        self._output = engine.output_view if reading.task.stored else engine.output
        self._compares = reading.task.anomaly is not None
        self.want = self._filler.want
        self.fits = self._filler.fits
        self._goes_on = bool(reading.feedback) and isinstance(reading.input, WindowInput)
        self._first, self._end = 0, 0  # of the window before, where it matters
        engine.feedback = reading.feedback
        engine.reset_state()

    def warm_up(self) -> None:
        """Invoke once, so that the first frame finds all memory in place. Raises ModelError."""
        self._engine.invoke()
        self._engine.reset_state()

    def infer(self, item: Captured, meanwhile: Callable[[], None] = nothing) -> Inference:
        """One frame's or window's way through the model. Raises ModelError, NotFinite.

        ``meanwhile`` is called right before the engine is: it lets other threads work, which have
        the interpreter of Python for themselves then.
        """
        began_ns = time.monotonic_ns()
        if self.reading.forgets:
            self._engine.reset_variables()
        if self._goes_on:
            assert isinstance(item, Window)
            self._follow(item)
        placement = self._filler.fill(item, self._engine.input_view(self._position))
        given = [self._engine.input(self._position)] if self._compares else []
        meanwhile()
        filled_ns = time.monotonic_ns()
        self._engine.invoke()
        invoked_ns = time.monotonic_ns()
        decoded = self._decoder.decode([*self._outputs(), *given])
        return Inference(decoded, placement, filled_ns - began_ns, invoked_ns - filled_ns)

    def _follow(self, window: Window) -> None:
        if not self._first < window.first <= self._end:
            self._engine.reset_state()
        self._first, self._end = window.first, window.first + len(window.samples)

    def _outputs(self) -> Sequence[AnyArray]:
        return [self._output(position) for position in range(len(self._engine.outputs))]
