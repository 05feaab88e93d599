"""What a task is: what is told of it, how a model's outputs might be read, how they are."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from . import Decoder
from .outputs import Output

LEARN_S = 600.0
REFRACTORY_S = 2.0
SLIDING_WINDOW = 1
THRESHOLD = 0.5


class Activation(enum.Enum):
    """What makes scores of 0..1 out of the output's numbers."""

    NONE = "none"
    SOFTMAX = "softmax"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Learning:
    """How an anomaly detector comes to its threshold: from ``learn_s`` seconds, or as told."""

    learn_s: float
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Keyword:
    """When a word is heard: the mean of its last ``sliding_window`` scores is over ``threshold``,
    and it has not been heard for ``refractory_s`` seconds.
    """

    sliding_window: int = SLIDING_WINDOW
    refractory_s: float = REFRACTORY_S
    threshold: float = THRESHOLD


@dataclass(frozen=True, slots=True)
class Told:
    """What a sidecar or a manifest tells: the task, the outputs' roles as positions or names, the
    activation, when a word is heard, and how anomalies are told from the usual. ``input_shape`` is
    not told but the input's.
    """

    task: str | None = None
    roles: Mapping[str, int | str] = field(default_factory=dict)
    activation: Activation | None = None
    keyword: Keyword = Keyword()
    learning: Learning = Learning(LEARN_S)
    input_shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """How a model is run. ``classes`` is None where the outputs do not say how many there are.

    ``labels_output`` is the output whose embedded labels name the classes. ``threshold`` is what
    holds where a pipeline gives none: scores over it are published. ``numbers`` is how many a
    regression gives. ``stored``: the decoder takes the outputs as they are stored, without a copy.
    ``keyword`` None: it listens for no words; ``anomaly`` None: it is no anomaly detector.
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


class Sure(enum.IntEnum):
    """What a reading rests on, the weakest first."""

    SHAPES = 1
    NAMES = 2
    OPERATOR = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way in which a model's outputs might be read, and what speaks for it. To take it is the
    same as to be told ``task``, so the line in a sidecar does what the reading does.
    """

    task: str
    why: str
    sure: Sure

    @property
    def line(self) -> str:
        """What a sidecar says to choose it."""
        return f'task = "{self.task}"'


class TaskModule(Protocol):
    """What each file of a task has."""

    def find(self, outputs: Sequence[Output], told: Told) -> Iterable[Candidate]:
        """The ways in which the outputs might be of this task, by what they are. Where they could
        be read but for something that has to be told, ``read`` says so.
        """

    def read(self, outputs: Sequence[Output], told: Told) -> Task:
        """The task, once it is known to be this one. Raises ModelError where that cannot be."""
