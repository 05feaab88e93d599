"""Golden results written into a sidecar, with all else as it was."""

from __future__ import annotations

import sys

import pytest

from edged.errors import ConfigError, MissingExtra
from edged.store.golden_tables import (
    ExpectTable,
    GoldenTable,
    ObjectTable,
    PersonTable,
    RegionTable,
    ValueTable,
    WordTable,
)
from edged.store.sidecar import parse_sidecar
from edged.workshop.recorded import refuse_missing, with_golden

TABLES = (
    GoldenTable("m.golden/a.png", ExpectTable("cat", 0.5)),
    GoldenTable("m.golden/b.png", ExpectTable(detections=(ObjectTable("c", 0.5, (0, 0.2, 1, 1)),))),
    GoldenTable("m.golden/c.csv", ExpectTable(values=(ValueTable("error", 1.5, 0.1),))),
    GoldenTable("m.golden/d.png", ExpectTable(people=(PersonTable(0.9, {"left eye": (0.1, 1)}),))),
    GoldenTable("m.golden/e.png", ExpectTable(regions=(RegionTable('a "b"', 1),), tolerance=0.2)),
    GoldenTable("m.golden/f.wav", ExpectTable(words=(WordTable("yes", 0.75),))),
    GoldenTable("m.golden/g.wav", ExpectTable(words=())),
)
NAMES = [table.input for table in TABLES]


def test_what_is_written_is_what_is_read() -> None:
    made = with_golden(b"", "m.toml", TABLES, [])
    assert parse_sidecar(made, "m.toml").goldens == TABLES


def test_comments_and_keys_stay_and_so_do_golden_inputs_of_another_hand() -> None:
    text = """\
# my model
labels = ["a", "b"]   # two

[golden]  # by hand
input = "cat.png"  # the cat
expect = {label = "cat"}

# about the input
[input]
mean = 127.5 # m
std = 127.5
"""
    once = with_golden(text.encode(), "m.toml", TABLES, NAMES)
    again = with_golden(once, "m.toml", TABLES[:1], NAMES)
    assert (
        again.decode()
        == """\
# my model
labels = ["a", "b"]   # two

[[golden]]
input = "m.golden/a.png"
expect = {label = "cat", score = 0.5, tolerance = 0.1}

[[golden]]
input = "cat.png"  # the cat
expect = {label = "cat"}

# about the input
[input]
mean = 127.5 # m
std = 127.5
"""
    )


@pytest.mark.parametrize(
    "text",
    [
        'golden = {input = "x.npy", expect = {label = "cat"}} # c\nlabels = ["a"]\n',
        'golden = [{input = "x.npy", expect = {label = "cat"}}]\nlabels = ["a"]',
        'golden.input = "x.npy"\ngolden.expect.label = "cat"\nlabels = ["a"]',
        '[golden]\ninput = "x.npy"\n[golden.expect]\nlabel = "cat"\n[input]\ncolour = "rgb"',
        '[[golden]]\ninput = "x.npy"\nexpect.label = "cat"\n[outputs]\nboxes = 1',
        '\ufefflabels = ["a"]\r\n[[golden]]\r\ninput = "x.npy"\r\nexpect.label = "cat"\r\n',
    ],
)
def test_however_it_is_written_all_of_it_stays(text: str) -> None:
    before = parse_sidecar(text.encode(), "m.toml")
    made = parse_sidecar(with_golden(text.encode(), "m.toml", TABLES[:2], NAMES), "m.toml")
    assert set(made.goldens) == {*before.goldens, *TABLES[:2]}
    assert (made.labels, made.input, made.outputs) == (before.labels, before.input, before.outputs)


def test_a_sidecar_that_is_no_toml_is_told() -> None:
    with pytest.raises(ConfigError, match=r"m\.toml: end of document: not TOML"):
        with_golden(b"labels = [", "m.toml", TABLES, [])


def test_what_is_missing_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    with pytest.raises(MissingExtra) as failed:
        refuse_missing()
    assert str(failed.value) == (
        "tomlkit, which keeps comments as they are, is not installed. Install it with: "
        "pip install 'edged[workshop]'"
    )
