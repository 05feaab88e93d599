"""Labels: what the numbers of a model's classes are called.

Labels leave the device, so what comes out of here is short and plain. They are cleaned here, once,
when the model is loaded: the list of labels to publish, the golden input's label and the messages
all mean the same text (see ``publishable``).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from ..errors import ModelError
from ..plain_text import plain

_MAX_BYTES = 1_000_000
_MAX_LABELS = 100_000
_MAX_LENGTH = 100

_PLACEHOLDER = "???"
_NO_LABELS = ("", _PLACEHOLDER)
_BACKGROUND = "background"
_NUMBERED = re.compile(r"([0-9]{1,6})(?::\s*|\s+)(\S.*)")


class LabelFile(Protocol):
    """A file of labels, beside the model or inside it."""

    @property
    def name(self) -> str: ...

    @property
    def data(self) -> bytes: ...


class Labels(msgspec.Struct, frozen=True):
    """A model's labels: class ``n`` is called ``names[n + offset]``.

    ``origin`` says where they are from: "sidecar", "labels file NAME", "embedded FILE" or
    "none: class numbers"; and how many of them had to be shortened or cleaned.
    """

    origin: str
    names: tuple[str, ...]
    offset: int

    def name(self, class_id: int) -> str:
        """What a class is called; one that has no label goes by its number. Never raises."""
        place = class_id + self.offset
        name = self.names[place] if 0 <= place < len(self.names) else ""
        return str(class_id) if name in _NO_LABELS else name

    @property
    def known(self) -> tuple[str, ...]:
        """The labels that classes can go by: ``names`` without placeholders."""
        return tuple(name for name in self.names if name not in _NO_LABELS)


def find_labels(
    sidecar: Sequence[str] | None,
    labels_file: LabelFile | None,
    embedded: LabelFile | None,
    classes: int | None,
    label_offset: int | None,
) -> Labels:
    """The labels of a model: the first of the three sources that has some.

    ``classes`` is how many a classification has, None where the model does not tell (detection).
    A ``label_offset`` that is given is taken as it is. Otherwise labels that begin with ``???``
    count from the class before, unless there are as many as classes; and where there is one less
    than classes, class 0 is the background. Raises ModelError for a source that cannot be read.
    """
    origin, names = _first_source(sidecar, labels_file, embedded)
    if label_offset is not None:
        return Labels(origin, names, label_offset)
    if not names or len(names) == classes:
        return Labels(origin, names, 0)
    if len(names) + 1 == classes:
        return Labels(origin, (_BACKGROUND, *names), 0)
    return Labels(origin, names, 1 if names[0] == _PLACEHOLDER else 0)


def publishable(label: str) -> str:
    """A label as it is published and looked for: plain text of at most 100 characters."""
    return plain(label[: 4 * _MAX_LENGTH]).strip()[:_MAX_LENGTH].rstrip()


def nearest(wanted: str, names: Iterable[str]) -> list[str]:
    """The labels that look most like one that the model does not have; at most three."""
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(wanted.casefold(), folded, n=3)
    return [folded[name] for name in close]


def _first_source(
    sidecar: Sequence[str] | None, labels_file: LabelFile | None, embedded: LabelFile | None
) -> tuple[str, tuple[str, ...]]:
    if sidecar:
        return _cleaned(_not_too_many(sidecar, "the sidecar's list of labels"), "sidecar")
    for kind, file in (("labels file", labels_file), ("embedded", embedded)):
        if file is not None:
            origin = f"{kind} {file.name}"
            return _cleaned(_read(file.data, origin), origin)
    return "none: class numbers", ()


def _cleaned(labels: Sequence[str], origin: str) -> tuple[str, tuple[str, ...]]:
    names = tuple(map(publishable, labels))
    changed = sum(name != label for name, label in zip(names, labels, strict=True))
    if changed:
        origin += f" ({changed:,} of {len(names):,} shortened or cleaned)"
    return origin, names


def _read(data: bytes, origin: str) -> Sequence[str]:
    """The labels in a file as they stand there: UTF-8, one a line, or all lines as ``0 person`` or
    ``0: person``; numbers that such lines leave out become ``???``. Raises ModelError, which names
    ``origin``.
    """
    if len(data) > _MAX_BYTES:
        raise ModelError(f"{origin} has {len(data):,} bytes; at most {_MAX_BYTES:,} are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ModelError(f"{origin} is not UTF-8 (line {line}); save it as UTF-8") from error
    lines = [line.strip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return _not_too_many(_numbered(lines) or lines, origin)


def _numbered(lines: Sequence[str]) -> list[str]:
    """The labels of lines that all carry a number, rising from 0; none where they do not.

    They must begin at 0, or a list of banknotes ("5 euro", "10 euro") would count as numbered.
    """
    matches = [_NUMBERED.fullmatch(line) for line in lines if line]
    labels: list[str] = []
    for match in matches:
        number = int(match[1]) if match else -1
        if match is None or number < len(labels) or (not labels and number):
            return []
        labels += [_PLACEHOLDER] * (number - len(labels))
        labels.append(match[2])
    return labels


def _not_too_many(labels: Sequence[str], origin: str) -> Sequence[str]:
    if len(labels) > _MAX_LABELS:
        raise ModelError(f"{origin} has {len(labels):,} labels; at most {_MAX_LABELS:,} are read")
    return labels
