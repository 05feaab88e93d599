from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from edged.config import config_schema, parse_config

CASES = sorted((Path(__file__).parent / "cases" / "config").iterdir())
REFUSED = [case for case in CASES if (case / "expected.txt").exists()]
READ = [case for case in CASES if case not in REFUSED]
# Between keys, or of numbers that JSON does not have: a schema cannot tell.
BEYOND_SCHEMA = re.compile(
    "pipelines-of|reserved|not-for-topics|file-without-username|host-and-hosts|tls-|signature|not-finite"
    "|spool-too-small"
)


def schema_errors(text: bytes) -> list[str]:
    validator = jsonschema.Draft202012Validator(config_schema())
    return [error.message for error in validator.iter_errors(tomllib.loads(text.decode()))]


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(json.dumps(config_schema())))


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
def test_the_schema_allows_what_is_read(case: Path) -> None:
    text = (case / "edged.toml").read_bytes()
    assert parse_config(text, "edged.toml").pipelines
    assert schema_errors(text) == []


@pytest.mark.parametrize(
    "case",
    [c for c in REFUSED if not c.name.startswith("not-") and not BEYOND_SCHEMA.search(c.name)],
    ids=lambda case: case.name,
)
def test_the_schema_refuses_what_it_can(case: Path) -> None:
    assert schema_errors((case / "edged.toml").read_bytes())


def test_every_default_in_the_schema_is_allowed_by_it() -> None:
    schema = json.loads(json.dumps(config_schema()))
    seen = 0
    for table in schema["$defs"].values():
        for key in table["properties"].values():
            if "default" in key:
                seen += 1
                validator = jsonschema.Draft202012Validator({**key, "$defs": schema["$defs"]})
                assert validator.is_valid(key["default"]), key
    assert seen > 20
