"""TOML text -> frozen, typed tables; every problem of a file is told at once.

A table is a ``Table`` class. Its annotations say what is allowed (``Annotated[int,
msgspec.Meta(ge=1)]``), a ``description`` says it in words (needed where there is a pattern or a
length), and ``conflicts`` looks at keys that must fit together. The annotations give the JSON
Schema too.

A problem is one line, ``<file>: <key's whole path>: <found> is not allowed; <what is allowed>``.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import msgspec.inspect as mi

from .errors import ConfigError
from .toml_text import MAX_SHOWN, join_path, parse_tree, printable, shown
from .toml_types import WRITTEN, Problem, Table

MAX_PROBLEMS = 100

T = TypeVar("T", bound=Table)


def parse(text: bytes, file_name: str, table: type[T]) -> T:
    """The text of ``file_name`` (as the user gave it: messages show it) as a ``table``.

    Relative paths in it start at the file's directory. Raises ConfigError with all problems.
    """
    return typed(parse_tree(text, file_name), file_name, table)


def typed(tree: dict[str, Any], file_name: str, table: type[T]) -> T:
    """``parse`` for what was read already."""
    found = [
        f"{printable(file_name)}: {problem.path}: {problem.text}"
        for problem in islice(_inside(mi.type_info(table), tree, ""), MAX_PROBLEMS)
    ]
    if found:
        raise ConfigError(found)
    base = Path(file_name).absolute().parent
    return msgspec.convert(
        tree, table, dec_hook=lambda kind, value: WRITTEN[kind].make(value, base)
    )


def json_schema(table: type[Table]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a table. It knows nothing of ``conflicts``."""
    schema = msgspec.json.schema(
        table, schema_hook=lambda kind: msgspec.json.schema(WRITTEN[kind].form)
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def fits(annotation: Any, value: object) -> bool:
    """Whether a value as read is what the annotation allows, leaving its contents aside."""
    return _fits(mi.type_info(annotation), value)


def _problems(kind: mi.Type, value: Any, path: str) -> Iterator[Problem]:
    if _fits(kind, value):
        yield from _inside(kind, value, path)
    else:
        yield _not_allowed(path, value, _allowed(kind), _choices(kind))


def _not_allowed(path: str, value: Any, allowed: str, choices: Collection[Any]) -> Problem:
    return Problem(path, f"{shown(value)} is not allowed; {allowed}{_guess(value, choices)}")


def _choices(kind: mi.Type) -> tuple[Any, ...]:
    match _plain(kind):
        case mi.LiteralType(values=values):
            return values
        case mi.UnionType(types=members):
            return tuple(choice for member in members for choice in _choices(member))
    return ()


def _guess(value: Any, choices: Collection[Any]) -> str:
    """The nearest of the choices as a question, or nothing."""
    if not isinstance(value, str) or len(value) > MAX_SHOWN:
        return ""
    words = [choice for choice in choices if isinstance(choice, str)]
    near = difflib.get_close_matches(value.lower(), words, 1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _plain(kind: mi.Type) -> mi.Type:
    """The kind of what is written in the file."""
    while True:
        match kind:
            case mi.Metadata():
                kind = kind.type
            case mi.CustomType():
                kind = mi.type_info(WRITTEN[kind.cls].form)
            case _:
                return kind


def _fits(kind: mi.Type, value: Any) -> bool:
    """Whether the value is of the kind and within its bounds; its contents are for ``_inside``."""
    match _plain(kind):
        case mi.UnionType(types=members):
            return any(_fits(member, value) for member in members)
        case mi.NoneType():  # TOML has no null: the key is left out
            return False
        case mi.BoolType():
            return isinstance(value, bool)
        case mi.IntType() as whole:
            return _is_whole(value) and _in_range(whole, value)
        case mi.FloatType() as number:
            is_number = _is_whole(value) or (isinstance(value, float) and math.isfinite(value))
            return is_number and _in_range(number, value)
        case mi.StrType(pattern=pattern) as text:
            right = isinstance(value, str) and _long_enough(text, value)
            return right and (pattern is None or re.search(pattern, value) is not None)
        case mi.LiteralType(values=choices):
            return any(type(value) is type(choice) and value == choice for choice in choices)
        case mi.VarTupleType() as items:
            return isinstance(value, list) and _long_enough(items, value)
        case mi.TupleType(item_types=items):
            return isinstance(value, list) and len(value) == len(items)
        case mi.StructType() | mi.DictType():
            return isinstance(value, dict)
    raise TypeError(f"tables cannot hold {kind}")


def _is_whole(value: Any) -> bool:
    """An integer that TOML allows: 64 bits. (``tomllib`` reads any, and a bool is an int.)"""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def _in_range(kind: mi.IntType | mi.FloatType, value: float) -> bool:
    return (
        (kind.ge is None or value >= kind.ge)
        and (kind.gt is None or value > kind.gt)
        and (kind.le is None or value <= kind.le)
    )


def _long_enough(kind: mi.StrType | mi.VarTupleType, value: str | list[Any]) -> bool:
    return (kind.min_length or 0) <= len(value) <= (kind.max_length or math.inf)


def _inside(kind: mi.Type, value: Any, path: str) -> Iterator[Problem]:
    """The problems within a value that itself ``_fits``."""
    match _plain(kind):
        case mi.UnionType(types=members):
            fitting = [member for member in map(_plain, members) if _fits(member, value)]
            tables = [member for member in fitting if isinstance(member, mi.StructType)]
            if len(tables) > 1:
                yield from _inside_one_of(tables, value, path)
            else:
                yield from _inside(fitting[0], value, path)
        case mi.VarTupleType(item_type=item_type):
            for i, item in enumerate(value):
                yield from _problems(item_type, item, f"{path}[{i}]")
        case mi.TupleType(item_types=item_types):
            for i, (item_type, item) in enumerate(zip(item_types, value, strict=True)):
                yield from _problems(item_type, item, f"{path}[{i}]")
        case mi.DictType(value_type=value_type):
            for key, item in value.items():
                yield from _problems(value_type, item, join_path(path, key))
        case mi.StructType() as table:
            yield from _inside_table(table, value, path)


def _inside_one_of(
    tables: list[mi.StructType], value: dict[str, Any], path: str
) -> Iterator[Problem]:
    """The problems of a table whose tag says which of ``tables`` it is."""
    by_tag = {table.tag: table for table in tables}
    key = tables[0].tag_field or ""
    allowed = _one_of(by_tag)
    if key not in value:
        yield Problem(join_path(path, key), f"missing; add {allowed}")
    elif not isinstance(value[key], str) or value[key] not in by_tag:
        yield _not_allowed(join_path(path, key), value[key], allowed, by_tag)
    else:
        yield from _inside_table(by_tag[value[key]], value, path)


def _inside_table(kind: mi.StructType, table: dict[str, Any], path: str) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in kind.fields}
    cls = cast(type[Table], kind.cls)
    for key, value in table.items():
        if key in fields:
            yield from _problems(fields[key].type, value, join_path(path, key))
        elif key != kind.tag_field and cls.__struct_config__.forbid_unknown_fields:
            advice = cls.refused.get(key) or _unknown(key, fields)
            yield Problem(join_path(path, key), advice)
    for key, field in fields.items():
        if field.required and key not in table:
            yield Problem(join_path(path, key), f"missing; add {_allowed(field.type)}")
    for problem in cls.conflicts(table):
        yield Problem(f"{path}.{problem.path}" if path else problem.path, problem.text)


def _unknown(key: str, known: Collection[str]) -> str:
    return "unknown key" + (_guess(key, known) or f"; allowed here: {', '.join(known)}")


def _allowed(kind: mi.Type) -> str:
    """What is allowed, in words."""
    match kind:
        case mi.Metadata(extra_json_schema={"description": str(words)}):
            return words
        case mi.Metadata(type=inner):
            return _allowed(inner)
        case mi.CustomType(cls=cls):
            return _allowed(mi.type_info(WRITTEN[cls].form))
        case mi.UnionType(types=members):
            different = {_allowed(m): m for m in members if not isinstance(m, mi.NoneType)}
            return " or ".join(different)
        case mi.BoolType():
            return "true or false"
        case mi.IntType():
            return f"a whole number{_bounds(kind)}"
        case mi.FloatType():
            return f"a number{_bounds(kind)}"
        case mi.StrType():
            return "text in quotes"
        case mi.LiteralType(values=choices):
            return _one_of(choices)
        case mi.VarTupleType():
            return "a list"
        case mi.TupleType(item_types=items):
            return f"a list of {len(items)}"
    return "a table"


def _bounds(kind: mi.IntType | mi.FloatType) -> str:
    match kind.gt, kind.ge, kind.le:
        case None, None, None:
            return ""
        case None, low, None:
            return f" of {low} or above"
        case low, None, None:
            return f" above {low}"
        case low, None, high if low is not None:
            return f" above {low}, at most {high}"
        case _, low, high:
            return f" from {low} to {high}"


def _one_of(choices: Collection[Any]) -> str:
    return f"one of {', '.join(shown(choice) for choice in choices)}"
