"""Text that comes out looks like what it is."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.plain_text import PLAIN, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat", "cat"),
        ("Füße 猫 👩‍👩‍👧 ❤️", "Füße 猫 👩‍👩‍👧 ❤️"),
        ("می‌خواهم", "می‌خواهم"),
        ("a\tb\nc\x00d\x7fe\x85f", "a b c d e f"),
        ("\x1b[31mred\x1b[0m", " [31mred [0m"),
        ("a\u00a0b\u3000c\u2028d", "a b c d"),
        ("gnp\u202egepj", "gnpgepj"),
        ("\ufeffca\u200bt\u2066\u2069", "cat"),
        ("cat\U000e0070\U000e0069\U000e0100", "cat"),
        ("\udcff.tflite", "?.tflite"),
    ],
)
def test_what_does_not_print_becomes_a_space_or_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_all_text_becomes_plain_and_stays_so(text: str) -> None:
    shown = plain(text)
    assert re.search(PLAIN, shown)
    assert plain(shown) == shown
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Zl", "Zp", "Cs"}
    shown.encode()
