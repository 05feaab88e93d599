"""Text that is safe to show wherever it comes out: no control characters, nothing invisible.

An escape sequence would steer a terminal, a line break forge a line of a log, and marks that turn
the direction of writing or do not show at all make text look like what it is not.
"""

from __future__ import annotations

import re

CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
"""Control characters and the separators of lines and paragraphs: a part of a character class that
Python's regular expressions and JSON Schema's read alike, as is the next.
"""
INVISIBLE = r"\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Marks of direction, joints and what else takes no room. Not the two joiners that some scripts
and emoji are spelt with (U+200C, U+200D).
"""
PLAIN = rf"^(?![\s\S]*[{CONTROL}{INVISIBLE}])"
"""A regular expression that all text passes but such as holds one of the above."""

_BLANKS = re.compile(rf"[{CONTROL}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# The last are tags and selectors, which can spell out whole messages behind one visible sign.
_UNSEEN = re.compile(rf"[{INVISIBLE}\U000e0000-\U000e0fff]")
_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")


def plain(text: str) -> str:
    """``text`` with control characters and every kind of blank as a space, a lone surrogate (of a
    file's name) as ``?``, and without what is invisible. Raises TypeError for what is no text: put
    into a string, it would come out as such.
    """
    if not isinstance(text, str):
        raise TypeError(f"a {type(text).__name__} is no text")
    if text.isascii() and text.isprintable():
        return text
    text = _BLANKS.sub(" ", text)
    return _LONE_SURROGATES.sub("?", _UNSEEN.sub("", text))
