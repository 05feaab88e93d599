"""The broker's password: where it is read, and that nobody else gets to see it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from household import RED, Daemon, House, images
from patience import PATIENCE_S

Make = Callable[..., Any]
CLASSIFY = 'name = "eye"\nmodel = "classifier_uint8"\n'
PASSWORD = "Zw3rg-im-Kakadu"


@pytest.fixture
def guarded(mosquitto: Make, tmp_path: Path) -> Any:
    """A broker that lets in one user, `edged`, with PASSWORD."""
    path = tmp_path / "passwords"
    command = ["mosquitto_passwd", "-b", "-c", str(path), "edged", PASSWORD]
    subprocess.run(command, check=True, capture_output=True)
    return mosquitto("allow_anonymous false", f"password_file {path}")


def looping(house: House, port: int, *mqtt: str) -> None:
    house.model("classifier_uint8")
    source = images(house.pictures(RED), "loop = true", "fps = 5")
    house.configure(port, CLASSIFY + source, mqtt="\n".join(mqtt))


def shows(daemon: Daemon, secret: str) -> list[str]:
    """The lines with the secret, or with a part of it that is long enough to be one."""
    parts = re.compile("|".join(re.escape(secret[i : i + 6]) for i in range(len(secret) - 5)))
    return [line for line in daemon.lines if parts.search(line)]


def test_a_refused_password_is_told_and_shown_nowhere(house: House, guarded: Any) -> None:
    """Neither in the log at its most talkative nor in anything that the daemon writes."""
    secret = house.directory / "secret"
    secret.write_text("Pl4tsch-wrong-one\n")
    looping(house, guarded.port, 'username = "edged"', 'password_file = "secret"')
    daemon = house.run(None, None, "--debug")

    daemon.wait_for_line("the broker refused the login")
    assert daemon.stop() == 0

    assert daemon.lines
    assert shows(daemon, "Pl4tsch-wrong-one") == []
    written = [path for path in (house.directory / "state").rglob("*") if path.is_file()]
    assert not any(b"Pl4tsch" in path.read_bytes() for path in written)


def test_a_password_that_is_taken_is_published_and_logged_nowhere(
    house: House, guarded: Any
) -> None:
    secret = house.directory / "secret"
    secret.write_text(f"{PASSWORD}\nand a line that is not read\n")
    looping(house, guarded.port, 'username = "edged"', 'password_file = "secret"')
    said: list[bytes] = []
    command = ["mosquitto_sub", "-p", str(guarded.port), "-u", "edged", "-P", PASSWORD]
    with subprocess.Popen([*command, "-t", "#", "-C", "6"], stdout=subprocess.PIPE) as listener:
        daemon = house.run(None, None, "--debug")
        daemon.wait_for_line("Connected to")
        said.append(listener.communicate(timeout=PATIENCE_S)[0])
    assert daemon.stop() == 0

    assert b"edged.info/1" in said[0]
    assert PASSWORD.encode() not in said[0]
    assert shows(daemon, PASSWORD) == []


def test_a_password_comes_from_a_systemd_credential(house: House, guarded: Any) -> None:
    credentials = house.directory / "credentials"
    credentials.mkdir()
    (credentials / "mqtt-password").write_text(PASSWORD)
    looping(house, guarded.port, 'username = "edged"')

    daemon = house.run(None, {"CREDENTIALS_DIRECTORY": str(credentials)})

    daemon.wait_for_line("Connected to")


def test_a_password_file_that_is_not_text_is_refused_without_a_word_of_it(
    house: House, guarded: Any
) -> None:
    secret = house.directory / "secret"
    secret.write_bytes(PASSWORD.encode() + b"\xff\n")
    looping(house, guarded.port, 'username = "edged"', 'password_file = "secret"')

    daemon = house.run(None, None, "--debug")

    assert daemon.wait() == 78
    assert any("is not UTF-8" in line for line in daemon.lines)
    assert shows(daemon, PASSWORD) == []
