"""Which broker, prefix and device are watched."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from edged.cli_watch import add_watch_command, target
from edged.publish.settings import MqttSettings

CONFIG = """
[device]
id = "garden-pi"
[mqtt]
host = "broker"
topic_prefix = "home/eyes"
session_expiry_s = 60
[[pipelines]]
model = "m"
[pipelines.source]
kind = "synthetic"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "edged.toml"
    path.write_text(CONFIG)
    return path


def found(*arguments: object) -> tuple[MqttSettings, str, str]:
    parser = argparse.ArgumentParser()
    parser.add_argument("-c", "--config", type=Path)
    add_watch_command(parser)
    return target(parser.parse_args([str(argument) for argument in arguments]))


def test_the_configurations_device_is_watched(config: Path) -> None:
    settings, prefix, device = found("-c", config)
    assert (settings.host, settings.port) == ("broker", 1883)
    assert (prefix, device) == ("home/eyes", "garden-pi")
    assert found("-c", config, "--all")[2] == "+"
    assert found("-c", config, "shed-pi")[2] == "shed-pi"


def test_it_has_a_client_id_of_its_own_and_leaves_no_session_behind(config: Path) -> None:
    one, other = found("-c", config)[0], found("-c", config)[0]
    assert re.fullmatch("edged-watch-[0-9a-f]{8}", one.client_id)
    assert one.client_id != other.client_id
    assert one.session_expiry_s == 0


def test_with_a_host_no_configuration_is_read(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("secret\n")
    settings, prefix, device = found(
        "--host", "pi", "--username", "me", "--password-file", password
    )
    assert (settings.host, settings.port, settings.tls) == ("pi", 1883, None)
    assert (settings.username, settings.password) == ("me", "secret")
    assert (prefix, device) == ("edged", "+")
    assert found("--host", "pi", "--prefix", "a/b", "shed-pi")[1:] == ("a/b", "shed-pi")
    assert found("--host", "pi", "--port", 1234)[0].port == 1234


def test_tls_trusts_the_systems_authorities_or_only_one() -> None:
    with_tls = found("--host", "pi", "--tls")[0]
    assert with_tls.port == 8883
    assert with_tls.tls is not None
    assert with_tls.tls.ca_file is None
    own = found("--host", "pi", "--ca-file", "ca.crt", "--port", 8884)[0]
    assert own.tls is not None
    assert (own.port, own.tls.ca_file) == (8884, Path("ca.crt"))
