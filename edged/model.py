"""A model that can serve: preprocessing, engine and decoder in one. The unit that is swapped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .decoders import Decoder
from .engine.geometry import Fit, Placement
from .engine.interpreter import Engine
from .engine.preprocess import Preprocessor
from .reading import Reading
from .records import AnyArray, Decoded, Frame, ModelSpec, Size


@dataclass(frozen=True, slots=True)
class Inference:
    """What one frame came to, and when (monotonic clock) it was filled in and invoked."""

    decoded: Decoded
    placement: Placement
    filled_ns: int
    invoked_ns: int


class Model:
    """One thread uses a model, and closes it by letting go of it."""

    def __init__(self, spec: ModelSpec, engine: Engine, reading: Reading, fit: Fit) -> None:
        """Raises ModelError where the engine's picture input is none."""
        self.spec = spec
        self.ref = spec.ref
        self.reading = reading
        self._engine = engine
        self._picture = reading.picture_input
        self._preprocessor = Preprocessor(
            engine.inputs[self._picture], reading.pixels, reading.order, fit
        )
        self._decoder: Decoder = reading.task.decoder
        self._compares = reading.task.anomaly is not None
        engine.feedback = reading.feedback
        engine.reset_state()

    @property
    def input_size(self) -> Size:
        return self._preprocessor.size

    def warm_up(self) -> None:
        """Invoke once, so that the first frame finds all memory in place. Raises ModelError."""
        self._engine.invoke()
        self._engine.reset_state()

    def infer(self, frame: Frame) -> Inference:
        """One frame's way through the model. Raises ModelError."""
        placement = self._preprocessor.fill(frame, self._engine.input_view(self._picture))
        given = [self._engine.input(self._picture)] if self._compares else []
        filled_ns = time.monotonic_ns()
        self._engine.invoke()
        invoked_ns = time.monotonic_ns()
        decoded = self._decoder.decode([*self._outputs(), *given])
        return Inference(decoded, placement, filled_ns, invoked_ns)

    def _outputs(self) -> Sequence[AnyArray]:
        return [self._engine.output(position) for position in range(len(self._engine.outputs))]
