from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, field

from edged.errors import EXIT_CONFIG, ConfigError
from edged.toml_text import MAX_BYTES, read_file
from edged.toml_types import Library, Location, Problem, Table
from edged.typed_toml import MAX_PROBLEMS, json_schema, parse


class Cat(Table, frozen=True, tag_field="kind", tag="cat"):
    lives: Annotated[int, Meta(ge=1, le=9)] = 9


class Dog(Table, frozen=True, tag_field="kind", tag="dog"):
    tail: float = 0.5


class Sample(Table, frozen=True):
    whole: Annotated[int, Meta(ge=0)] = 0
    number: Annotated[float, Meta(gt=0)] = 1.0
    free: float = 0.0
    flag: bool = False
    text: Annotated[str, Meta(max_length=8, pattern="^[a-z]*$", description="a to z")] = ""
    choice: Literal["left", "right"] = "left"
    level: Literal[0, 1, 2] = 0
    numbers: Annotated[tuple[float, ...], Meta(max_length=3, description="up to 3 numbers")] = ()
    pair: tuple[int, int] = (1, 2)
    either: Annotated[int | tuple[int, ...] | None, Meta(description="one or more")] = None
    options: dict[str, str | int | float | bool] = field(default_factory=dict)
    path: Path | None = None
    location: Location | None = None
    library: Library | None = None
    pet: Cat | Dog | None = None
    pets: tuple[Cat | Dog, ...] = ()


class Strict(Table, frozen=True):
    needed: Annotated[int, Meta(ge=1)]
    other: int = 0
    refused = {"secret": "belongs elsewhere"}  # noqa: RUF012 - a Table's class attribute

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        if "needed" in table and table["needed"] == table.get("other"):
            yield Problem("other", "the same as needed")


class Nest(Table, frozen=True):
    inner: tuple[Strict, ...]


def problems(text: str | bytes, table: type[Table] = Sample) -> list[str]:
    """What is told of a text; nothing where it is read."""
    try:
        parse(text.encode() if isinstance(text, str) else text, "x.toml", table)
    except ConfigError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("whole = -1", "whole: -1 is not allowed; a whole number of 0 or above"),
        ("whole = 1.0", "whole: 1.0 is not allowed; a whole number of 0 or above"),
        ("whole = true", "whole: true is not allowed; a whole number of 0 or above"),
        ("number = 0", "number: 0 is not allowed; a number above 0"),
        ("number = nan", "number: nan is not allowed; a number above 0"),
        ("number = inf", "number: inf is not allowed; a number above 0"),
        ("free = false", "free: false is not allowed; a number"),
        ("flag = 0", "flag: 0 is not allowed; true or false"),
        ("text = 1979-05-27", "text: 1979-05-27 is not allowed; a to z"),
        ('text = "ABC"', 'text: "ABC" is not allowed; a to z'),
        ('choice = "up"', 'choice: "up" is not allowed; one of "left", "right"'),
        (
            'choice = "Rigth"',
            'choice: "Rigth" is not allowed; one of "left", "right"; did you mean "right"?',
        ),
        ("level = 1.0", "level: 1.0 is not allowed; one of 0, 1, 2"),
        ("level = true", "level: true is not allowed; one of 0, 1, 2"),
        ("numbers = [1, 2, 3, 4]", "numbers: a list of 4 is not allowed; up to 3 numbers"),
        ('numbers = [1, "2"]', 'numbers[1]: "2" is not allowed; a number'),
        ("pair = [1]", "pair: a list of 1 is not allowed; a list of 2"),
        ("pair = [1, 2.5]", "pair[1]: 2.5 is not allowed; a whole number"),
        ("either = true", "either: true is not allowed; one or more"),
        ("either = [1, true]", "either[1]: true is not allowed; a whole number"),
        ("options = []", "options: an empty list is not allowed; a table"),
        (
            "options.'a b' = []",
            'options."a b": an empty list is not allowed; '
            "text in quotes or a whole number or a number or true or false",
        ),
        ('path = "a\\u0000"', 'path: "a\\x00" is not allowed; a path, in quotes'),
        ("pet = 1", "pet: 1 is not allowed; a table"),
        ("pet = {}", 'pet.kind: missing; add one of "cat", "dog"'),
        (
            'pet.kind = "cta"',
            'pet.kind: "cta" is not allowed; one of "cat", "dog"; did you mean "cat"?',
        ),
        ("pet.kind = []", 'pet.kind: an empty list is not allowed; one of "cat", "dog"'),
        (
            'pets = [{kind = "dog"}, {kind = "cat", lives = 10}]',
            "pets[1].lives: 10 is not allowed; a whole number from 1 to 9",
        ),
        ('pets = [{kind = "dog", lives = 3}]', "pets[0].lives: unknown key; allowed here: tail"),
    ],
)
def test_what_is_not_allowed_is_told_with_its_path_and_what_is(text: str, line: str) -> None:
    assert problems(text) == [f"x.toml: {line}"]


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("number = 3", "number", 3.0),
        ("either = 3", "either", 3),
        ("either = [3, 4]", "either", (3, 4)),
        ("pair = [3, 4]", "pair", (3, 4)),
        ("level = 2", "level", 2),
        ('pet = {kind = "dog", tail = 1}', "pet", Dog(tail=1.0)),
        ("options = {a = 1, b = true, c = 'd'}", "options", {"a": 1, "b": True, "c": "d"}),
        ('path = "/a/b"', "path", Path("/a/b")),
        ('path = "b"', "path", Path("/etc/edged/b")),
        ('location = "b.mp4"', "location", "/etc/edged/b.mp4"),
        ('location = "rtsp://cam/1"', "location", "rtsp://cam/1"),
        ('library = "edgetpu"', "library", "edgetpu"),
        ('library = "lib/x.so"', "library", "/etc/edged/lib/x.so"),
    ],
)
def test_what_is_allowed_comes_out_typed(text: str, key: str, value: object) -> None:
    got = getattr(parse(text.encode(), "/etc/edged/x.toml", Sample), key)
    assert got == value
    assert isinstance(got, type(value))


def test_an_unknown_key_gets_a_suggestion_or_the_list_of_keys() -> None:
    assert problems("needed = 2\nneded = 1\nzzz = 1", Strict) == [
        'x.toml: neded: unknown key; did you mean "needed"?',
        "x.toml: zzz: unknown key; allowed here: needed, other",
    ]


def test_a_refused_key_gets_its_own_sentence_and_its_value_is_not_shown() -> None:
    assert problems('needed = 2\nsecret = "hunter2"', Strict) == [
        "x.toml: secret: belongs elsewhere"
    ]


def test_problems_of_nested_tables_carry_the_whole_path_and_come_all_at_once() -> None:
    text = "[[inner]]\nneeded = 3\nother = 3\n[[inner]]\n[[inner]]\nneeded = 0"
    assert problems(text, Nest) == [
        "x.toml: inner[0].other: the same as needed",
        "x.toml: inner[1].needed: missing; add a whole number of 1 or above",
        "x.toml: inner[2].needed: 0 is not allowed; a whole number of 1 or above",
    ]


def test_conflicts_are_told_beside_other_problems() -> None:
    assert problems("needed = 0\nother = 0", Strict) == [
        "x.toml: needed: 0 is not allowed; a whole number of 1 or above",
        "x.toml: other: the same as needed",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a b", "line 1, column 3: not TOML: expected '=' after a key in a key/value pair"),
        ("a = b", "line 1, column 5: not TOML: invalid value; text needs quotes around it"),
        ("a = [1", "end of document: not TOML: unclosed array"),
        (b"a = 1\nb = '\xff'", "line 2, byte 6: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("a = " + "[" * 9000, "lists or tables lie too deep in one another"),
        ("a = " + "1" * 5000, "a number has too many digits"),
    ],
)
def test_what_is_not_toml_is_told_with_its_place(text: str | bytes, line: str) -> None:
    assert problems(text) == [f"x.toml: {line}"]


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse("\ufeffwhole = 3".encode(), "x.toml", Sample).whole == 3


@pytest.mark.parametrize(
    "text",
    [
        f'text = "{"é" * 20_000}"',
        f"whole = 0x{'f' * 20_000}",
        f"number = 0x{'f' * 20_000}",
        f"numbers = [{'1,' * 20_000}]",
        f'"{"k" * 20_000}" = 1',
        f'choice = "{"left" * 5_000}"',
        f"[{'a.' * 5_000}a]\n[{'a.' * 5_000}a]",
        f"choice = [{'[' * 50}{']' * 50}]",
    ],
)
def test_huge_values_do_not_make_huge_messages(text: str) -> None:
    (line,) = problems(text)
    assert len(line) < 300


def test_control_and_direction_characters_are_escaped() -> None:
    assert problems('text = "\\u001b[31m\\n\\u202e\\u2028é"\n"\\r" = 1') == [
        r'x.toml: text: "\x1b[31m\n\u202e\u2028é" is not allowed; a to z',
        r'x.toml: "\r": unknown key; allowed here: ' + ", ".join(Sample.__struct_fields__),
    ]


def test_a_file_name_with_a_newline_stays_on_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^a\\nb: end of document"):
        parse(b"a = [", "a\nb", Sample)


def test_no_more_problems_are_told_than_anyone_would_read() -> None:
    lines = problems("\n".join(f"k{i} = 1" for i in range(10 * MAX_PROBLEMS)))
    assert len(lines) == MAX_PROBLEMS


def test_problems_end_with_the_exit_status_of_a_wrong_configuration() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b"whole = -1", "x.toml", Sample)
    assert caught.value.exit_status == EXIT_CONFIG == 78


# ---- files -----------------------------------------------------------------------------------


def test_a_missing_file_is_left_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "x.toml")


def test_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; name the file in it"):
        read_file(tmp_path)


def test_a_path_through_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be read \(Not a directory\)"):
        read_file(tmp_path / "file" / "x.toml")


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    class Locked(type(tmp_path)):  # type: ignore[misc]  # root may read anything
        def open(self, *args: object, **kwargs: object) -> object:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(ConfigError, match="may not be read by the user that runs edged"):
        read_file(Locked(tmp_path / "x.toml"))


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"is over {MAX_BYTES} bytes"):
        read_file(Path("/dev/zero"))


# ---- any tree at all ---------------------------------------------------------------------------

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 10),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["cat", "dog", "left", "right", "x"]),
    st.datetimes(),
    st.dates(),
    st.times(),
)
KEYS = st.sampled_from([*Sample.__struct_fields__, "kind", "lives", "tail"]) | st.text(max_size=6)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SCHEMA = jsonschema.Draft202012Validator(json_schema(Sample))
TREES = st.dictionaries(KEYS, VALUES, max_size=8)


def toml(value: object) -> str:
    """A value of a tree as TOML, tables inline."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            escaped = (c if c.isalnum() else f"\\U{ord(c):08x}" for c in value)
            return f'"{"".join(escaped)}"'
        case float():
            return str(value) if math.isfinite(value) else repr(value).replace("'", "")
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{toml(k)} = {toml(v)}' for k, v in value.items())}}}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


@given(TREES)
def test_any_tree_is_read_or_refused_line_by_line_and_the_schema_allows_what_is_read(
    tree: dict[str, Any],
) -> None:
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in tree.items())
    lines = problems(text)
    assert all(line.startswith("x.toml: ") and len(line) < 600 for line in lines)
    assert all(line.isprintable() for line in lines)
    if not lines:
        assert SCHEMA.is_valid(tomllib.loads(text))


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    assert all(line.isprintable() for line in problems(text))
