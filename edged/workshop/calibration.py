"""What a float model's tensors hold when it looks at real data: the ranges for static quantisation.

litert-quantizer's calibrator invokes the model as it is, by the runtime that it belongs to, and
keeps each tensor's least and greatest value.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from ..engine.interpreter import Engine
from ..errors import EdgedError, ModelError, NotFinite
from ..inputs import PictureInput, StreamInput
from ..records.arrays import AnyArray
from ..samples import Want
from .data import Data, Example, PassedOver
from .likeness import Likeness
from .quantizer import Calibrator, FloatModel, Ranges, as_range
from .quiet import quiet
from .subject import Subject

MOST_EXAMPLES = 500
"""More tell a range hardly better, and cost time on each model."""

Progress = Callable[[str, int, int], None]
"""Is told what is done, and how many of how many are."""


class Calibrated(msgspec.Struct, frozen=True):
    """``notes``: what is to be said of the examples."""

    ranges: Ranges
    examples: int
    notes: tuple[str, ...]


def calibrate(
    model: FloatModel, subject: Subject, data: Data, passed_over: PassedOver, progress: Progress
) -> Calibrated:
    """Raises EdgedError where no example can be used."""
    feeder = Feeder(subject)
    calibrator = Calibrator(model, subject.options.threads)
    reading = subject.examined.reading
    position = reading.input.position
    tensor = subject.examined.probed.inputs[position]
    said = subject.files.facts.metadata
    told_of = said.inputs[position] if said and position < len(said.inputs) else None
    likeness = Likeness(reading.input, tensor, told_of)
    for example in chosen(data, feeder.want, MOST_EXAMPLES, passed_over, progress, "calibrating"):
        try:
            inputs = feeder.take(example)
        except NotFinite as error:
            passed_over(f"{example.file}: {error}")
            continue
        likeness.take(example, inputs[position])
        calibrator.take(inputs)
    if not likeness.count:
        raise EdgedError(
            f"nothing in {data.directory} can be used to calibrate it. {data.said} "
            f"{'is' if len(data.files) == 1 else 'are'} there, and none is whole and long enough"
        )
    ranges = calibrator.ranges
    if isinstance(reading.input, PictureInput) and tensor.dtype == "float32":
        # A byte can be anything, whatever those in the examples are.
        table = reading.input.pixels.table
        assert table is not None
        ranges[model.inputs[position]] = as_range(float(table.min()), float(table.max()))
    for place, source in reading.feedback.items():
        _join(ranges, model.inputs[place], model.outputs[source])
    return Calibrated(ranges, likeness.count, tuple(likeness.notes()))


def _join(ranges: dict[str, Any], one: str, other: str) -> None:
    """What is fed back must be stored alike where it goes out and where it comes in."""
    both = ranges[one], ranges[other]
    least = min(float(np.min(each["min"])) for each in both)
    greatest = max(float(np.max(each["max"])) for each in both)
    ranges[one] = ranges[other] = as_range(least, greatest)


class Feeder:
    """Fills a float model's inputs with examples, as the daemon fills them.

    A model whose outputs are fed back is run for that: its states are examples, too.
    """

    def __init__(self, subject: Subject) -> None:
        """Raises ModelError."""
        reading, options = subject.examined.reading, subject.options
        if isinstance(reading.input, StreamInput):
            raise ModelError(
                "it hears a stream and remembers what it heard. Such models are quantised where "
                "they are trained"
            )
        with quiet():
            self._engine = Engine(subject.path, threads=options.threads)
        self._engine.feedback = reading.feedback
        self._engine.reset_state()
        self._position = reading.input.position
        self._filler: Any = reading.input.filler(self._engine.inputs[self._position], options.fit)
        self.want: Want = self._filler.want(None)

    def take(self, example: Example) -> list[AnyArray]:
        """All inputs, in the model's order. Raises ModelError, NotFinite."""
        engine = self._engine
        self._filler.fill(example.item, engine.input_view(self._position))
        given = [np.array(engine.input_view(place)) for place in range(len(engine.inputs))]
        if engine.feedback:
            engine.invoke()
        return given


def chosen(
    data: Data, want: Want, most: int, passed_over: PassedOver, progress: Progress, doing: str
) -> Iterator[Example]:
    """At most about so many, from all over the files; the same at each call. ``doing``: what for,
    for ``progress``.
    """
    files = data.files
    if len(files) > most:
        files = [files[n * len(files) // most] for n in range(most)]
    from_each = -(-most // len(files))
    for done, file in enumerate(files):
        progress(doing, done, len(files))
        yield from _some(data.read(file, want, passed_over), from_each)
    progress(doing, len(files), len(files))


def _some(examples: Iterator[Example], count: int) -> list[Example]:
    """``count`` of them, each as likely as any (Vitter's algorithm R), in their order."""
    draw = random.Random(0)
    kept: list[tuple[int, Example]] = []
    for number, example in enumerate(examples):
        place = number if number < count else draw.randrange(number + 1)
        if place < count:
            kept[place : place + 1] = [(number, example)]
    return [example for _, example in sorted(kept, key=lambda each: each[0])]
