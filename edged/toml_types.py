"""What typed tables are made of: their base, and the types that TOML itself does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """``path`` is the key's path from the table that tells the problem; ``text`` what is wrong."""

    path: str
    text: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every table."""

    refused: ClassVar[Mapping[str, str]] = {}
    """Unknown keys that deserve a sentence of their own."""

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """What is wrong between keys. ``table`` is as read: its values may be of any type."""
        yield from ()


class Location(str):
    """An absolute path, or an address (``rtsp://...``), which is left as it is."""

    __slots__ = ()


class Library(str):
    """A bare name, or (where it has a ``/``) the absolute path of a shared library."""

    __slots__ = ()


class Written(msgspec.Struct, frozen=True):
    """How a type is written in TOML, and made of what is written.

    ``form`` is an annotation; ``make`` takes the written value and the directory where relative
    paths start.
    """

    form: Any
    make: Callable[[Any, Path], object]


def _text(words: str) -> Any:
    """Text that can be a path, and the words for what it stands for."""
    return Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\x00]*$", description=words)]


WRITTEN: Mapping[type, Written] = {
    Path: Written(_text("a path, in quotes"), lambda text, base: base / text),
    Location: Written(
        _text("a path, or an address such as rtsp://camera/stream, in quotes"),
        lambda text, base: Location(text if "://" in text else base / text),
    ),
    Library: Written(
        _text("a delegate's name, or the path of its library, in quotes"),
        lambda text, base: Library(base / text if "/" in text else text),
    ),
}
