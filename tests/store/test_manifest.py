"""The manifests of micro wake word models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edged.errors import ConfigError
from edged.store.manifest import Manifest, MicroTable, parse_manifest

# As the package pymicro-wakeword 2.5.0 has it.
OKAY_NABU: dict[str, Any] = {
    "type": "micro",
    "wake_word": "Okay Nabu",
    "author": "Kevin Ahrendt",
    "website": "https://www.kevinahrendt.com/",
    "model": "okay_nabu.tflite",
    "trained_languages": ["en", "nl", "fr", "de", "it", "es", "sv"],
    "version": 2,
    "micro": {
        "probability_cutoff": 0.85,
        "feature_step_size": 10,
        "sliding_window_size": 5,
        "tensor_arena_size": 37000,
        "minimum_esphome_version": "2024.7.0",
    },
}


def problems(text: bytes | str | dict[str, Any]) -> list[str]:
    if isinstance(text, dict):
        text = json.dumps(text)
    with pytest.raises(ConfigError) as caught:
        parse_manifest(text.encode() if isinstance(text, str) else text, "nabu.json")
    return [problem.removeprefix("nabu.json: ") for problem in caught.value.problems]


def without(*path: str) -> dict[str, Any]:
    """The manifest less one key."""
    copy = json.loads(json.dumps(OKAY_NABU))
    table = copy
    for key in path[:-1]:
        table = table[key]
    del table[path[-1]]
    return dict(copy)


def changed(micro: bool = False, **keys: Any) -> dict[str, Any]:
    """The manifest with other values, of its ``micro`` table where that is said."""
    if micro:
        return {**OKAY_NABU, "micro": {**OKAY_NABU["micro"], **keys}}
    return {**OKAY_NABU, **keys}


def test_what_says_how_the_model_is_run_comes_out_typed() -> None:
    found = parse_manifest(json.dumps(OKAY_NABU).encode(), "nabu.json")
    assert found == Manifest("micro", "Okay Nabu", 2, MicroTable(0.85, 5, 10))


def test_keys_for_other_programs_are_left_alone() -> None:
    more = changed(nonsense={"deep": [1]}, author=None)
    assert parse_manifest(json.dumps(more).encode(), "nabu.json").wake_word == "Okay Nabu"


def test_a_byte_order_mark_is_passed_over() -> None:
    text = b"\xef\xbb\xbf" + json.dumps(OKAY_NABU).encode()
    assert parse_manifest(text, "nabu.json").version == 2


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (without("wake_word"), "wake_word: missing; add the word, in quotes"),
        (without("version"), "version: missing; add one of 2"),
        (without("micro"), "micro: missing; add a table"),
        (
            without("micro", "sliding_window_size"),
            "micro.sliding_window_size: missing; add a whole number from 1 to 1000",
        ),
        (
            changed(micro=True, probability_cutoff="high"),
            'micro.probability_cutoff: "high" is not allowed; a number from 0 to 1',
        ),
        (
            changed(micro=True, sliding_window_size=0),
            "micro.sliding_window_size: 0 is not allowed; a whole number from 1 to 1000",
        ),
        (
            changed(micro=True, feature_step_size=20),
            "micro.feature_step_size: 20 is not supported; edged gives a model features every "
            "10 ms",
        ),
        (changed(wake_word=""), 'wake_word: "" is not allowed; the word, in quotes'),
        (changed(version=3), "version: 3 is not allowed; one of 2"),
        (
            changed(version=1),
            "of version 1; edged runs models of version 2: get the model as such",
        ),
        (
            changed(type="macro"),
            'no manifest of a micro wake word model ("type": "micro"); keep it elsewhere',
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_key(manifest: dict[str, Any], told: str) -> None:
    assert problems(manifest) == [told]


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(problems({**OKAY_NABU, "wake_word": 1, "micro": {}})) == 4


@pytest.mark.parametrize("text", [b"", b"{", b'{"type": "\xff"}', b"nabu", b"[" * 100_000])
def test_what_is_no_json_is_told(text: bytes) -> None:
    (told,) = problems(text)
    assert told.startswith("not JSON that can be read (")


@pytest.mark.parametrize("text", ["[]", "1", "null", '{"coco": 1}'])
def test_other_json_beside_a_model_is_told(text: str) -> None:
    told = 'no manifest of a micro wake word model ("type": "micro"); keep it elsewhere'
    assert problems(text) == [told]
