"""Two networks joined by a cable: the daemon's, where all is captured, and the broker's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from captured import Packet, read_capture
from household import House
from patience import PATIENCE_S

PORT = 18830


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S)


class Network:
    """Network namespaces named for this process; ``inside`` and ``outside`` are the commands that
    run something in the daemon's and in the broker's.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        name = f"edged{os.getpid()}"
        self._names = (f"{name}d", f"{name}b")
        self.inside = ("ip", "netns", "exec", self._names[0])
        self.outside = ("ip", "netns", "exec", self._names[1])
        self.address, self.broker = "10.186.0.2", "10.186.0.1"
        self._capture = directory / "all.pcap"
        self._said = threading.Condition()
        self._lines: list[str] = []  # what the capture and the broker have said
        self._running: list[subprocess.Popen[str]] = []
        self._readers: list[threading.Thread] = []

    def open(self) -> None:
        """Raises OSError or CalledProcessError where it is not allowed."""
        ours, theirs = self._names
        for name in self._names:
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        cable = ("type", "veth", "peer", "name", "cable", "netns", theirs)
        _run("ip", "-n", ours, "link", "add", "cable", *cable)
        for name, address in ((ours, self.address), (theirs, self.broker)):
            _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "cable")
            _run("ip", "-n", name, "link", "set", "cable", "up")
        # A way to everywhere, so that whatever would be sent anywhere is seen.
        _run("ip", "-n", ours, "route", "add", "default", "via", self.broker)

    def start(self) -> None:
        """Start the capture, then the broker."""
        # Room for a thousand packets of any size, so that none is lost while tcpdump has to wait.
        tcpdump = ("tcpdump", "--interface", "any", "-n", "-U", "-s", "65535", "-B", "65536")
        now = ("--immediate-mode", "-w", str(self._capture))
        self._start((*self.inside, *tcpdump, *now), "listening on")
        config = self._directory / "broker.conf"
        config.write_text(f"user root\nlistener {PORT} {self.broker}\nallow_anonymous true\n")
        path = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        assert path is not None, "mosquitto is not installed: run scripts/test"
        self._start((*self.outside, path, "-v", "-c", str(config)), "running")

    def wait_for(self, holds: Callable[[Sequence[str]], bool]) -> None:
        """Until it holds for the lines that the broker has logged."""
        with self._said:
            assert self._said.wait_for(lambda: holds(self._lines), PATIENCE_S), self._lines[-9:]

    def end_capture(self) -> list[Packet]:
        """All that was captured up to now: until a packet of our own has been."""
        script = "import socket, sys; socket.socket(type=2).sendto(b'the end', (sys.argv[1], 9))"
        send = (*self.outside, sys.executable, "-c", script, self.address)
        subprocess.run(send, check=True, timeout=PATIENCE_S)
        deadline_s = time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while b"the end" not in self._capture.read_bytes():
            assert time.monotonic() < deadline_s, "the capture has stalled"
            pause.wait(0.01)
        packets = read_capture(self._capture)
        ends = [packet.kind.endswith("port 9") for packet in packets]
        return packets[: ends.index(True)]

    def close(self) -> None:
        for process in self._running:
            process.kill()
            process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        for name in self._names:
            subprocess.run(("ip", "netns", "delete", name), capture_output=True, check=False)

    def _start(self, command: tuple[str, ...], said: str) -> None:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._running.append(process)
        self._readers.append(threading.Thread(target=self._read, args=(process,)))
        self._readers[-1].start()
        self.wait_for(lambda lines: any(said in line for line in lines))

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                with self._said:
                    self._lines.append(line.rstrip())
                    self._said.notify_all()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """Skips the test where namespaces are not allowed."""
    for program in ("ip", "tcpdump"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: scripts/test installs it")
    if os.geteuid() != 0:
        pytest.skip("only root may make network namespaces: run scripts/test as root")
    made = Network(tmp_path)
    try:
        made.open()
    except subprocess.CalledProcessError as error:
        made.close()
        pytest.skip(f"network namespaces are not allowed here: {error.stderr.strip()}")
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.end()
