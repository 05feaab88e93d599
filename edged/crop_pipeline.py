"""A pipeline of crops: what ``pipeline`` is for frames, for the objects of another's frames.

    slot -> model, crop by crop -> filter -> presence -> minimiser -> cadence -> publisher

Each crop has a result of its own. Each is a step by itself for the slots, so that the others, the
one whose objects these are among them, wait for one inference and not for all of a frame; where the
model takes any number at once, they are one step.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Sequence

import msgspec

from .cadence import Cadence, Publish
from .engine.geometry import Inset
from .filter import Filter
from .minimise import Minimiser
from .model import Inference, Model
from .pipeline import NS_PER_MS, Pipeline, Serving
from .records.frames import Size
from .records.results import ClassScore, Detection, Finding, Findings, Latency, Result
from .samples import Captured, Crop, Crops

_MOST_TRACKS = 1000


class Looked(msgspec.Struct, frozen=True):
    """What was found in one crop."""

    crop: Crop
    findings: Findings


class CropCadence(Cadence):
    """With ``change`` and ``tracked`` objects each has a cadence of its own, and one that has no
    number yet is not told. Else the crops of a frame are told together or not at all.
    """

    def __init__(self, publish: Publish, interval_s: float, *, tracked: bool) -> None:
        super().__init__(publish, interval_s)
        self._by_track = tracked and publish is Publish.CHANGE
        self._tracks: OrderedDict[int, Cadence] = OrderedDict()  # the one seen last is the last
        self._rule = (publish, interval_s)

    def due_of(self, looked: Sequence[Looked], now_ns: int) -> list[bool]:
        """Of each, whether to publish it."""
        if not looked:
            return []
        if not self._by_track:
            return [self.due(together(looked), now_ns)] * len(looked)
        return [self._due_of_track(each, now_ns) for each in looked]

    def _due_of_track(self, looked: Looked, now_ns: int) -> bool:
        track = looked.crop.of.track
        if track is None:
            return False
        cadence = self._tracks.pop(track, None) or Cadence(*self._rule)
        self._tracks[track] = cadence
        if len(self._tracks) > _MOST_TRACKS:
            self._tracks.popitem(last=False)
        return cadence.due(looked.findings, now_ns)


class CropPipeline(Pipeline):
    """Takes ``Crops`` from its slot, and goes by a ``CropCadence``."""

    def _serve_next(self, frame: Captured, serving: Serving) -> Serving:
        assert isinstance(frame, Crops)
        if frame.crops:
            return super()._serve_next(frame, serving)
        if self._presence is not None:
            self._presence.take((), frame.captured_ns)
        return serving

    def step(self, frame: Captured, model: Model, filter_: Filter) -> None:
        """All crops of a frame. ``preprocess``, ``inference`` and ``decode`` are an equal share of
        what they took, ``wait`` and ``total`` of the whole frame. Raises ModelError, with nothing
        published.
        """
        assert isinstance(frame, Crops)
        taken_ns = time.monotonic_ns()
        inferences, waited_ns = self._infer(frame, model)
        worked_ns = sum(each.worked_ns for each in inferences)
        self._worked_ms = worked_ns / len(inferences) / NS_PER_MS
        looked = [
            Looked(crop, filter_.apply(each.decoded, _placed(each, crop, frame)))
            for crop, each in zip(frame.crops, inferences, strict=True)
        ]
        if self._presence is not None:
            self._presence.take(together(looked), frame.captured_ns)
        if self._minimiser is not None:
            looked = minimised(self._minimiser, looked)
        latency = _latency(frame, inferences, taken_ns + waited_ns)
        assert isinstance(self._cadence, CropCadence)
        due = self._cadence.due_of(looked, time.monotonic_ns())
        published = [each for each, is_due in zip(looked, due, strict=True) if is_due]
        for each in published:
            self._publish_one(each, frame, model, latency)
        for number in range(len(inferences)):
            self.stats.record(latency, published=number < len(published))

    def _infer(self, frame: Crops, model: Model) -> tuple[list[Inference], int]:
        """And for how long it had to wait meanwhile."""
        pictures = frame.pictures()
        if model.takes_batches:
            inferences = model.infer_batch(pictures, self._let_others_work)
            return inferences, sum(each.waited_ns for each in inferences)
        inferences, waited_ns = [], 0
        for number, picture in enumerate(pictures):
            if number:
                waited_ns += self._let_others_go_first()
            inferences.append(model.infer(picture, self._let_others_work))
            waited_ns += inferences[-1].waited_ns
        return inferences, waited_ns

    def _let_others_go_first(self) -> int:
        """Whoever has waited for longer; how long that took."""
        self.busy_since_ns = None
        began_ns = time.monotonic_ns()
        self._turn.end()
        self._turn.begin(began_ns, self._let_others_work)
        self.busy_since_ns = time.monotonic_ns()
        return self.busy_since_ns - began_ns

    def _publish_one(self, looked: Looked, frame: Crops, model: Model, latency: Latency) -> None:
        self._publish(
            Result(
                pipeline=self.name,
                sequence=next(self._sequence),
                captured_ns=frame.captured_ns,
                model=model.ref,
                latency_ms=latency,
                task=model.spec.task,
                findings=looked.findings,
                crop=looked.crop.of,
            )
        )
        self._unsent = True


def _placed(inference: Inference, crop: Crop, frame: Crops) -> Inset:
    assert inference.placement is not None  # it is a picture
    height, width = frame.frame.pixels.shape[:2]
    return Inset(inference.placement, crop.part, Size(width, height))


def together(looked: Sequence[Looked]) -> Findings:
    """What was found in the crops of a frame, as if in the frame: each with classes is an object of
    the best of them.
    """
    found: list[Finding] = []
    for each in looked:
        match each.findings:
            case (ClassScore() as best, *_):
                found.append(Detection(best.label, best.score, each.crop.of.box))
            case _:
                found += each.findings
    return tuple(found)  # type: ignore[return-value]  # a model's findings are all of one kind


def minimised(minimiser: Minimiser, looked: Sequence[Looked]) -> list[Looked]:
    """What may be told; a label counts in all crops of the frame together."""
    among = together(looked)
    counts = Counter(each.label for each in among if isinstance(each, Detection))
    left = []
    for each in looked:
        match each.findings:
            case (ClassScore() as best, *_) if counts[best.label] < minimiser.min_count:
                continue
        left.append(Looked(each.crop, minimiser.apply(each.findings, among)))
    return left


def _latency(frame: Crops, inferences: Sequence[Inference], taken_ns: int) -> Latency:
    now_ns, count = time.monotonic_ns(), len(inferences)
    preprocess_ns = sum(each.preprocess_ns for each in inferences)
    invoke_ns = sum(each.invoke_ns for each in inferences)
    return Latency(
        wait=(taken_ns - frame.arrived_ns) / NS_PER_MS,
        preprocess=preprocess_ns / count / NS_PER_MS,
        inference=invoke_ns / count / NS_PER_MS,
        decode=(now_ns - taken_ns - preprocess_ns - invoke_ns) / count / NS_PER_MS,
        total=(now_ns - frame.arrived_ns) / NS_PER_MS,
    )
