from __future__ import annotations

from pathlib import Path

import pytest

from edged.config import (
    Config,
    Mqtt,
    default_config_path,
    models_dir,
    mqtt_password,
    parse_config,
    read_password,
    state_dir,
)
from edged.errors import ConfigError

SHORTEST = b'[[pipelines]]\nmodel = "coco-ssd"\nsource.kind = "synthetic"\n'


def config(text: bytes) -> Config:
    return parse_config(text, "/etc/edged/edged.toml")


# ---- where things are ----------------------------------------------------------------------------


def test_the_config_is_where_the_environment_says_else_in_etc() -> None:
    assert default_config_path({}) == Path("/etc/edged/edged.toml")
    assert default_config_path({"EDGED_CONFIG": ""}) == Path("/etc/edged/edged.toml")
    assert default_config_path({"EDGED_CONFIG": "x.toml"}) == Path("x.toml")


@pytest.mark.parametrize(
    ("text", "environ", "is_root", "expected"),
    [
        ("/s", {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, True, "/var/lib/a"),
        ("/s", {"STATE_DIRECTORY": ""}, True, "/s"),
        ("", {}, True, "/var/lib/edged"),
        ("", {"XDG_STATE_HOME": "/x", "HOME": "/home/u"}, False, "/x/edged"),
        ("", {"XDG_STATE_HOME": "x", "HOME": "/home/u"}, False, "/home/u/.local/state/edged"),
        ("", {"HOME": "/home/u"}, False, "/home/u/.local/state/edged"),
    ],
)
def test_state_is_where_the_contract_says(
    text: str, environ: dict[str, str], is_root: bool, expected: str
) -> None:
    device = f'[device]\nstate_dir = "{text}"\n'.encode() if text else b""
    got = config(device + SHORTEST)
    assert state_dir(got, environ, is_root) == Path(expected)
    assert models_dir(got, environ, is_root) == Path(expected) / "models"


def test_models_are_where_the_file_says() -> None:
    got = config(b'[models]\ndir = "/srv/models"\n' + SHORTEST)
    assert models_dir(got, {"STATE_DIRECTORY": "/s"}, True) == Path("/srv/models")


# ---- the password --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["pass word ", "pass word \n", "pass word \r\n", "pass word \nx"])
def test_a_password_is_the_first_line_of_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(text.encode())
    assert read_password(path) == "pass word "


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            None,
            "there is no such file; write the broker's password into it, or correct "
            "mqtt.password_file",
        ),
        (b"\nhunter2", "its first line is empty; it must be the broker's password"),
        (b"hunter2\xff", "the password is not UTF-8; save it as UTF-8"),
    ],
)
def test_a_password_that_cannot_be_had_is_told_and_never_shown(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_password(path)
    assert caught.value.problems == (f"{path}: {reason}",)
    assert "hunter2" not in repr(caught.value) + repr(caught.value.__cause__)


def test_the_password_is_that_of_the_file_else_systemds_credential(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("from the file\n")
    (tmp_path / "mqtt-password").write_text("from the credential\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    named = Mqtt(username="edged")
    both = Mqtt(username="edged", password_file=tmp_path / "mine")
    assert mqtt_password(both, environ) == "from the file"
    assert mqtt_password(named, environ) == "from the credential"
    assert mqtt_password(named, {}) is None
    assert mqtt_password(named, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}) is None
    assert mqtt_password(Mqtt(), environ) is None


def test_an_empty_credential_is_no_password(tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").write_text("\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert mqtt_password(Mqtt(username="edged"), environ) is None
