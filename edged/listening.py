"""Models that listen for words: what they are given goes on with what they were given before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import msgspec

from .engine.interpreter import Engine
from .engine.sound import StreamFiller
from .model import Inference, Model
from .records.arrays import FloatArray
from .records.decoded import HeardClasses, ScoredClasses
from .samples import Captured, Window


class ListeningModel(Model):
    """Looks at one window after the other, as every model does."""

    _seen = (0, -1)  # of the window before: its first sample, and the one after its last

    def _infer(
        self, item: Captured, engine: Engine, asked_ns: int, meanwhile: Callable[[], None]
    ) -> Inference:
        window = cast(Window, item)
        inference = super()._infer(window, engine, asked_ns, meanwhile)
        scores = cast(ScoredClasses, inference.decoded).scores
        return msgspec.structs.replace(inference, decoded=self._heard(window, scores))

    def _heard(self, window: Window, *scores: FloatArray) -> HeardClasses:
        """``scores``: of each moment."""
        begins, ends = window.first, window.first + len(window.samples)
        goes_on = self._seen[0] <= begins <= self._seen[1]
        self._seen = begins, ends
        return HeardClasses(scores, ends / window.rate_hz, anew=not goes_on)


class StreamModel(ListeningModel):
    """Hears a stream: it has a state, and invokes as often as the features suffice for.

    Where the stream broke, front end and model begin anew.
    """

    waiting = 66
    """Windows of, as a rule, 30 ms: 2 s of sound."""

    def _infer(
        self, item: Captured, engine: Engine, asked_ns: int, meanwhile: Callable[[], None]
    ) -> Inference:
        meanwhile()
        window = cast(Window, item)
        filler = cast(StreamFiller, self._filler)
        began_ns = time.monotonic_ns()
        if window.first != self._seen[1]:
            engine.reset_state()
            filler.reset()
        scores: list[FloatArray] = []
        invoke_ns = worked_ns = decode_ns = 0
        try:
            for values in filler.inputs(window):
                view = engine.input_view(self._position)
                view[...] = values.reshape(view.shape)
                del view
                filled_ns = time.monotonic_ns()
                worked_ns += self._invoke(engine)
                invoked_ns = time.monotonic_ns()
                decoded = self._decoder.decode(self._outputs(engine))
                scores.append(cast(ScoredClasses, decoded).scores)
                invoke_ns += invoked_ns - filled_ns
                decode_ns += time.monotonic_ns() - invoked_ns
        except Exception:
            self._seen = StreamModel._seen  # what it has heard so far is of no use
            raise
        preprocess_ns = time.monotonic_ns() - began_ns - invoke_ns - decode_ns
        heard = self._heard(window, *scores)
        waited_ns = began_ns - asked_ns
        return Inference(heard, None, waited_ns, preprocess_ns, invoke_ns, worked_ns)
