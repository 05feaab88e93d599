"""Both models on the same data, the second one held against the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np

from ...engine.geometry import Fit
from ...engine.interpreter import Engine
from ...engine.layers import Graph, read_graph
from ...errors import EdgedError, ModelError
from ...filter import Filter
from ...inputs import StreamInput
from ...loading import build_model
from ...model import Filler
from ...records.arrays import AnyArray, FloatArray
from ...records.decoded import Decoded, HeardClasses, ScoredClasses
from ...records.results import Detection
from ..agreement import Agreement
from ..data import Data, Example, find_data
from ..subject import Subject, take
from .errors import Difference, Differing
from .fallen import Left, find_left
from .layers import LISTS, MOST_EXAMPLES, Loss, Losses, Watched
from .precision import Object, Precision, precision
from .speed import Pair, measure
from .truth import Truth, find_truth

Tell = Callable[[str], None]
_TOP = 5
_LEAST_SCORE = 0.001  # low ones count for the precision too
_MOST_RESULTS = 100


class Accuracy(msgspec.Struct, frozen=True):
    """Of a model on labelled data: the share of examples whose class is the best, and among the
    five best; the former by class.
    """

    top_1: float
    top_5: float
    by_label: Mapping[str, float]


class Compared(msgspec.Struct, frozen=True):
    """``share``: how far they agree (see ``workshop.agreement``); of classes ``top_1`` is the share
    of examples with the same best one, ``top_5`` of those in which the first model's best is among
    the second one's five best. Lists of two are of the first model and the second.
    """

    one: Subject
    other: Subject
    graphs: tuple[Graph, Graph]
    data: str
    examples: int
    share: float
    top_1: float | None
    top_5: float | None
    outputs: tuple[Difference, ...]
    accuracy: tuple[Accuracy, Accuracy] | None
    precision: tuple[Precision, Precision] | None
    unlabelled: str | None
    pairs: tuple[Pair, ...]
    left: tuple[Left, Left]
    losses: tuple[Loss, ...] | None
    passed_over: tuple[str, ...]


def compare(one: Path, other: Path, directory: Path, with_layers: bool, tell: Tell) -> Compared:
    """``with_layers``: where the second model loses, too. Raises EdgedError."""
    data = find_data(directory)
    subjects = take(one, data), take(other, data)
    refuse_unlike(*subjects)
    reading = subjects[0].examined.reading
    truth = find_truth(data, reading.task.name, reading.labels)
    tell(f"{one.name} and {other.name} on {data.said}")
    found = _Findings(subjects, truth)
    watched = _watched(subjects) if with_layers else None
    count = 0
    passed: list[str] = []
    for example in _examples(data, subjects[0], passed.append):
        found.take(example)
        if watched is not None and count < MOST_EXAMPLES:
            watched.take(example)
        count += 1
    if not count:
        why = f": {passed[0]}" if passed else ""
        raise EdgedError(f"{directory} gives nothing that the models could look at{why}")
    tell(f"{count:,} examples were looked at; how fast they are is measured by turns")
    left = [_left(subject, inputs) for subject, inputs in zip(subjects, found.last, strict=True)]
    pairs = [] if isinstance(reading.input, StreamInput) else measure(*subjects)
    graphs = read_graph(subjects[0].files.data), read_graph(subjects[1].files.data)
    return Compared(
        one=subjects[0],
        other=subjects[1],
        graphs=graphs,
        data=data.said,
        examples=count,
        share=found.agreement.share,
        top_1=found.share_of(found.same_best),
        top_5=found.share_of(found.among_best),
        outputs=tuple(each.difference for each in found.differing),
        accuracy=found.accuracy(),
        precision=found.precision(),
        unlabelled=truth.note,
        pairs=tuple(pairs),
        left=(left[0], left[1]),
        losses=None if watched is None else tuple(watched.losses.found),
        passed_over=tuple(passed),
    )


def refuse_unlike(one: Subject, other: Subject) -> None:
    """Raises EdgedError for models that cannot be held against each other."""
    names = [subject.path.name for subject in (one, other)]
    tasks = [subject.examined.reading.task.name for subject in (one, other)]
    if tasks[0] != tasks[1]:
        raise EdgedError(
            f"{names[0]} does {tasks[0]} and {names[1]} does {tasks[1]}. Compare models of one task"
        )
    for ends in ("inputs", "outputs"):
        shapes = [
            [tensor.shown_shape for tensor in getattr(subject.examined.probed, ends)]
            for subject in (one, other)
        ]
        if shapes[0] != shapes[1]:
            shown = [" and ".join(each) for each in shapes]
            raise EdgedError(
                f"the {ends} of {names[0]} are {shown[0]}, those of {names[1]} {shown[1]}. Compare "
                f"models with the same {ends}"
            )


def _examples(data: Data, subject: Subject, passed_over: Tell) -> Iterator[Example]:
    want = _filler(subject, subject.examined.probed.inputs).want(None)
    for file in data.files:
        yield from data.read(file, want, passed_over)


def _filler(subject: Subject, inputs: Sequence[Any]) -> Filler[Any]:
    input_ = subject.examined.reading.input
    return cast(Filler[Any], input_.filler(inputs[input_.position], Fit.STRETCH))


def _left(subject: Subject, inputs: Sequence[AnyArray]) -> Left:
    files = subject.files
    return find_left(subject.path, files.data, files.facts.remembers, inputs)


class _Seer:
    """One model, as the daemon runs it, but that its outputs can be looked at."""

    def __init__(self, subject: Subject) -> None:
        files, options = subject.files, subject.options
        self._reading = subject.examined.reading
        self._model = None
        if self._reading.task.keyword is not None:  # what it hears goes on from window to window
            self._model = build_model(files.name, files, subject.path, options, self._reading)
        self._engine = Engine(
            subject.path, threads=options.threads, remembers=files.facts.remembers
        )
        self._engine.invoke()
        self._engine.feedback = self._reading.feedback
        self._filler = _filler(subject, self._engine.inputs)
        self._filter = Filter(
            self._reading.labels.name,
            threshold=_LEAST_SCORE,
            allowed=None,
            max_results=_MOST_RESULTS,
        )
        self.given: list[AnyArray] = [
            self._engine.input(n) for n in range(len(self._engine.inputs))
        ]

    def look(self, example: Example) -> tuple[Decoded, Sequence[AnyArray], Sequence[Detection]]:
        """What it finds, its outputs as real numbers, and what it detects."""
        if self._model is not None:
            return self._model.infer(example.item).decoded, (), ()
        engine, position = self._engine, self._reading.input.position
        engine.reset_state()
        placement = self._filler.fill(example.item, engine.input_view(position))
        self.given = [engine.input_view(n).copy() for n in range(len(engine.inputs))]
        taken = [engine.input(position)] if self._reading.task.anomaly else []
        engine.invoke()
        outputs = [engine.output(n) for n in range(len(engine.outputs))]
        stored = self._reading.task.stored
        seen = [engine.output_view(n).copy() for n in range(len(outputs))] if stored else outputs
        decoded = self._reading.task.decoder.decode([*seen, *taken])
        found: Sequence[Detection] = ()
        if self._reading.task.name == "detection":
            found = cast(Sequence[Detection], self._filter.apply(decoded, placement))
        return decoded, outputs, found


class _Findings:
    """What both find, added up."""

    def __init__(self, subjects: tuple[Subject, Subject], truth: Truth) -> None:
        self.subjects, self.truth = subjects, truth
        self.agreement = Agreement()
        self.differing: list[Differing] = []
        self.same_best: list[bool] = []
        self.among_best: list[bool] = []
        self._seers = [_Seer(subject) for subject in subjects]
        self._right: list[dict[str, list[tuple[bool, bool]]]] = [{}, {}]
        self._boxes: list[list[Sequence[Detection]]] = [[], []]
        self._objects: list[Sequence[Object]] = []

    @property
    def last(self) -> list[Sequence[AnyArray]]:
        """What the inputs of each model were filled with last."""
        return [seer.given for seer in self._seers]

    def take(self, example: Example) -> None:
        seen = [seer.look(example) for seer in self._seers]
        self.agreement.add(seen[0][0], seen[1][0])
        self._differ(seen[0][1], seen[1][1])
        scores = [_scores(decoded) for decoded, _, _ in seen]
        first, second = scores
        if first is not None and second is not None:
            best = int(first.argmax())
            self.same_best.append(best == int(second.argmax()))
            self.among_best.append(best in _best(second))
        label = self.truth.classes.get(example.file)
        if label is not None:
            for right, subject, own in zip(self._right, self.subjects, scores, strict=True):
                if own is not None:
                    names = [subject.examined.reading.labels.name(n) for n in _best(own)]
                    right.setdefault(label, []).append((names[0] == label, label in names))
        if example.file in self.truth.objects:
            self._objects.append(self.truth.objects[example.file])
            for boxes, (_, _, found) in zip(self._boxes, seen, strict=True):
                boxes.append(found)

    def _differ(self, one: Sequence[AnyArray], other: Sequence[AnyArray]) -> None:
        if LISTS in self.subjects[0].files.facts.operators:
            return  # what lies in one row of one may lie in another row of the other
        if not self.differing:
            names = [tensor.name for tensor in self.subjects[0].examined.probed.outputs]
            self.differing = [Differing(name) for name, _ in zip(names, one, strict=False)]
        for each, a, b in zip(self.differing, one, other, strict=True):
            if a.shape == b.shape:
                each.take(a, b)

    @staticmethod
    def share_of(holds: Sequence[bool]) -> float | None:
        return sum(holds) / len(holds) if holds else None

    def accuracy(self) -> tuple[Accuracy, Accuracy] | None:
        if not self._right[0]:
            return None
        one, other = map(_accuracy, self._right)
        return one, other

    def precision(self) -> tuple[Precision, Precision] | None:
        one, other = (precision(self._objects, boxes) for boxes in self._boxes)
        return None if one is None or other is None else (one, other)


def _accuracy(right: Mapping[str, Sequence[tuple[bool, bool]]]) -> Accuracy:
    every = [each for label in right.values() for each in label]
    by_label = {k: float(np.mean([best for best, _ in each])) for k, each in sorted(right.items())}
    top_1, top_5 = np.mean(every, axis=0).tolist()
    return Accuracy(top_1, top_5, by_label)


def _scores(decoded: Decoded) -> FloatArray | None:
    """Of classes; of words the best that was heard in the window."""
    if isinstance(decoded, ScoredClasses):
        return decoded.scores
    if isinstance(decoded, HeardClasses) and decoded.scores:
        best: FloatArray = np.max(decoded.scores, axis=0)
        return best
    return None


def _best(scores: FloatArray) -> list[int]:
    """The numbers of the five best classes, the best one first."""
    return [int(n) for n in np.argsort(-scores, kind="stable")[:_TOP]]


class _WatchedPair:
    """Both models with all their tensors in sight."""

    def __init__(self, subjects: tuple[Subject, Subject]) -> None:
        one, other = (
            Watched(each.path, each.files.data, each.files.facts.remembers) for each in subjects
        )
        self.losses = Losses(one, other)
        self._filled = [
            (watched.engine, _filler(subject, watched.engine.inputs), subject)
            for watched, subject in zip((one, other), subjects, strict=True)
        ]

    def take(self, example: Example) -> None:
        for engine, filler, subject in self._filled:
            filler.fill(example.item, engine.input_view(subject.examined.reading.input.position))
            engine.invoke()
        self.losses.take()


def _watched(subjects: tuple[Subject, Subject]) -> _WatchedPair:
    """Raises EdgedError."""
    if isinstance(subjects[0].examined.reading.input, StreamInput):
        raise ModelError(
            "the models hear a stream, and layers are compared of models that look at one picture "
            "or window. Leave --layers out"
        )
    return _WatchedPair(subjects)
