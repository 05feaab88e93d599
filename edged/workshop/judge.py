"""How far a quantised model finds what its float one finds, by the daemon's way of a frame."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from ..errors import NotFinite
from ..loading import build_model
from ..model import Model
from ..records.decoded import Decoded
from ..store.models import read_model_files
from .agreement import Agreement
from .calibration import Progress, chosen
from .data import Data, Example
from .quiet import quiet
from .scratch import scratch
from .subject import Subject

MOST_EXAMPLES = 200


class Judge:
    """Holds candidates against the float model of ``subject``, on some of the data."""

    def __init__(
        self, subject: Subject, data: Data, beside: Mapping[str, bytes], progress: Progress
    ) -> None:
        """``beside``: what will lie beside the candidates. Raises EdgedError."""
        self._subject, self._data, self._progress = subject, data, progress
        self._beside = beside
        self._expected = self._found_by(subject.files.data, "running the float model")

    @property
    def examples(self) -> int:
        return len(self._expected)

    def agreement(self, candidate: bytes) -> float:
        """0 to 1. Raises EdgedError where the candidate cannot serve."""
        agreement = Agreement()
        found = self._found_by(candidate, "running the quantised model")
        for one, other in zip(self._expected, found, strict=True):
            agreement.add(one, other)
        return agreement.share

    def _found_by(self, data: bytes, doing: str) -> list[Decoded]:
        name, options = self._subject.files.name, self._subject.options
        with scratch(name, data, self._beside) as path:
            files = read_model_files(path)
            with quiet():
                model = build_model(name, files, path, options, None)
            examples = chosen(
                self._data, model.want(None), MOST_EXAMPLES, lambda _: None, self._progress, doing
            )
            return [found for each in examples if (found := _infer(model, each)) is not None]


def _infer(model: Model, example: Example) -> Decoded | None:
    """None for a window that holds values that are no numbers."""
    try:
        return copy.deepcopy(model.infer(example.item).decoded)
    except NotFinite:
        return None
