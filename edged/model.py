"""A model that can serve: preprocessing, engine and decoder in one. The unit that is swapped."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

import msgspec

from .decoders import Decoder
from .engine.engines import Engines
from .engine.geometry import Fit, Placement
from .engine.interpreter import Engine
from .engine.preprocess import Preprocessor
from .inputs import WindowInput
from .reading import Reading
from .records.arrays import AnyArray
from .records.decoded import Decoded
from .records.frames import Frame, Size
from .records.models import ModelSpec
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


class Inference(msgspec.Struct, frozen=True):
    """What one frame or window came to, and what that took.

    ``placement`` is None for a window. ``waited_ns``: for an interpreter. ``worked_ns``: of
    ``invoke_ns`` what the model's own clock counts.
    """

    decoded: Decoded
    placement: Placement | None
    waited_ns: int
    preprocess_ns: int
    invoke_ns: int
    worked_ns: int


class Model:
    """One thread uses a model, and closes it by letting go of it.

    It invokes once for what comes in. What is fed back goes on from window to window as long as
    these join, and begins anew where samples are missing in between. One that hears a stream
    (``waiting`` over 1) invokes as often as there is something to invoke for.
    """

    waiting = 1
    """How many frames or windows may wait for it; with 1 the newest wins."""

    def __init__(self, spec: ModelSpec, engines: Engines, reading: Reading, fit: Fit) -> None:
        """``engines`` are shared only where one invocation leaves nothing to the next. Raises
        ModelError where their input is not as the reading has it.
        """
        self.spec = spec
        self.ref = spec.ref
        self.reading = reading
        self._engines = engines
        self._position = reading.input.position
        # That of a model which hears a stream is filled by its own ``_infer``.
        filler = reading.input.filler(engines.inputs[self._position], fit)
        self._filler = cast(Filler[Any], filler)
        self._decoder: Decoder = reading.task.decoder
        self._stored = reading.task.stored
        self._compares = reading.task.anomaly is not None
        self.want = self._filler.want
        self.fits = self._filler.fits
        # Of windows nothing is done ahead: they are small.
        self._prepare = filler.prepare if isinstance(filler, Preprocessor) else None
        self.clock_ns: Callable[[], int] = time.monotonic_ns
        """By which its invocations are judged."""
        self._goes_on = bool(reading.feedback) and isinstance(reading.input, WindowInput)
        self._first, self._end = 0, 0  # of the window before, where it matters
        if not engines.shared:
            engine = engines.borrow()
            engine.feedback = reading.feedback
            engine.reset_state()
            engines.give_back(engine)

    def prepare(self, item: Captured) -> None:
        """Work ahead on what is sure to be inferred, while it waits; from its source's thread."""
        if self._prepare is not None and isinstance(item, Frame):
            self._prepare(item)

    def infer(self, item: Captured, meanwhile: Callable[[], None] = nothing) -> Inference:
        """One frame's or window's way through the model. Raises ModelError, NotFinite.

        ``meanwhile`` is called right before the engine is: it lets other threads work, which have
        the interpreter of Python for themselves then.
        """
        asked_ns = time.monotonic_ns()
        engine = self._engines.borrow()
        try:
            return self._infer(item, engine, asked_ns, meanwhile)
        except Exception as error:
            _let_go(error)
            raise
        finally:
            self._engines.give_back(engine)

    @property
    def takes_batches(self) -> bool:
        """Whether several pictures go through at once (``infer_batch``)."""
        return self._engines.inputs[self._position].shape_signature[:1] == (-1,)

    def infer_batch(
        self, items: Sequence[Frame], meanwhile: Callable[[], None] = nothing
    ) -> list[Inference]:
        """As ``infer``, of several pictures at once; each is told an equal share of the time."""
        asked_ns = time.monotonic_ns()
        engine = self._engines.borrow()
        try:
            return self._infer_batch(items, engine, asked_ns, meanwhile)
        except Exception as error:
            _let_go(error)
            raise
        finally:
            self._engines.give_back(engine)

    def _infer_batch(
        self,
        items: Sequence[Frame],
        engine: Engine,
        asked_ns: int,
        meanwhile: Callable[[], None],
    ) -> list[Inference]:
        began_ns, count = time.monotonic_ns(), len(items)
        engine.set_batch(count)
        view = engine.input_view(self._position)
        placements = [self._filler.fill(item, view[at : at + 1]) for at, item in enumerate(items)]
        del view  # not alive while the engine runs
        given = [engine.input(self._position)] if self._compares else []
        meanwhile()
        filled_ns = time.monotonic_ns()
        worked_ns = self._invoke(engine)
        invoked_ns = time.monotonic_ns()
        arrays = [*self._outputs(engine), *given]
        spent = (
            (began_ns - asked_ns) // count,
            (filled_ns - began_ns) // count,
            (invoked_ns - filled_ns) // count,
            worked_ns // count,
        )
        return [
            Inference(self._decoder.decode([a[at : at + 1] for a in arrays]), placement, *spent)
            for at, placement in enumerate(placements)
        ]

    def _infer(
        self, item: Captured, engine: Engine, asked_ns: int, meanwhile: Callable[[], None]
    ) -> Inference:
        began_ns = time.monotonic_ns()
        if self.reading.forgets:
            engine.reset_variables()
        if self._goes_on:
            assert isinstance(item, Window)
            self._follow(item, engine)
        placement = self._filler.fill(item, engine.input_view(self._position))
        given = [engine.input(self._position)] if self._compares else []
        meanwhile()
        filled_ns = time.monotonic_ns()
        worked_ns = self._invoke(engine)
        invoked_ns = time.monotonic_ns()
        decoded = self._decoder.decode([*self._outputs(engine), *given])
        waited_ns, preprocess_ns = began_ns - asked_ns, filled_ns - began_ns
        invoke_ns = invoked_ns - filled_ns
        return Inference(decoded, placement, waited_ns, preprocess_ns, invoke_ns, worked_ns)

    def _invoke(self, engine: Engine) -> int:
        """What it takes by the model's own clock. Raises ModelError."""
        began_ns = self.clock_ns()
        engine.invoke()
        return self.clock_ns() - began_ns

    def _follow(self, window: Window, engine: Engine) -> None:
        if not self._first < window.first <= self._end:
            engine.reset_state()
        self._first, self._end = window.first, window.first + len(window.samples)

    def _outputs(self, engine: Engine) -> Sequence[AnyArray]:
        output = engine.output_view if self._stored else engine.output
        return [output(position) for position in range(len(engine.outputs))]


def _let_go(error: BaseException | None) -> None:
    """Of views of the interpreter's memory, which would keep others from running it."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__
