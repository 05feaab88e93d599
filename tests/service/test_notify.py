"""The protocol of sd_notify(3), heard at the other end of a real socket."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_manager import Manager

from edged.service.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.close()


def test_it_speaks_the_protocol(manager: Manager) -> None:
    notifier = Notifier(manager.address, now_ns=lambda: 12_345_678_901)
    notifier.extend_start(30)
    notifier.ready()
    notifier.status("1 of 2 pipelines run;\nfront: no camera\ud800")
    notifier.alive()
    notifier.reloading()
    notifier.stopping()
    assert [manager.next() for _ in range(6)] == [
        ["EXTEND_TIMEOUT_USEC=30000000"],
        ["READY=1"],
        ["STATUS=1 of 2 pipelines run; front: no camera?"],
        ["WATCHDOG=1"],
        ["RELOADING=1", "MONOTONIC_USEC=12345678"],
        ["STOPPING=1"],
    ]


def test_a_socket_may_have_an_abstract_name(tmp_path: Path) -> None:
    manager = Manager(f"@edged-test-{os.getpid()}")
    try:
        Notifier(manager.address).ready()
        assert manager.next() == ["READY=1"]
    finally:
        manager.close()


def test_without_a_manager_it_says_nothing(manager: Manager) -> None:
    notifier = Notifier.taken_from({"WATCHDOG_USEC": "1000000"})
    notifier.ready()
    assert notifier.watchdog_s is None
    assert manager.hears_nothing()


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "notify"])
def test_only_a_socket_of_this_machine_is_spoken_to(address: str) -> None:
    notifier = Notifier.taken_from({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    notifier.ready()
    assert notifier.watchdog_s is None


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("30000000", "", 30.0),
        ("1500000", "own", 1.5),
        ("30000000", "1", None),  # another process is watched
        ("0", "", None),
        ("", "", None),
        ("-1", "", None),
        ("soon", "", None),
    ],
)
def test_the_watchdog_is_the_manager_s_wish(usec: str, pid: str, seconds: float | None) -> None:
    pid = str(os.getpid()) if pid == "own" else pid
    environ = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    assert Notifier.taken_from(environ).watchdog_s == seconds


def test_no_child_can_speak_for_the_daemon() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2", "HOME": "/"}
    Notifier.taken_from(environ)
    assert environ == {"HOME": "/"}
    script = (
        "import os, subprocess, sys; from edged.service.notify import Notifier; "
        "Notifier.taken_from(os.environ); "
        "subprocess.run([sys.executable, '-c', 'import os; print(sorted(os.environ))'])"
    )
    command = [sys.executable, "-c", script]
    own = {**os.environ, "NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2"}
    ran = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    assert "HOME" in ran.stdout
    assert "NOTIFY_SOCKET" not in ran.stdout
    assert "WATCHDOG" not in ran.stdout


def test_a_manager_that_is_gone_is_told_of_once_and_does_no_harm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "edged.service")
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.ready()
    notifier.alive()
    assert len(caplog.records) == 1
    assert "the service manager cannot be told anything" in caplog.text


def test_a_manager_that_does_not_read_is_told_of_once_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edged.service.notify._SEND_TIMEOUT_S", 0.001)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier(str(tmp_path / "notify"))
        for _ in range(1000):
            notifier.alive()
            if caplog.messages:
                break
        notifier.alive()
    assert caplog.messages == ["the service manager cannot be told anything: timed out"]
