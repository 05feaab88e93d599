"""A demo's own broker: in the process, or mosquitto where that is what is installed."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edged.demo.broker import local_broker
from edged.errors import EdgedError

WITHOUT_AMQTT = """
import sys
sys.modules["amqtt"] = None
from edged.cli import main
sys.exit(main(["demo", "--seconds", "3"]))
"""


@pytest.fixture
def no_amqtt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amqtt", None)
    monkeypatch.setitem(sys.modules, "amqtt.broker", None)


def test_the_bench_takes_the_broker_that_is_light(tmp_path: Path) -> None:
    with local_broker(tmp_path, light=True) as broker:
        assert broker.name == "mosquitto"


@pytest.mark.usefixtures("no_amqtt")
def test_mosquitto_stands_in_for_amqtt_and_ends_with_its_use(tmp_path: Path) -> None:
    with local_broker(tmp_path) as broker:
        assert (broker.name, broker.speaks_5) == ("mosquitto", True)
        socket.create_connection(("127.0.0.1", broker.port), 10).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", broker.port), 10)


@pytest.mark.usefixtures("no_amqtt")
def test_without_either_both_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edged.demo.broker.shutil.which", lambda *_, **__: None)
    with pytest.raises(EdgedError) as told, local_broker(tmp_path):
        pass
    assert str(told.value) == (
        "This needs an MQTT broker on this machine, and none is installed. Install one with: "
        "pip install 'edged[demo]' (or: sudo apt install mosquitto)"
    )


def test_the_demo_runs_where_only_mosquitto_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_AMQTT], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert ", 0 missing in the sequence" in done.stdout
