"""The README's configurations, messages and commands are what edged takes and gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from edged.cli import main
from edged.clock import SystemClock
from edged.config import parse_config
from edged.publish import Context
from edged.publish.home_assistant import discovery
from edged.publish.wire.kinds import schema
from edged.records.home_assistant import Announcement, DiscoveryPlace, Entity, EntityKind
from edged.store.sidecar import parse_sidecar

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_its_configurations_and_its_sidecars_are_right() -> None:
    pipelines, sidecars = [], []
    for block in blocks("toml"):
        if "[[pipelines]]" in block:
            pipelines += parse_config(block.encode(), "edged.toml").pipelines
        else:
            sidecars.append(parse_sidecar(block.encode(), "model.toml"))
    assert pipelines[0].labels == ("person", "cat", "dog")
    assert 3 in {sidecar.outputs.count for sidecar in sidecars}
    assert "log-mel" in {sidecar.input.features for sidecar in sidecars}
    assert ("accel_x", "accel_y", "accel_z") in {sidecar.input.channels for sidecar in sidecars}


def test_its_result_is_valid() -> None:
    [result] = blocks("json")
    Draft202012Validator(schema("result")).validate(json.loads(result))


def test_its_announcement_is_the_one_that_is_made() -> None:
    [told] = [
        block for block in blocks("text") if block.startswith("$ mosquitto_sub -t homeassistant")
    ]
    device, rate = map(json.loads, told.splitlines()[1:])
    context = Context("edged", "garden-pi", "c0ffee12", 1, SystemClock(), "0.1.0")
    entity = Entity(EntityKind.RATE, "front")
    os = device["model"].removeprefix("TFLite on ")
    made = discovery(Announcement(DiscoveryPlace("homeassistant", "x"), os, (entity,)), context)
    sent = json.loads(msgspec.json.encode(made))
    assert (device, rate) == (sent["device"], sent["components"]["front-rate"])


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`edged ([a-z]+(?: [a-z]+)?)", README))))
def test_its_commands_are_there(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"edged {command.split()[0]}" in capsys.readouterr().out
