"""``edged model quantize``: a float model becomes a smaller one, with all that belongs to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from ..engine.geometry import Fit
from ..errors import ModelError
from ..loading import Examined, examine
from ..store.models import read_model_files
from ..toml_text import printable
from .calibration import MOST_EXAMPLES, Feeder, Progress, calibrate, chosen
from .data import Data, find_data
from .judge import Judge
from .layers import named
from .output import carried, golden_inputs, refuse_target, write_model
from .quantizer import FloatModel, Layer, Mode, Ranges, look_at
from .quantizer import quantize as quantized
from .scratch import scratch
from .sensitivity import Inputs, least_to_skip, most_sensitive
from .subject import Subject, take
from .tables import with_archive_of

_TRIED_WITH = 16  # examples for each layer alone
_MOST_TOLD = 3

Tell = Callable[[str], None]


class Order(msgspec.Struct, frozen=True):
    """``calibrate`` holds the data, which ``Mode.INT8`` needs. ``least_agreement``: so many layers
    stay float that it is reached; None: only those in ``skip`` do.
    """

    source: Path
    target: Path
    mode: Mode = Mode.INT8
    calibrate: Path | None = None
    skip: Sequence[str] = ()
    least_agreement: float | None = None
    float_ends: bool = False
    fit: Fit = Fit.STRETCH
    force: bool = False


class Quantized(msgspec.Struct, frozen=True):
    """What came of it. ``agreement`` with the float model on ``compared`` examples is None where
    there were no data.
    """

    subject: Subject
    examined: Examined
    data: bytes
    left_float: Sequence[Layer]
    agreement: float | None
    compared: int


def quantize(order: Order, tell: Tell, progress: Progress) -> Quantized:
    """Raises EdgedError, with the target's directory as it was."""
    refuse_target(order.target, order.source, order.force)
    data = find_data(order.calibrate) if order.calibrate else None
    subject = take(order.source, data, order.fit)
    beside = carried(subject.files)
    others = golden_inputs(order.source, subject.files, order.target)
    try:
        work = _Work(order, subject, beside, tell, progress)
        made = work.with_data(data) if data else work.without_data()
    except ModelError as error:
        told = str(error)
        named_in_it = str(order.source) in told
        raise ModelError(told if named_in_it else f"{order.source}: {told}") from error
    write_model(order.target, made.data, beside, others)
    return made


class _Work:
    """On one model."""

    def __init__(
        self,
        order: Order,
        subject: Subject,
        beside: Mapping[str, bytes],
        tell: Tell,
        progress: Progress,
    ) -> None:
        """Raises EdgedError."""
        self._order, self._subject, self._beside = order, subject, beside
        self._tell, self._progress = tell, progress
        self._model = FloatModel(subject.files.data)
        self._skipped = named(self._model.layers, order.skip)
        self._ranges: Ranges | None = None

    def without_data(self) -> Quantized:
        """Raises EdgedError."""
        made = self._candidate(self._skipped)
        return Quantized(self._subject, self._examined(made), made, self._skipped, None, 0)

    def with_data(self, data: Data) -> Quantized:
        """Raises EdgedError."""
        self._calibrate(data)
        judge = Judge(self._subject, data, self._beside, self._progress)
        left = self._skipped
        if self._order.least_agreement is not None:
            left = self._enough_to_skip(data, judge, self._order.least_agreement)
        made = self._candidate(left)
        examined = self._examined(made)
        agreement = judge.agreement(made)
        return Quantized(self._subject, examined, made, left, agreement, judge.examples)

    def _calibrate(self, data: Data) -> None:
        passed_over: list[str] = []
        model, subject = self._model, self._subject
        found = calibrate(model, subject, data, passed_over.append, self._progress)
        self._ranges = found.ranges
        notes = passed_over[:_MOST_TOLD]
        if len(passed_over) > _MOST_TOLD:
            notes.append(f"{len(passed_over) - _MOST_TOLD:,} more were passed over")
        of_all = f", of {data.said}" if len(data.files) > MOST_EXAMPLES else ""
        self._tell(f"calibrated with {found.examples:,} examples{of_all} from {data.directory}")
        for note in (*notes, *found.notes):
            self._tell(f"note: {printable(note)}")

    def _enough_to_skip(self, data: Data, judge: Judge, bound: float) -> list[Layer]:
        assert self._ranges is not None
        inputs = self._inputs(data)
        ranked = most_sensitive(self._model, self._ranges, inputs, self._progress)
        others = [layer for layer in ranked if layer not in self._skipped]

        def agreement(left: Sequence[Layer]) -> float:
            return judge.agreement(self._candidate([*self._skipped, *left]))

        return [*self._skipped, *least_to_skip(others, agreement, bound)]

    def _inputs(self, data: Data) -> Inputs:
        feeder = Feeder(self._subject)
        examples = chosen(data, feeder.want, _TRIED_WITH, lambda _: None, lambda *_: None, "")
        return [feeder.take(example) for example in itertools.islice(examples, _TRIED_WITH)]

    def _candidate(self, left_float: Sequence[Layer]) -> bytes:
        order = self._order
        feedback = self._subject.examined.reading.feedback
        made = quantized(
            self._model,
            order.mode,
            self._ranges,
            float_ends=order.float_ends,
            left_float=left_float,
            fed_back=[self._model.outputs[source] for source in feedback.values()],
        )
        return with_archive_of(made, self._subject.files.data)

    def _examined(self, made: bytes) -> Examined:
        """Raises ModelError where what was made could not take the float model's place."""
        if not look_at(made).quantized:
            kinds = ", ".join(sorted(set(self._subject.files.facts.operators)))
            raise ModelError(
                f"it has no operator that can be quantised so ({kinds}). Serve it as it is"
            )
        before = self._subject.examined.reading
        name = self._subject.files.name
        with scratch(name, made, self._beside) as path:
            try:
                examined = examine(read_model_files(path), path, self._subject.options)
            except ModelError as error:
                advice = ""
                if self._order.mode is Mode.INT8:
                    advice = (
                        ". Calibrate it with data that differ more, or leave layers float with "
                        "--skip"
                    )
                raise ModelError(f"quantised, it could not serve: {error}{advice}") from error
        after = examined.reading
        if (after.task.name, after.labels) != (before.task.name, before.labels):
            raise ModelError(
                f"it is for {before.task.name}, and quantised it would be taken for "
                f'{after.task.name}. Put a line into its .toml file: task = "{before.task.name}"'
            )
        return examined
