"""Prints what goes with the ``edged`` command, out of its own parser: ``describe.py man|bash``.

The manual page (man(7)) and the completion for bash are made when a package is built, and so are
never behind the command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT))

from edged import __version__  # noqa: E402
from edged.cli import make_parser  # noqa: E402

_TAKES_FILES = "FILE"


def commands(
    root: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser, str]]:
    """All commands below ``root`` in order: the words, the parser, and what its help says."""
    for action in root._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield (*path, name), below, told.get(name, "")
                yield from commands(below, (*path, name))


# ---- the manual page -----------------------------------------------------------------------------


def man_page(root: argparse.ArgumentParser) -> str:
    template = (_ROOT / "packaging" / "edged.1.in").read_text()
    listed = []
    for _, parser, told in commands(root):
        if any(isinstance(action, argparse._SubParsersAction) for action in parser._actions):
            continue
        usage = parser.format_usage().removeprefix("usage: ")
        usage = " ".join(usage.split()).replace("[-h] ", "").replace("[--debug] ", "")
        listed.append(f".TP\n.B {_roff(usage)}\n{_roff(_sentence(told))}")
        for action in parser._actions:
            if action.dest not in ("help", "debug", "config") and action.help:
                name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
                told_of = _sentence(parser._get_formatter()._expand_help(action))
                listed.append(f".RS\n.PP\n.B {_roff(name)}\n{_roff(told_of)}\n.RE")
    return template.replace("@VERSION@", __version__).replace("@COMMANDS@", "\n".join(listed))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + ("" if text.endswith("?") else ".")


def _roff(text: str) -> str:
    """Hyphens that can be copied, and no line that begins with a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


# ---- bash ----------------------------------------------------------------------------------------


def completion(root: argparse.ArgumentParser) -> str:
    """A function that walks the words of the line to the command, then offers what that takes."""
    cases = [_case("", root)]
    cases += [_case(" ".join(words), parser) for words, parser, _ in commands(root)]
    known = " | ".join(f'"{" ".join(words)}"' for words, _, _ in commands(root))
    return f"""# bash completion for edged
_edged() {{
    local cur prev words cword command='' word offered='' files=no
    _init_completion || return
    for word in "${{words[@]:1:cword-1}}"; do
        case "${{command:+$command }}$word" in
            {known})
                command="${{command:+$command }}$word" ;;
        esac
    done
    case "$prev" in
        -c | --config) _filedir; return ;;
    esac
    case "$command" in
{chr(10).join(cases)}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$cur")
    if [[ $files = yes && $cur != -* ]]; then _filedir; fi
}}
complete -F _edged edged
"""


def _case(words: str, parser: argparse.ArgumentParser) -> str:
    offered: list[str] = []
    files = False
    for action in parser._actions:
        offered += action.option_strings
        if not action.option_strings:
            offered += map(str, action.choices or ())
            files = files or _TAKES_FILES in str(action.metavar)
    also = " files=yes" if files else ""
    return f"        '{words}') offered='{' '.join(offered)}'{also} ;;"


if __name__ == "__main__":
    kinds = {"man": man_page, "bash": completion}
    if len(sys.argv) != 2 or sys.argv[1] not in kinds:
        sys.exit(f"usage: describe.py {'|'.join(kinds)}")
    sys.stdout.write(kinds[sys.argv[1]](make_parser()))
