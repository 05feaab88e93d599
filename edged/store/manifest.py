"""``NAME.json``: the manifest that micro wake word models carry.

Its format is ESPHome's (component ``micro_wake_word``, manifests of version 2)::

    {"type": "micro", "version": 2, "wake_word": "Okay Nabu",
     "micro": {"probability_cutoff": 0.85, "sliding_window_size": 5, "feature_step_size": 10}}

It has more keys, for other programs (author, model, tensor_arena_size); they are left alone.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ..errors import ConfigError
from ..toml_text import MAX_SHOWN, printable
from ..toml_types import Problem, Table
from ..typed_toml import typed

STEP_MS = 10


class MicroTable(Table, frozen=True, forbid_unknown_fields=False):
    """How the model is run. The word is heard when the mean of the last ``sliding_window_size``
    probabilities is over ``probability_cutoff``; ``feature_step_size`` is in ms.
    """

    probability_cutoff: Annotated[float, Meta(ge=0, le=1)]
    sliding_window_size: Annotated[int, Meta(ge=1, le=1000)]
    feature_step_size: int

    @classmethod
    def conflicts(cls, table: Mapping[str, Any]) -> Iterator[Problem]:
        """What gives the features has one step only."""
        step = table.get("feature_step_size")
        if isinstance(step, int) and step != STEP_MS:
            reason = f"{step} is not supported; edged gives a model features every {STEP_MS} ms"
            yield Problem("feature_step_size", reason)


class Manifest(Table, frozen=True, forbid_unknown_fields=False):
    """The whole file."""

    type: Literal["micro"]
    wake_word: Annotated[str, Meta(min_length=1, description="the word, in quotes")]
    version: Literal[2]
    micro: MicroTable


def parse_manifest(text: bytes, file_name: str) -> Manifest:
    """A manifest's text; ``file_name`` is for messages. Raises ConfigError with all problems."""
    name = printable(file_name)
    try:
        tree = msgspec.json.decode(text.removeprefix(codecs.BOM_UTF8))
    except (ValueError, RecursionError) as error:  # msgspec's own is a ValueError
        reason = f"not JSON that can be read ({printable(str(error), MAX_SHOWN)}); copy it again"
        raise ConfigError([f"{name}: {reason}"]) from error
    if not isinstance(tree, dict) or tree.get("type") != "micro":
        reason = 'no manifest of a micro wake word model ("type": "micro"); keep it elsewhere'
        raise ConfigError([f"{name}: {reason}"])
    if tree.get("version") == 1:
        # Its features come every 20 ms and are made in another way.
        reason = "of version 1; edged runs models of version 2: get the model as such"
        raise ConfigError([f"{name}: {reason}"])
    return typed(tree, file_name, Manifest)
