"""What a closed type can hold at most: told field by field, and in bytes of JSON.

All of it is read off the types of ``wire``, so it holds for whatever the publisher lets pass.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import inspect

# UTF-8; quotes and backslashes are escaped with one byte more, and control characters not let pass.
_BYTES_PER_CHAR = 4
# A sign and 16 digits with one decimal: longer numbers are written with an exponent, in less.
_DIGITS_BYTES = 20

Limits = Mapping[str, int]
"""What is known beside the types, by a field's path: the largest number of items of a list or
table, or the most bytes of a string with its quotes; 0 of a field that may be left out: it is.
"""


class Field(msgspec.Struct, frozen=True):
    """One field of a message: ``path`` as in ``detections[].label``, and what it may be."""

    path: str
    said: str


def fields(message: type[msgspec.Struct]) -> list[Field]:
    """All fields of a message, those of its parts below them. Raises ValueError: no bounds."""
    return list(_fields(inspect.type_info(message), ""))


def most_bytes(message: type[msgspec.Struct], limits: Limits) -> int:
    """The length of the longest JSON of a message. Raises ValueError for a type without bounds."""
    return _most_bytes(_Bounded(inspect.type_info(message), {}), "", limits)


class _Bounded(msgspec.Struct, frozen=True):
    """A type, and what its ``Meta`` says in ``extra``."""

    type: inspect.Type
    extra: Mapping[str, Any]


def _bounded(found: inspect.Type) -> _Bounded:
    extra: dict[str, Any] = {}
    while isinstance(found, inspect.Metadata):
        extra |= found.extra or {}
        found = found.type
    return _Bounded(found, extra)


# ---- bytes ---------------------------------------------------------------------------------------


def _most_bytes(of: _Bounded, path: str, limits: Limits) -> int:
    found = of.type
    match found:
        case inspect.NoneType():
            return len("null")
        case inspect.BoolType():
            return len("false")
        case inspect.LiteralType():
            return max(len(json.dumps(value)) for value in found.values)
        case inspect.IntType() | inspect.FloatType():
            return _number_bytes(of, path)
        case inspect.StrType(max_length=int(chars)):
            longest = 2 + chars * int(of.extra.get("bytes_per_char", _BYTES_PER_CHAR))
            return min(limits.get(path, longest), longest)
        case inspect.UnionType():
            return max(_most_bytes(_bounded(each), path, limits) for each in found.types)
        case inspect.TupleType():
            items = [_most_bytes(_bounded(each), f"{path}[]", limits) for each in found.item_types]
            return _listed(sum(items), len(items))
        case inspect.VarTupleType(max_length=int(most)):
            count = min(limits.get(path, most), most)
            item = _most_bytes(_bounded(found.item_type), f"{path}[]", limits)
            return _listed(count * item, count)
        case inspect.DictType(max_length=int(most)):
            count = min(limits.get(path, most), most)
            key = _most_bytes(_bounded(found.key_type), f"{path}.*", limits)
            value = _most_bytes(_bounded(found.value_type), f"{path}.*", limits)
            return _listed(count * (key + len(":") + value), count)
        case inspect.StructType():
            parts = [
                len(f'"{field.encode_name}":')
                + _most_bytes(_bounded(field.type), _below(path, field), limits)
                for field in found.fields
                if field.required or limits.get(_below(path, field)) != 0
            ]
            return _listed(sum(parts), len(parts))
    raise ValueError(f"{path or 'a message'} has no bounds: {found}")


def _listed(content: int, count: int) -> int:
    """With its two brackets and the commas between ``count`` items."""
    return 2 + content + max(0, count - 1)


def _number_bytes(of: _Bounded, path: str) -> int:
    found = of.type
    assert isinstance(found, inspect.IntType | inspect.FloatType)
    if "digits" in of.extra:
        return _DIGITS_BYTES
    decimals = 0 if isinstance(found, inspect.IntType) else of.extra.get("decimals")
    if found.ge is None or found.le is None or decimals is None:
        raise ValueError(f"{path} is a number without bounds")
    # Whole floating numbers are written with one decimal.
    point = 0 if isinstance(found, inspect.IntType) else 1 + max(1, decimals)
    return max(len(str(int(end))) for end in (found.ge, found.le)) + point


def _below(path: str, field: inspect.Field) -> str:
    if not path:
        return f"{path}{field.encode_name}"
    return f"{path}.{field.encode_name}"


# ---- words ---------------------------------------------------------------------------------------


def _fields(struct: inspect.Type, path: str) -> Iterator[Field]:
    assert isinstance(struct, inspect.StructType)
    for field in struct.fields:
        place = _below(path, field)
        of = _bounded(field.type)
        yield Field(place, _said(of, place))
        for inner, below in _parts(of, place):
            yield from _fields(inner, below)


def _parts(of: _Bounded, path: str) -> Iterator[tuple[inspect.StructType, str]]:
    """The tables that a field holds, with their paths."""
    found = of.type
    match found:
        case inspect.StructType():
            yield found, path
        case inspect.UnionType():
            for each in found.types:
                yield from _parts(_bounded(each), path)
        case inspect.VarTupleType():
            yield from _parts(_bounded(found.item_type), f"{path}[]")
        case inspect.DictType():
            yield from _parts(_bounded(found.value_type), f"{path}.*")


def _said(of: _Bounded, path: str) -> str:
    found = of.type
    match found:
        case inspect.NoneType():
            return "null"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType():
            return " or ".join(map(str, found.values))
        case inspect.IntType(ge=int(low), le=int(high)):
            return f"whole number, {low:,} to {high:,}"
        case inspect.FloatType(ge=low, le=high) if "digits" in of.extra:
            return f"number, {low:g} to {high:g}, {of.extra['digits']} digits"
        case inspect.FloatType(ge=low, le=high) if low is not None and high is not None:
            count = of.extra["decimals"]
            decimals = f"{count} decimal{'s' if count != 1 else ''}"
            return f"number, {low:,g} to {high:,.0f}, {decimals}"
        case inspect.StrType(max_length=int(most)):
            ascii_only = " (ASCII)" if of.extra.get("bytes_per_char") == 1 else ""
            return f"text of at most {most:,} characters{ascii_only}"
        case inspect.UnionType():
            return " or ".join(_said(_bounded(each), path) for each in found.types)
        case inspect.TupleType():
            items = {_said(_bounded(each), path) for each in found.item_types}
            return f"list of {len(found.item_types)}: {', '.join(sorted(items))}"
        case inspect.VarTupleType(max_length=int(most)):
            item = _said(_bounded(found.item_type), path)
            return f"list of at most {most:,}: {item}"
        case inspect.DictType(max_length=int(most)):
            key, value = _said(_bounded(found.key_type), path), _bounded(found.value_type)
            table = isinstance(value.type, inspect.StructType)  # its fields are told themselves
            each = "" if table else f", each value a {_said(value, path)}"
            return f"table of at most {most:,}; each name a {key}{each}"
        case inspect.StructType():
            return "table"
    raise ValueError(f"{path} has no bounds: {found}")
