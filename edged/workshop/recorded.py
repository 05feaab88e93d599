"""``[[golden]]`` in ``NAME.toml``: golden results written into it, with all else as it was."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

import msgspec

from ..errors import EdgedError, MissingExtra
from ..store.golden_tables import ExpectTable, GoldenTable
from ..store.sidecar import parse_sidecar
from ..toml_text import parse_tree


def refuse_missing() -> None:
    """Raises MissingExtra where the sidecar could not be written."""
    try:
        import tomlkit  # noqa: F401  (whether it is there)
    except ImportError as error:
        raise MissingExtra("tomlkit, which keeps comments as they are,", "workshop") from error


def with_golden(
    text: bytes, file_name: str, tables: Sequence[GoldenTable], replaced: Sequence[str]
) -> bytes:
    """The sidecar ``text`` with ``tables`` as its golden inputs, and without those that are called
    as in ``replaced``; all others, all comments and all keys stay. Raises ConfigError, EdgedError.
    """
    import tomlkit
    from tomlkit.items import AoT, Table

    before = parse_tree(text, file_name)
    document = tomlkit.parse(text.removeprefix(codecs.BOM_UTF8).decode())
    there = document.get("golden")
    golden = tomlkit.aot()
    # Those that stay come last, as before: a comment under them is about what follows.
    kept = [table for table in _there(there) if table["input"] not in replaced]
    for table in (*map(_written, tables), *kept):
        golden.append(table)
    if isinstance(there, AoT | Table):
        document["golden"] = golden
    else:
        document.pop("golden", None)
        document.append("golden", golden)
    made = tomlkit.dumps(document).encode()
    after = parse_tree(made, file_name)
    if {**before, "golden": None} != {**after, "golden": None}:  # a surprise of its library
        raise EdgedError(f"{file_name} cannot be added to. Move [golden] to its end")
    parse_sidecar(made, file_name)
    return made


def _there(there: Any) -> list[Any]:
    """The golden inputs that it has, as tables for a list of tables."""
    from tomlkit.items import AoT, Table, Trivia

    if there is None:
        return []
    if isinstance(there, dict):
        there = [there]
    tables = there.body if isinstance(there, AoT) else there
    return [
        Table(each.value, Trivia(), is_aot_element=True)
        if isinstance(each, Table)
        else _plain(each)
        for each in tables
    ]


def _plain(values: Any) -> Any:
    """Of what was written inline."""
    import tomlkit

    table = tomlkit.table(is_super_table=False)
    table.update(values.unwrap())
    return table


def _written(golden: GoldenTable) -> Any:
    import tomlkit

    table = tomlkit.table()
    table["input"] = golden.input
    table["expect"] = _inline(_told(golden.expect))
    return table


def _told(expect: ExpectTable) -> dict[str, Any]:
    """Its keys that tell something."""
    plain: dict[str, Any] = msgspec.to_builtins(expect)
    if expect.kind == "values":
        del plain["tolerance"]
    return {key: value for key, value in plain.items() if value is not None}


def _inline(values: Any) -> Any:
    """As inline tables and lists, one in the other."""
    import tomlkit

    if isinstance(values, dict):
        table = tomlkit.inline_table()
        for key, value in values.items():
            table[key] = _inline(value)
        return table
    if isinstance(values, list | tuple):
        array = tomlkit.array()
        array.extend(map(_inline, values))
        return array
    return values
