"""Signals that come while the daemon starts. It is held up where it reads a file of its own."""

from __future__ import annotations

import os
import signal
import time

import pytest
from household import House, five_seconds
from patience import PATIENCE_S

EYE = 'name = "eye"\nmodel = "classifier_uint8"\n'
SYNTHETIC = '[pipelines.source]\nkind = "synthetic"'
LEDGER = "store/ledger.json"  # read before most is imported, and again once all is


class HeldUp:
    """A file of the state directory whose reader waits until it is let go."""

    def __init__(self, house: House, name: str) -> None:
        self._path = house.directory / "state" / name
        self._path.parent.mkdir(parents=True)
        os.mkfifo(self._path)
        self._end = -1

    def wait(self) -> None:
        """Until it is being read."""
        deadline_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                self._end = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:  # there is no reader yet
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
            else:
                return

    def let_go(self, content: bytes) -> None:
        """This is what it reads, now and later."""
        self._path.unlink()
        self._path.write_bytes(content)
        os.write(self._end, content)
        os.close(self._end)


@pytest.fixture
def eye(house: House) -> House:
    """With one pipeline, and without a broker."""
    house.model("classifier_uint8")
    house.configure(1, EYE + SYNTHETIC)
    return house


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_anything_is_opened_is_over_at_once(
    number: signal.Signals, eye: House
) -> None:
    ledger = HeldUp(eye, LEDGER)
    daemon = eye.run()
    ledger.wait()
    daemon.signal(number)
    assert daemon.wait(five_seconds()) == 0
    assert daemon.lines == []


@pytest.mark.parametrize("file", ["events.json", "home-assistant.json", "anomaly.json"])
def test_a_stop_in_the_middle_of_the_opening_steps_is_clean_and_opens_no_camera(
    file: str, eye: House
) -> None:
    read = HeldUp(eye, file)
    daemon = eye.run()
    read.wait()
    daemon.signal(signal.SIGTERM)
    read.let_go(b"[]")
    assert daemon.wait(five_seconds()) == 0
    assert any(line.endswith(" stopping") for line in daemon.lines), daemon.lines
    assert not any("pipeline" in line for line in daemon.lines), daemon.lines


def test_a_reload_that_is_asked_for_during_the_start_is_done_after_it(eye: House) -> None:
    ledger = HeldUp(eye, LEDGER)
    daemon = eye.run()
    ledger.wait()  # the configuration has been read
    eye.configure(1, EYE + SYNTHETIC, EYE.replace("eye", "second") + SYNTHETIC)
    daemon.signal(signal.SIGHUP)
    ledger.let_go(b"{}")
    daemon.wait_for_line("reloaded: started second")
    assert daemon.stop() == 0
