"""Pipelines that others start: by which results, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import msgspec

from .records.results import Result, labels_of


class Trigger(msgspec.Struct, frozen=True):
    """Results of ``pipeline`` with ``label``, in capitals or not, or (None) with anything found.

    Each of them starts the pipeline for ``for_s``, or lets it go on for as long from now.
    """

    pipeline: str
    label: str | None
    for_s: float

    def is_in(self, result: Result) -> bool:
        if result.pipeline != self.pipeline:
            return False
        labels = labels_of(result.findings)
        if self.label is None:
            return bool(labels)
        wanted = self.label.casefold()
        return any(label.casefold() == wanted for label in labels)

    def __str__(self) -> str:
        """What is waited for: ``asleep until ...``."""
        what = "finds something" if self.label is None else f'finds "{self.label}"'
        return f"pipeline {self.pipeline} {what}"


class Alarm:
    """Says whether a pipeline is to run now. One thread waits, any may wake it."""

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._changed = threading.Condition()
        self._until_ns = 0
        self._retired = False

    def wake(self, for_s: float) -> None:
        """Let it run for so long from now, or for longer where it was woken before."""
        with self._changed:
            self._until_ns = max(self._until_ns, self._now_ns() + round(for_s * 1e9))
            self._changed.notify_all()

    def retire(self) -> None:
        """Nobody will wake it any more."""
        with self._changed:
            self._retired = True
            self._changed.notify_all()

    @property
    def awake(self) -> bool:
        return self._now_ns() < self._until_ns

    @property
    def over(self) -> bool:
        """Whether it sleeps, and will not wake again."""
        return self._retired and not self.awake

    def wait(self) -> bool:
        """Until it is woken; False: it is over."""
        with self._changed:
            self._changed.wait_for(lambda: self.awake or self._retired)
            return self.awake
