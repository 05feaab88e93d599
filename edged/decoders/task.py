"""What a task is: what is told of it, how a model's outputs might be read, how they are."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from ..errors import ModelError
from ..records.models import AnchorTable
from . import Decoder
from .outputs import Output, shown

LEARN_S = 600.0
REFRACTORY_S = 2.0
SLIDING_WINDOW = 1
THRESHOLD = 0.5


class Activation(enum.Enum):
    """What makes scores of 0..1 out of the output's numbers."""

    NONE = "none"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


class Learning(msgspec.Struct, frozen=True):
    """How an anomaly detector comes to its threshold: from ``learn_s`` seconds, or as told."""

    learn_s: float
    threshold: float | None = None


class Keyword(msgspec.Struct, frozen=True):
    """When a word is heard: the mean of its last ``sliding_window`` scores is over ``threshold``,
    and it has not been heard for ``refractory_s`` seconds.
    """

    sliding_window: int = SLIDING_WINDOW
    refractory_s: float = REFRACTORY_S
    threshold: float = THRESHOLD


class DetectionTold(msgspec.Struct, frozen=True):
    """What is told of a detector: ``layout`` (of ``layouts.LAYOUTS``), whether ``coordinates`` are
    shares of the input or its pixels, the ``scales`` of boxes that are differences from anchors and
    whether the first of their scores is the ``background``'s; when a box goes for another (``iou``,
    ``agnostic``). None: not told.

    ``names`` are those of the classes, by the output that tells these; ``anchors`` are the tables
    of so many that the file holds. ``exported`` is how many classes an exporter that is known to
    write shares of the input says there are.
    """

    layout: str | None = None
    coordinates: Literal["normalised", "pixels"] | None = None
    scales: tuple[float, float, float, float] | None = None
    background: bool | None = None
    iou: float | None = None
    agnostic: bool = False
    names: Callable[[int], Sequence[str]] = lambda output: ()
    anchors: Callable[[int], Sequence[AnchorTable]] = lambda count: ()
    exported: int | None = None


class Told(msgspec.Struct, frozen=True):
    """What a sidecar or a manifest tells: the task, the outputs' roles as positions or names, the
    activation, when a word is heard, how anomalies are told from the usual, and how boxes are.
    ``input_shape`` is not told but the input's.
    """

    task: str | None = None
    roles: Mapping[str, int | str] = msgspec.field(default_factory=dict)
    activation: Activation | None = None
    keyword: Keyword = Keyword()
    learning: Learning = Learning(LEARN_S)
    detection: DetectionTold = DetectionTold()
    input_shape: tuple[int, ...] = ()


class Task(msgspec.Struct, frozen=True):
    """How a model is run. ``classes`` is None where the outputs do not say how many there are.

    ``labels_output`` is the output whose embedded labels name the classes. ``threshold`` is what
    holds where a pipeline gives none: scores over it are published. ``numbers`` is how many a
    regression gives. ``stored``: the decoder takes the outputs as they are stored, without a copy.
    ``keyword`` None: it listens for no words; ``anomaly`` None: it is no anomaly detector.
    ``names`` are the classes' where nothing else names them. ``from_0_to_1``: pixels are scaled to
    this where nothing else says how.
    """

    name: str
    why: str
    decoder: Decoder
    classes: int | None
    labels_output: int
    threshold: float | None = THRESHOLD
    numbers: int = 0
    stored: bool = False
    keyword: Keyword | None = None
    anomaly: Learning | None = None
    names: tuple[str, ...] = ()
    from_0_to_1: bool = False


class Sure(enum.IntEnum):
    """What a reading rests on, the weakest first."""

    SHAPES = 1
    NAMES = 2
    OPERATOR = 3


class Candidate(msgspec.Struct, frozen=True):
    """One way in which a model's outputs might be read, and what speaks for it. To take it is the
    same as to be told ``task``, and of a detection the ``layout``, so the line in a sidecar does
    what the reading does.
    """

    task: str
    why: str
    sure: Sure
    layout: str | None = None

    @property
    def line(self) -> str:
        """What a sidecar says to choose it."""
        return f'outputs.layout = "{self.layout}"' if self.layout else f'task = "{self.task}"'


def best_of(found: Iterable[Candidate], outputs: Sequence[Output], fits: str) -> Candidate:
    """The one that rests on most. Raises ModelError where several do, and where there is none;
    ``fits``: what the outputs should do then.
    """
    ranked = sorted(found, key=lambda one: -one.sure)
    if not ranked:
        raise ModelError(f"its outputs {fits}: {shown(outputs)}")
    best = [one for one in ranked if one.sure == ranked[0].sure]
    if len(best) > 1:
        ways = "; ".join(f"{one.task} ({one.why})" for one in best)
        lines = ", or ".join(one.line for one in best)
        raise ModelError(
            f"its outputs could be read in {len(best)} ways: {ways}. Add the line of the right one "
            f"to its .toml file: {lines}"
        )
    return best[0]


class TaskModule(Protocol):
    """What each file of a task has."""

    def find(self, outputs: Sequence[Output], told: Told) -> Iterable[Candidate]:
        """The ways in which the outputs might be of this task, by what they are. Where they could
        be read but for something that has to be told, ``read`` says so.
        """

    def read(self, outputs: Sequence[Output], told: Told) -> Task:
        """The task, once it is known to be this one. Raises ModelError where that cannot be."""
