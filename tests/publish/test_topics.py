"""The one list of what is published: complete, closed, bounded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect

from edged.config import Mqtt
from edged.errors import MessageRefused
from edged.publish import Context, bounds
from edged.publish.messages import encode, status, topic_of
from edged.publish.topics import HEARD, PUBLISHED
from edged.publish.wire.fields import Closed
from edged.publish.wire.kinds import KINDS, TYPES
from edged.records.published import Record
from edged.records.results import Result

CLOSED = [each for entry in PUBLISHED for each in entry.types]


def test_every_record_has_exactly_one_entry_and_every_entry_a_record() -> None:
    entries = Counter(entry.record for entry in PUBLISHED if entry.kind != "status")
    assert entries == Counter(get_args(Record))


def test_every_entry_says_how_its_record_becomes_a_message_and_of_which_type() -> None:
    for entry in PUBLISHED:
        assert bool(entry.types) == bool(entry.converts) != bool(entry.words), entry.kind
    assert len({entry.topic for entry in PUBLISHED}) == len(PUBLISHED)
    listed = {entry.kind: entry.types for entry in PUBLISHED if entry.types}
    assert listed == {kind: TYPES[kind] for kind in KINDS}, "each has a schema, and no other"


class Snapshot(msgspec.Struct, frozen=True):
    """What a careless change might add."""

    pipeline: str
    pixels: bytes


class Dressed(Result, frozen=True):
    """A result with something under its coat."""

    pixels: bytes = b"pixels"


def test_what_has_no_entry_cannot_be_published(
    context: Context, a_result: Callable[..., Result]
) -> None:
    good = a_result(0)
    values = msgspec.structs.asdict(good)
    for record in (Snapshot("front", b"pixels"), Dressed(**values), None, b"pixels", [good]):
        with pytest.raises(MessageRefused, match="was not sent: only records are"):
            encode(record, context)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["", "a/b", "+", "a#", "a\nb", "\x1b[2J", "a\u202eb", "x" * 201, None, b"front", 7]
)
def test_a_name_that_is_no_level_of_a_topic_is_refused(
    name: Any, context: Context, a_result: Callable[..., Result]
) -> None:
    with pytest.raises(MessageRefused, match="its pipeline has no proper name"):
        topic_of(a_result(0, pipeline=name), context)


@pytest.mark.parametrize("word", [b"", b"Online", b"online\n", b"pixels" * 1000])
def test_a_status_is_one_of_two_words(word: bytes, context: Context) -> None:
    with pytest.raises(MessageRefused, match="no word that a status may be"):
        status(context, word)


def test_what_a_message_needs_is_a_key_of_the_configuration() -> None:
    keys = {field.name for field in inspect.type_info(Mqtt).fields}  # type: ignore[attr-defined]
    assert {entry.needs for entry in (*PUBLISHED, *HEARD)} <= {None, *keys}


@pytest.mark.parametrize("message", CLOSED)
def test_every_type_is_closed_and_bounded_in_all_its_parts(message: type[Closed]) -> None:
    assert bounds.most_bytes(message, {}) > 0
    assert bounds.fields(message)
    for found in types_in(inspect.type_info(message)):
        match found:
            case inspect.StructType():
                assert found.forbid_unknown_fields, found
            case inspect.StrType():
                assert found.max_length is not None, found
                assert found.pattern is not None, found
                for sign in "\x00\n\x1b\x7f\x85\u2028\u202e\u2066\ufeff\u200b":
                    assert not re.search(found.pattern, f"a{sign}a"), (found, sign)
            case _:
                kinds = (inspect.AnyType, inspect.RawType, inspect.BytesType, inspect.CustomType)
                assert not isinstance(found, (*kinds, inspect.ByteArrayType)), found


def types_in(found: inspect.Type) -> Iterator[inspect.Type]:
    """A type and all that it is made of."""
    yield found
    parts: list[inspect.Type] = []
    match found:
        case inspect.Metadata():
            parts = [found.type]
        case inspect.UnionType():
            parts = list(found.types)
        case inspect.StructType():
            parts = [field.type for field in found.fields]
        case inspect.TupleType():
            parts = list(found.item_types)
        case inspect.VarTupleType() | inspect.ListType():
            parts = [found.item_type]
        case inspect.DictType():
            parts = [found.key_type, found.value_type]
    for part in parts:
        yield from types_in(part)
