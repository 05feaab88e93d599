"""TOML files as plain trees, and how messages show what was found in them.

Everything that comes from a file may be huge or hostile: it is shortened and its control
characters are escaped, so that a problem stays one line.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from pathlib import Path
from typing import Any

from .errors import ConfigError

MAX_BYTES = 1 << 20
MAX_SHOWN = 60

_HINTS = {
    "invalid value": "; text needs quotes around it",
    "cannot overwrite a value": "; the key is there twice",
}
"""What the words of ``tomllib`` most often mean."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def read_file(path: Path) -> bytes:
    """The bytes of a small file. Raises ConfigError, or FileNotFoundError: what that means and
    what to do about it is for the caller to say.
    """
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise ConfigError([f"{name}: is a directory; name the file in it"]) from error
    except PermissionError as error:
        reason = "may not be read by the user that runs edged; change its owner or mode"
        raise ConfigError([f"{name}: {reason}"]) from error
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); check the path and the disk"
        raise ConfigError([f"{name}: {reason}"]) from error
    if len(text) > MAX_BYTES:
        raise ConfigError([f"{name}: is over {MAX_BYTES} bytes; is it the right file?"])
    return text


def parse_tree(text: bytes, file_name: str) -> dict[str, Any]:
    """TOML as plain dicts and lists. Raises ConfigError that says where it is broken."""
    name = printable(file_name)
    text = text.removeprefix(codecs.BOM_UTF8)
    try:
        return tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        before = text[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        reason = f"byte 0x{text[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([f"{name}: line {line}, byte {column}: {reason}"]) from error
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).rpartition(" (at ")
        what = printable(what[:1].lower() + what[1:], 2 * MAX_SHOWN)
        reason = f"not TOML: {what}{_HINTS.get(what, '')}"
        raise ConfigError([f"{name}: {where.removesuffix(')')}: {reason}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{name}: lists or tables lie too deep in one another"]) from error
    except ValueError as error:  # int() refuses thousands of digits
        raise ConfigError([f"{name}: a number has too many digits"]) from error


def printable(text: str, limit: int = 1000) -> str:
    """``text`` with whatever does not print escaped, shortened to about ``limit`` characters."""
    short = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


def shown(value: object) -> str:
    """A value of a TOML tree as a message shows it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{printable(value, MAX_SHOWN)}"'
        case int() if value.bit_length() > 64:
            return f"a number of {value.bit_length()} bits"
        case []:
            return "an empty list"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
    return printable(str(value), MAX_SHOWN)


def join_path(table: str, key: str) -> str:
    """The path of ``key`` in the table at the path ``table`` ("" is the file itself)."""
    part = key if _BARE_KEY.fullmatch(key) and len(key) <= MAX_SHOWN else shown(key)
    return f"{table}.{part}" if table else part
