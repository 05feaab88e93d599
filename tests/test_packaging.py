"""What the Debian package adds to edged, as far as that can be told without building it."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edged.cli import make_parser
from edged.config import parse_config

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = (ROOT / "packaging/edged.toml").read_text()


def described(kind: str) -> str:
    # Where packages are built there is Python, and nothing that the daemon depends on.
    command = [sys.executable, "-S", ROOT / "packaging/describe.py", kind]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_configuration_that_is_shipped_shows_the_bundled_model_at_work() -> None:
    [pipeline] = parse_config(SHIPPED.encode(), "edged.toml").pipelines

    assert (ROOT / f"edged/models/{pipeline.model}.tflite").is_file()


def test_all_that_is_commented_out_in_it_is_right() -> None:
    whole = re.sub(r"^# (?=\[|[a-z_]+ = )", "", SHIPPED, flags=re.MULTILINE)

    config = parse_config(whole.encode(), "edged.toml")

    assert [pipeline.name for pipeline in config.pipelines] == ["front", "shapes"]
    assert config.mqtt.tls is not None
    assert config.models.require_signature


def test_the_manual_page_names_every_command() -> None:
    page = described("man").replace("\\-", "-")

    for command in ("run", "check", "model add", "model rollback", "schema"):
        assert f"\n.B edged {command} " in page + " "
    assert "@" not in page


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["edged", "ch"], {"check"}),
        (
            ["edged", "model", ""],
            {
                "add",
                "catalog",
                "compare",
                "convert",
                "inspect",
                "list",
                "quantize",
                "rollback",
                "test",
            },
        ),
        (["edged", "schema", "he"], {"health"}),
        (["edged", "run", "--conf"], {"--config"}),
    ],
)
def test_bash_completes(words: list[str], offered: set[str]) -> None:
    # What the package bash-completion brings is in short here.
    initial = """complete() { :; }
        _filedir() { :; }
        _init_completion() { cur=${words[cword]} prev=${words[cword - 1]}; }
        """
    function = described("bash").replace("local cur prev words cword ", "local ")
    line = " ".join(f"'{word}'" for word in words)
    call = f'words=({line}) cword={len(words) - 1}; _edged; echo "${{COMPREPLY[@]}}"'
    command = ["bash", "-c", f"{initial}\n{function}\n{call}"]

    done = subprocess.run(command, check=True, capture_output=True, text=True)

    assert offered <= set(done.stdout.split())
    assert all(word.startswith(words[-1]) for word in done.stdout.split())


def test_the_unit_gives_way_only_to_a_wrong_configuration_and_to_the_end() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[method-assign, assignment]
    unit.read(ROOT / "systemd/edged.service")

    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == "0 78"


def test_every_command_is_completed() -> None:
    completion = described("bash")

    for action in make_parser()._subparsers._group_actions:  # type: ignore[union-attr]
        assert action.choices is not None
        for command in action.choices:
            assert f"'{command}') offered=" in completion
