"""Pipelines that others start: which results do."""

from __future__ import annotations

from dataclasses import dataclass

from .records import Result, labels_of


@dataclass(frozen=True, slots=True)
class Trigger:
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
        """What is waited for, as in ``asleep until ...``."""
        what = "finds something" if self.label is None else f'finds "{self.label}"'
        return f"pipeline {self.pipeline} {what}"
