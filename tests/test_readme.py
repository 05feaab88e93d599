"""The README's configurations, messages and commands are what edged takes and gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edged.cli import main
from edged.config import parse_config
from edged.publish.wire import schema
from edged.store.sidecar import parse_sidecar

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_its_configuration_and_its_sidecar_are_right() -> None:
    configuration, sidecar = blocks("toml")
    parsed = parse_config(configuration.encode(), "edged.toml")
    assert parsed.pipelines[0].labels == ("person", "cat", "dog")
    assert parse_sidecar(sidecar.encode(), "model.toml").outputs.count == 3


def test_its_result_is_valid() -> None:
    [result] = blocks("json")
    Draft202012Validator(schema("result")).validate(json.loads(result))


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`edged ([a-z]+(?: [a-z]+)?)", README))))
def test_its_commands_are_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"edged {command.split()[0]}" in capsys.readouterr().out
