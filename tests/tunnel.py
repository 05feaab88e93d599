"""A network between two network namespaces whose weather is ours: packets get lost, wait, queue.

Both ends are TUN devices, and a thread of ours carries each IP packet from one to the other. So a
cut is what pulling a cable is: packets are dropped and nothing is told to anybody. (The kernel's
own netem would do as well, and is not in every kernel.)
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from select import POLLIN, poll

NEAR, FAR = "10.66.0.1", "10.66.0.2"
_NAMES = {NEAR: "near0", FAR: "far0"}
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_MOST_QUEUED_S = 2.0  # what would have to wait longer is dropped, as by a router
_MARK = "EDGED_TEST_NAMESPACE"


@dataclass(frozen=True, slots=True)
class Weather:
    """Of both directions, if not said otherwise. Losses are shares of the packets.

    ``rate_bytes_s`` 0: no limit.
    """

    loss_to_near: float = 0.0
    loss_to_far: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    rate_bytes_s: float = 0.0


FINE = Weather()
CUT = Weather(loss_to_near=1.0, loss_to_far=1.0)


def enter_namespace() -> str | None:
    """Begin this program again in a network namespace of its own; call it first of all.

    Returns when that is done already, with None, or when it cannot be, with the reason.
    """
    if os.environ.pop(_MARK, None):
        _ip("link", "set", "lo", "up")
        return None
    reason = _why_not()
    if reason is None:
        command = [*_unshare(), sys.executable, *sys.argv]
        os.execvpe(command[0], command, {**os.environ, _MARK: "1"})
    return reason


def _why_not() -> str | None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun is not there, or not for us"
    try:
        subprocess.run([*_unshare(), "ip", "link"], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        return f"{error.filename} is not installed"
    except subprocess.CalledProcessError as error:
        return f"no network namespace can be made: {error.stderr.strip()}"
    return None


def _unshare() -> list[str]:
    return ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]


class Tunnel:
    """This namespace is the near end; ``prefix`` runs a command at the far one. ``weather`` may be
    set at any time and holds for the packets that come from then on.
    """

    def __init__(self, chances: random.Random) -> None:
        self.weather = FINE
        self.carried = self.lost = 0
        self._chances = chances
        self._due: list[tuple[float, int, int, bytes]] = []  # when, number, to which fd, packet
        self._free_s = {NEAR: 0.0, FAR: 0.0}  # when the way to there has sent what it holds
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def open(self) -> Tunnel:
        # It holds the namespace, says when it is there, and ends with us.
        self._far = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._far.stdout is not None
        self._far.stdout.readline()
        self.prefix = ["nsenter", f"--net=/proc/{self._far.pid}/ns/net", "--"]
        self._ends = {_device(name): address for address, name in _NAMES.items()}
        _ip("link", "set", _NAMES[FAR], "netns", str(self._far.pid))
        for address, prefix in ((NEAR, []), (FAR, self.prefix)):
            _ip("address", "add", f"{address}/30", "dev", _NAMES[address], prefix=prefix)
            _ip("link", "set", _NAMES[address], "up", prefix=prefix)
        _ip("link", "set", "lo", "up", prefix=self.prefix)
        self._thread.start()
        return self

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)
        self._far.communicate()

    def _carry(self) -> None:
        waiting = poll()
        for end in self._ends:
            waiting.register(end, POLLIN)
        near, far = self._ends
        while not self._closing.is_set():
            now_s = time.monotonic()
            patience_s = min(0.2, self._due[0][0] - now_s) if self._due else 0.2
            for end, _ in waiting.poll(max(0.0, patience_s * 1e3)):
                self._take(os.read(end, 65536), far if end == near else near)
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(self._due)
                os.write(end, packet)

    def _take(self, packet: bytes, end: int) -> None:
        """Let it wait for as long as it is under way, or drop it."""
        weather, target = self.weather, self._ends[end]
        loss = weather.loss_to_near if target == NEAR else weather.loss_to_far
        begin_s = max(time.monotonic(), self._free_s[target])
        if weather.rate_bytes_s:
            begin_s += len(packet) / weather.rate_bytes_s
        if self._chances.random() < loss or begin_s > time.monotonic() + _MOST_QUEUED_S:
            self.lost += 1
            return
        self._free_s[target] = begin_s
        self.carried += 1
        due_s = begin_s + weather.delay_s + self._chances.uniform(0.0, weather.jitter_s)
        heapq.heappush(self._due, (due_s, self.carried, end, packet))


def _device(name: str) -> int:
    """A TUN device of that name; the file descriptor that its packets come from and go to."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return end


def _ip(*arguments: str, prefix: list[str] | None = None) -> None:
    subprocess.run([*(prefix or []), "ip", *arguments], check=True, stdin=subprocess.DEVNULL)
