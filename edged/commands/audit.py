"""``edged audit``: how what the daemon can send, write and read is told."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ..audit import Audit, Sent
from ..audit_files import Place
from ..publish.bounds import Field
from ..toml_text import printable

_WIDTH = 80


def as_json(found: Audit) -> dict[str, Any]:
    """All of it, as plain values; numbers that nothing bounds are null."""
    plain: dict[str, Any] = msgspec.to_builtins(found)
    for sent, topic in zip(found.sends, plain["sends"], strict=True):
        topic["most_bytes_per_hour"] = sent.most_bytes_per_hour
    plain["most_bytes_per_hour"] = found.most_bytes_per_hour
    return plain


def as_text(found: Audit) -> Iterator[str]:
    """Lines for a person, of at most 80 columns as far as names allow."""
    yield f"sends, over MQTT: these topics only, no message over {found.most_payload_bytes:,} bytes"
    for sent in found.sends:
        yield from _topic(sent)
    yield from _wrapped("", _total(found), "  ")
    kept = (
        f"after the broker was away also what was kept for it, at most "
        f"{_size(found.most_kept_bytes)}, results of pipelines that were taken out since among it"
    )
    yield from _wrapped("", kept, "  ")
    yield from _messages(found.sends)
    yield ""
    yield from _places("hears", [Place(heard.topic, heard.what) for heard in found.hears])
    yield from _places("connects to", found.connects)
    yield from _places("listens on", found.listens)
    yield from _places("writes", found.writes)
    yield from _places("reads", found.reads)


def _topic(sent: Sent) -> Iterator[str]:
    yield f"  {printable(sent.topic)}"
    kept = "retained" if sent.retained else "not retained"
    over = " (longer ones are refused)" if sent.refused_over else ""
    yield f"    {kept}, QoS {sent.qos}, at most {sent.most_bytes:,} bytes{over}"
    if sent.most_per_hour is None:
        told = f"no bound by the configuration: {sent.why}"
    else:
        told = (
            f"at most {sent.most_per_hour:,} an hour, {_size(sent.most_bytes_per_hour)}: {sent.why}"
        )
    yield from _wrapped("    ", told, "    ")


def _total(found: Audit) -> str:
    unbounded = [sent.topic for sent in found.sends if sent.most_per_hour is None]
    if not unbounded:
        return f"in all at most {_size(found.most_bytes_per_hour)} an hour"
    return f"in all: no bound by the configuration, because of {', '.join(unbounded)}"


def _messages(sends: Sequence[Sent]) -> Iterator[str]:
    """The fields of each kind of message, once; those that are alike and beside each other in one
    line.
    """
    for kind, sent in {sent.kind: sent for sent in sends}.items():
        yield ""
        yield f"what a message of {kind} holds, and nothing else"
        for (table, said), alike in itertools.groupby(sent.fields, _table_and_said):
            names = ", ".join(field.path.removeprefix(table) for field in alike)
            yield from _wrapped("  ", f"{table}{names}: {said}", "      ")


def _table_and_said(field: Field) -> tuple[str, str]:
    """``detections[].`` of ``detections[].label``, and what it may be."""
    return field.path[: field.path.rfind(".") + 1], field.said


def _places(verb: str, places: Iterable[Place]) -> Iterator[str]:
    listed = list(places)
    yield verb if listed else f"{verb} nothing"
    last = ""
    for place in listed:
        yield f"  {printable(place.where)}"
        if place.what != last:
            yield from _wrapped("      ", place.what, "      ")
        last = place.what


def _size(count: int | None) -> str:
    """A rounded-up number of bytes."""
    assert count is not None
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{-(-count * 10 // size) / 10:,.1f} {unit}"
    return f"{count} bytes"


def _wrapped(start: str, text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(text),
        _WIDTH,
        initial_indent=start,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
